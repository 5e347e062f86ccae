"""Drafts: one's own, saved again and again, never over what another tab saved."""

import pytest

from accounts.access import Actor
from accounts.errors import Conflict, Invalid, TooLarge
from governance.ledger.models import AuditEvent
from prompts import actions
from prompts.models import PromptDraft

pytestmark = pytest.mark.django_db
URL = "/api/v1/prompts/acme/folder/greeting/drafts"


@pytest.fixture
def greeting(cast):
    by = Actor(cast.alice)
    prompt = actions.create_prompt(team=cast.team, name="folder/greeting", by=by)
    actions.create_version(prompt=prompt, type="text", template="Hi {{ name }}", by=by)
    return prompt


def test_a_draft_is_saved_read_and_discarded(cast, api, greeting):
    alice = api(cast.alice)
    half = {"type": "text", "template": "Hi {{ na", "parameters": '{"n', "values": {"name": "Ann"}}
    saved = alice.put(f"{URL}/main", {"content": half, "revision": 0, "base": 1}).json()
    assert (saved["revision"], saved["base"], saved["branch"]) == (1, 1, "main")
    again = alice.put(f"{URL}/main", {"content": {**half, "template": "Hi {{ name"}, "revision": 1}).json()
    assert again["revision"] == 2
    read = alice.get(f"{URL}/main").json()
    assert read["content"] == {**half, "template": "Hi {{ name"}
    assert [row["revision"] for row in alice.get(URL).json()["results"]] == [2]
    assert alice.get("/api/v1/prompt-drafts").json()["results"][0]["prompt"] == "acme/folder/greeting"
    assert alice.delete(f"{URL}/main").status_code == 204
    assert alice.delete(f"{URL}/main").status_code == 204
    assert alice.get(f"{URL}/main").status_code == 404


def test_a_draft_is_seen_by_its_author_alone(cast, api, greeting):
    api(cast.alice).put(f"{URL}/main", {"content": {"template": "x"}, "revision": 0})
    assert api(cast.admin).get(f"{URL}/main").status_code == 404
    assert api(cast.admin).get(URL).json()["results"] == []
    assert api(cast.admin).put(f"{URL}/main", {"content": {"template": "y"}, "revision": 0}).status_code == 200
    assert PromptDraft.objects.count() == 2
    assert api(cast.bob).put(f"{URL}/main", {"content": {}, "revision": 0}).json()["permission"] == "asset.edit"
    assert api(cast.mallory).put(f"{URL}/main", {"content": {}, "revision": 0}).status_code == 404


def test_two_tabs_do_not_overwrite_each_other(cast, greeting):
    by = Actor(cast.alice)
    actions.save_draft(prompt=greeting, content={"template": "one"}, revision=0, by=by)
    with pytest.raises(Conflict) as second:
        actions.save_draft(prompt=greeting, content={"template": "two"}, revision=0, by=by)
    assert second.value.code == "draft_conflict"
    actions.save_draft(prompt=greeting, content={"template": "two"}, revision=1, by=by)
    with pytest.raises(Conflict):
        actions.save_draft(prompt=greeting, content={"template": "three"}, revision=1, by=by)
    assert PromptDraft.objects.get().content == {"template": "two"}
    actions.discard_draft(prompt=greeting, by=by)
    with pytest.raises(Conflict) as gone:
        actions.save_draft(prompt=greeting, content={"template": "two"}, revision=2, by=by)
    assert gone.value.code == "draft_gone"


def test_an_answer_that_was_lost_makes_no_conflict(cast, greeting):
    by = Actor(cast.alice)
    for _ in range(2):
        draft = actions.save_draft(prompt=greeting, content={"template": "one"}, revision=0, by=by)
        assert draft.revision == 1


def test_what_cannot_be_kept_is_refused_by_name(cast, greeting):
    by = Actor(cast.alice)
    for content, field in (
        ([], "content"),
        ({"rows": 1}, "content.rows"),
        ({"parameters": {}}, "content.parameters"),
        ({"template": 7}, "content.template"),
        ({"template": [{}] * 201}, "content.template"),
        ({"template": "a\0"}, "template"),
        ({"values": {"a": "\ud800"}}, "values.a"),
        ({"values": []}, "content.values"),
    ):
        with pytest.raises(Invalid) as problem:
            actions.save_draft(prompt=greeting, content=content, revision=0, by=by)
        assert list(problem.value.errors) == [field]
    with pytest.raises(TooLarge):
        actions.save_draft(prompt=greeting, content={"template": "x" * (4 << 20)}, revision=0, by=by)
    with pytest.raises(Invalid, match="no open branch 'elsewhere'"):
        actions.save_draft(prompt=greeting, content={}, revision=0, branch="elsewhere", by=by)
    assert not PromptDraft.objects.exists()


def test_the_ledger_says_nothing_of_drafts_and_deleting_a_prompt_hides_them(cast, api, greeting):
    before = AuditEvent.objects.count()
    actions.save_draft(prompt=greeting, content={"template": "secret"}, revision=0, by=Actor(cast.alice))
    assert AuditEvent.objects.count() == before
    type(greeting).objects.filter(pk=greeting.pk).update(deleted_at="2026-01-01T00:00Z")
    assert api(cast.alice).get("/api/v1/prompt-drafts").json()["results"] == []
