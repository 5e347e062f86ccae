"""Every page and address of a prompt's history, on one prompt that has something of everything."""

import pytest

from accounts.access import Actor
from governance.ledger.models import AuditEvent
from prompts import actions, search

pytestmark = pytest.mark.django_db
BASE = "/prompts/acme/support/refunds/reply"


@pytest.fixture
def prompt(cast):
    by = Actor(cast.alice)
    prompt = actions.create_prompt(team=cast.team, name="support/refunds/reply", description="d", by=by)
    for text in ("One.\nTwo {{ x }}\n", "One.\nTwo two {{ x }}\n"):
        actions.create_version(prompt=prompt, type="text", template=text, parameters={"a": {"b": text}}, by=by)
    actions.create_branch(prompt=prompt, name="side", start=prompt.versions.get(number=1), by=by)
    text = "One.\nTwo zwei {{ x }}\n"
    actions.create_version(prompt=prompt, type="text", template=text, branch="side", parameters={"a": {"b": 3}}, by=by)
    for number in (1, 2):
        actions.move_label(prompt=prompt, label="staging", version=prompt.versions.get(number=number), by=by)
    actions.set_tag(prompt=prompt, key="owner", value="kim", by=by)
    return prompt


def test_every_page_is_there(prompt, cast, client_of):
    alice = client_of(cast.alice)
    lists = [
        f"/prompts/?{query}" for query in ("folder=support", "q=reply", "q=refnds", "tag=owner:kim", "state=deleted")
    ]
    ours = [
        "",
        "/labels",
        "/labels?at=2099-01-01",
        "/branches",
        "/branches/side/merge",
        "/diff?from=1&to=2",
        "/settings",
    ]
    ours += ["/diff?from=1&to=3&view=inline&spaces=0", "/diff/weights?from=1&to=2", "/versions/3"]
    for path in ["/prompts/", *lists, *(BASE + one for one in ours)]:
        assert alice.get(path).status_code == 200, path
    assert alice.get(f"{BASE}/labels?at=x").status_code == 422
    search.learn({"refunds"})  # as happens after the commit, which this test never comes to
    assert b"reply" in alice.get("/prompts/?q=refnds").content


def test_a_merge_is_decided_on_its_page_and_the_prompt_ends_and_returns(prompt, cast, client_of):
    alice = client_of(cast.alice)
    chosen = {"choice:template#1": "theirs", "choice:parameters.a.b": "edit", "edit:parameters.a.b": "7"}
    late = alice.post(f"{BASE}/branches/side/merge", {**chosen, "seen_source": 3, "seen_target": 1})
    assert late.status_code == 409
    alice.post(f"{BASE}/branches/side/merge", {**chosen, "seen_source": 3, "seen_target": 2})
    merged = prompt.versions.first()
    assert (merged.template, merged.parameters) == ("One.\nTwo zwei {{ x }}\n", {"a": {"b": 7}})
    for path, there in (("archive", 200), ("restore", 200), ("delete", 404), ("restore", 200)):
        assert alice.post(f"{BASE}/{path}").status_code == 302
        assert alice.get(BASE).status_code == there


def test_a_label_goes_back_and_who_saw_another_version_is_told(prompt, cast, client_of):
    alice = client_of(cast.alice)
    assert alice.post(f"{BASE}/labels/staging/rollback", {"expected": 1}).status_code == 409
    assert alice.post(f"{BASE}/labels/staging/rollback", {"expected": 2}).status_code == 302
    assert prompt.labels.get().version.number == 1


def test_what_a_label_was_on_a_day(prompt, cast, api):
    from datetime import UTC, datetime

    from prompts.models import LabelMove

    first, second = prompt.versions.get(number=1), prompt.versions.get(number=2)
    for before, after, day in ((None, first, 1), (first, second, 3), (second, None, 5)):
        LabelMove.objects.create(
            prompt=prompt, name="eu", before=before, after=after, reason="as told",
            moved_at=datetime(2026, 5, day, 12, tzinfo=UTC), moved_by=cast.alice,
        )  # fmt: skip
    address = f"/api/v1{BASE}/labels/eu"

    def then(day):
        return api(cast.victor).get(f"{address}?at={day}")

    assert [then(f"2026-05-0{day}").json()["after"] for day in (1, 2, 3, 9)] == [1, 1, 2, None]
    told = then("2026-05-03").json()
    assert (told["before"], told["moved_by"]) == (1, "alice@example.com")
    assert then("2026-04-30").status_code == 404 and then("yesterday").status_code == 400
    assert api(cast.mallory).get(f"{address}?at=2026-05-03").status_code == 404


def test_what_was_deleted_comes_back_where_a_person_looks_with_a_reason(prompt, cast, client_of):
    alice, victor = client_of(cast.alice), client_of(cast.victor)
    made = actions.create_version(prompt=prompt, type="text", template="spare", by=Actor(cast.alice))
    alice.post(f"{BASE}/versions/{made.number}/delete", {"reason": "a slip"})
    page = alice.get(BASE).content.decode()
    assert f'Restore<span class="visually-hidden"> version {made.number}' in page and "1 deleted version" in page
    assert "deleted version" not in victor.get(BASE).content.decode()
    back = alice.post(f"{BASE}/versions/restore", {"version": made.number, "reason": "it was none"})
    assert back.url == made.get_absolute_url() and "deleted version" not in alice.get(BASE).content.decode()
    alice.post(f"{BASE}/delete", {"reason": "no use"})
    assert "Another name" in alice.get("/prompts/?state=deleted").content.decode()
    assert alice.post(f"{BASE}/restore", {"name": "reply-again", "reason": "of use"}).url.endswith("/reply-again")
    told = {event.action: event.reason for event in AuditEvent.objects.all() if event.reason}
    assert told["prompt_version.deleted"] == "a slip" and told["prompt_version.restored"] == "it was none"
    assert told["prompt.deleted"] == "no use" and told["prompt.restored"] == "of use"


def test_tags_of_a_version_are_edited_on_its_page(prompt, cast, client_of):
    alice, victor = client_of(cast.alice), client_of(cast.victor)
    page = f"{BASE}/versions/1"
    assert alice.post(f"{page}/tags", {"key": "checked", "value": "by hand"}).status_code == 302
    assert (
        "checked: by hand" in victor.get(page).content.decode() and "Set a tag" not in victor.get(page).content.decode()
    )
    assert alice.post(f"{page}/tags", {"key": ""}).status_code == 422
    assert victor.post(f"{page}/tags", {"key": "x"}).status_code == 403
    assert alice.post(f"{page}/tags/remove", {"key": "checked"}).status_code == 302
    assert not prompt.versions.get(number=1).tags.exists()
