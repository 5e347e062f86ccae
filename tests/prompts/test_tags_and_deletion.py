"""Tags of prompts and versions, and what can be deleted."""

import pytest

from accounts.errors import Conflict, Forbidden, Invalid, NotFound
from governance.ledger.models import AuditEvent
from prompts import actions
from prompts.models import Include, Label, LabelMove, Prompt

pytestmark = pytest.mark.django_db


@pytest.fixture
def prompt(cast, actor):
    return actions.create_prompt(team=cast.team, name="greeting", by=actor(cast.alice))


@pytest.fixture
def versions(cast, actor, prompt):
    return [
        actions.create_version(prompt=prompt, type="text", template=text, by=actor(cast.alice))
        for text in ("one", "two")
    ]


def told():
    return list(AuditEvent.objects.order_by("id").values_list("action", flat=True))


def test_a_tag_is_set_changed_and_taken_away_with_an_event_each(cast, actor, prompt, versions):
    by = actor(cast.alice)
    before = len(told())
    actions.set_tag(prompt=prompt, key="tone", value="kind", by=by)
    actions.set_tag(prompt=prompt, key="tone", value="kind", by=by)
    actions.set_tag(prompt=prompt, key="tone", value="stern", by=by)
    actions.set_tag(version=versions[0], key="checked", by=by)
    actions.delete_tag(version=versions[0], key="checked", by=by)
    assert told()[before:] == [
        "prompt.tag_set", "prompt.tag_set", "prompt_version.tag_set", "prompt_version.tag_removed",
    ]  # fmt: skip
    assert prompt.tags.get().value == "stern" and not versions[0].tags.exists()
    with pytest.raises(NotFound):
        actions.delete_tag(version=versions[0], key="checked", by=by)
    for key in ("", " a", "x" * 251, "a\0"):
        with pytest.raises(Invalid):
            actions.set_tag(prompt=prompt, key=key, by=by)
    with pytest.raises(Forbidden):
        actions.set_tag(prompt=prompt, key="a", by=actor(cast.victor))


def test_words_are_replaced_and_tags_with_values_stay(cast, actor, prompt):
    by = actor(cast.alice)
    actions.set_tag(prompt=prompt, key="owner", value="ops", by=by)
    actions.set_words(prompt=prompt, words=["a", "b"], by=by)
    actions.set_words(prompt=prompt, words=["b", "owner"], by=by)
    assert dict(prompt.tags.values_list("key", "value")) == {"b": "", "owner": "ops"}


def test_deleting_a_version_takes_its_labels_and_keeps_their_history(cast, actor, prompt, versions):
    by = actor(cast.alice)
    actions.move_label(prompt=prompt, label="candidate", version=versions[1], by=by)
    actions.delete_version(version=versions[1], by=by)
    actions.delete_version(version=versions[1], by=by)
    assert not Label.objects.exists() and LabelMove.objects.filter(name="candidate").count() == 2
    assert told().count("prompt_version.deleted") == 1
    third = actions.create_version(prompt=prompt, type="text", template="three", by=by)
    assert third.number == 3  # a number is not given twice
    with pytest.raises(NotFound):
        actions.set_tag(version=versions[1], key="a", by=by)
    with pytest.raises(Forbidden):
        actions.delete_version(version=third, by=actor(cast.victor))


def test_what_is_protected_asked_for_or_included_stays(cast, actor, prompt, versions):
    by = actor(cast.alice)
    actions.request_move(version=versions[0], slot="production", by=by)
    other = actions.create_prompt(team=cast.team, name="letter", by=by)
    letter = actions.create_version(prompt=other, type="text", template="x", by=by)
    Include.objects.create(version=letter, prompt=prompt, number=2)
    with pytest.raises(Conflict, match="request "):
        actions.delete_version(version=versions[0], by=by)
    with pytest.raises(Conflict, match="acme/letter, which includes it"):
        actions.delete_version(version=versions[1], by=by)
    with pytest.raises(Conflict) as caught:
        actions.delete_prompt(prompt=prompt, by=by)
    assert len(caught.value.errors["references"]) == 2 and caught.value.code == "in_use"
    actions.delete_version(version=letter, by=by)
    actions.delete_version(version=versions[1], by=by)


def test_a_deleted_prompt_gives_its_name_away(cast, actor, prompt, versions):
    by = actor(cast.alice)
    actions.delete_prompt(prompt=prompt, reason="no use", by=by)
    actions.delete_prompt(prompt=prompt, by=by)
    assert not Prompt.objects.visible_to(by).exists() and told().count("prompt.deleted") == 1
    assert actions.create_prompt(team=cast.team, name="Greeting", by=by).pk != prompt.pk
