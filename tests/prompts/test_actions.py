"""Versions and labels: who may, what is recorded, what the database holds to."""

from urllib.parse import quote

import pytest
from django.db import IntegrityError, transaction

from accounts.access import Actor
from accounts.errors import ApprovalRequired, Conflict, Forbidden, Invalid, NotFound
from governance.actions import review
from governance.digests import digest_of
from governance.ledger.models import AuditEvent
from governance.models import ApprovalRequest
from prompts import actions
from prompts.models import Label, LabelMove, Prompt, PromptVersion
from prompts.reads import get_prompt, resolve_label


@pytest.fixture
def prompt(cast, actor):
    return actions.create_prompt(team=cast.team, name="greeting", by=actor(cast.alice))


def version_of(prompt, by, text="Hi {{ name }}", **fields):
    return actions.create_version(prompt=prompt, type="text", template=text, by=by, **fields)


def test_versions_are_numbered_and_digested(cast, actor, prompt):
    first = version_of(prompt, actor(cast.alice), parameters={"temperature": 0}, message=" first ")
    second = version_of(prompt, actor(cast.alice), "Hello {{ name }} from {{ place }}")
    assert (first.number, second.number) == (1, 2)
    assert first.message == "first"
    assert second.variables == ["name", "place"]
    assert first.digest == digest_of(
        {
            "type": "text",
            "format": "jinja2",
            "template": "Hi {{ name }}",
            "inputs": [],
            "tools": [],
            "response_format": None,
        }
        | {"model": "", "parameters": {"temperature": 0}}
    )
    event = AuditEvent.objects.get(action="prompt_version.created", target_id=str(first.pk))
    assert (event.actor_email, event.target_digest, event.team) == ("alice@example.com", first.digest, "acme")
    assert f"prompt:{prompt.pk}" in event.subjects


def test_a_name_is_taken_once(cast, actor, prompt):
    with pytest.raises(Conflict) as caught:
        actions.create_prompt(team=cast.team, name="greeting", by=actor(cast.alice))
    assert list(caught.value.errors) == ["name"]


@pytest.mark.parametrize("name", ["", "-a", "a@b", "a:1", "a//b", "a/versions", "a" * 201, "../x", "a\nb"])
def test_a_name_stands_in_addresses(cast, actor, name):
    with pytest.raises(Invalid) as caught:
        actions.create_prompt(team=cast.team, name=name, by=actor(cast.alice))
    assert list(caught.value.errors) == ["name"]


def test_versions_of_a_prompt_are_of_one_type(cast, actor, prompt):
    version_of(prompt, actor(cast.alice))
    with pytest.raises(Invalid) as caught:
        actions.create_version(
            prompt=prompt, type="chat", template=[{"role": "user", "content": "a"}], by=actor(cast.alice)
        )
    assert list(caught.value.errors) == ["type"]
    prompt.refresh_from_db()
    assert prompt.last_number == 1


@pytest.mark.parametrize("person", ["bob", "dana", "carol", "victor", "mallory"])
def test_only_contributors_change_prompts(cast, actor, prompt, person):
    by = actor(getattr(cast, person))
    version = version_of(prompt, actor(cast.alice))
    before = AuditEvent.objects.exclude(action="access.refused").count()
    for act in (
        lambda: actions.create_prompt(team=cast.team, name="x", by=by),
        lambda: actions.update_prompt(prompt=prompt, description="x", by=by),
        lambda: version_of(prompt, by),
        lambda: actions.move_label(prompt=prompt, label="staging", version=version, by=by),
        lambda: actions.remove_label(prompt=prompt, label="staging", by=by),
        lambda: actions.request_move(version=version, slot="production", by=by),
    ):
        with pytest.raises(Forbidden) as caught:
            act()
        assert caught.value.permission
    assert AuditEvent.objects.exclude(action="access.refused").count() == before


def test_a_free_label_moves_and_keeps_its_history(cast, actor, prompt):
    by = actor(cast.alice)
    one, two = version_of(prompt, by), version_of(prompt, by, "b")
    actions.move_label(prompt=prompt, label="staging", version=one, by=by)
    actions.move_label(prompt=prompt, label="staging", version=two, reason="better", by=by)
    actions.move_label(prompt=prompt, label="staging", version=two, reason="again", by=by)
    actions.remove_label(prompt=prompt, label="staging", by=by)
    moves = list(LabelMove.objects.order_by("id").values_list("before__number", "after__number", "reason"))
    assert moves == [(None, 1, ""), (1, 2, "better"), (2, None, "")]
    actions_recorded = list(
        AuditEvent.objects.filter(subjects__contains=[f"prompt_version:{two.pk}"])
        .order_by("id")
        .values_list("action", flat=True)
    )
    assert actions_recorded == ["prompt_version.created", "label.moved", "label.removed"]
    assert not Label.objects.exists()
    with pytest.raises(NotFound):
        actions.remove_label(prompt=prompt, label="staging", by=by)


def test_labels_that_are_none(cast, actor, prompt):
    version = version_of(prompt, actor(cast.alice))
    for name in ("latest", "2", "Staging", ""):
        with pytest.raises(Invalid) as caught:
            actions.move_label(prompt=prompt, label=name, version=version, by=actor(cast.alice))
        assert list(caught.value.errors) == ["label"]
    other = actions.create_prompt(team=cast.team, name="other", by=actor(cast.alice))
    with pytest.raises(Invalid):
        actions.move_label(prompt=other, label="staging", version=version, by=actor(cast.alice))


def test_production_moves_by_an_approved_request_alone(cast, actor, prompt):
    alice, bob = actor(cast.alice), actor(cast.bob)
    one, two = version_of(prompt, alice), version_of(prompt, alice, "b")
    with pytest.raises(ApprovalRequired) as caught:
        actions.move_label(prompt=prompt, label="production", version=one, by=alice)
    assert "kind=prompt" in caught.value.link
    with pytest.raises(ApprovalRequired):
        actions.move_label(prompt=prompt, label="production", version=one, by=actor(cast.admin))
    request = actions.request_move(version=one, slot="production", reason="ready", by=alice)
    assert (request.kind, request.digest, request.author_ids) == ("prompt", one.digest, [cast.alice.pk])
    with pytest.raises(ApprovalRequired):
        actions.apply_request(request=request, by=bob)
    assert not Label.objects.exists()
    with transaction.atomic():
        request = review(request=request, verdict="approve", comment="good", by=bob, on=prompt)
        assert request.state == ApprovalRequest.State.APPROVED
        actions.apply_request(request=request, by=bob)
    assert Label.objects.get(name="production").version == one
    assert LabelMove.objects.get().request_id == request.pk
    # It approved these bytes alone, and nobody takes the label away.
    with pytest.raises(ApprovalRequired):
        actions.move_label(prompt=prompt, label="production", version=two, by=alice)
    with pytest.raises(ApprovalRequired):
        actions.remove_label(prompt=prompt, label="production", by=alice)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE prompts_promptversion SET message = 'x'",
        "DELETE FROM prompts_promptversion",
        "UPDATE prompts_labelmove SET reason = 'x'",
        "DELETE FROM prompts_labelmove",
    ],
)
def test_the_database_keeps_versions_and_history(cast, actor, prompt, statement):
    from django.db import connection

    version = version_of(prompt, actor(cast.alice))
    actions.move_label(prompt=prompt, label="staging", version=version, by=actor(cast.alice))
    with pytest.raises(IntegrityError, match="immutable"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_what_others_have_is_not_there(cast, actor, prompt):
    version_of(prompt, actor(cast.alice))
    with pytest.raises(NotFound):
        get_prompt(actor(cast.mallory), "acme/greeting")
    with pytest.raises(NotFound):
        resolve_label(actor(cast.mallory), "acme/greeting", "latest")
    assert not Prompt.objects.visible_to(Actor(None)).exists()


def test_a_label_resolves_in_one_statement(cast, actor, prompt, django_assert_num_queries):
    by = actor(cast.alice)
    version_of(prompt, by)
    two = version_of(prompt, by, "b")
    actions.move_label(prompt=prompt, label="staging", version=two, by=by)
    by = actor(cast.victor)
    resolve_label(by, "acme/greeting", "latest")  # reads the actor's roles, once
    with django_assert_num_queries(1):
        assert resolve_label(by, "acme/greeting", "staging").pk == two.pk
    assert resolve_label(by, "acme/greeting", "latest").number == 2
    with pytest.raises(NotFound, match="no label"):
        resolve_label(by, "acme/greeting", "nothing")


def test_two_versions_at_once_get_two_numbers(cast, actor, prompt):
    """The number is taken under the prompt's lock, not read before it."""
    stale = Prompt.objects.get(pk=prompt.pk)
    version_of(prompt, actor(cast.alice))
    assert version_of(stale, actor(cast.alice)).number == 2
    assert PromptVersion.objects.count() == 2


@pytest.mark.parametrize("name", ["a", "Support/Refunds/first reply", "folder/conf-sub ü", "x (2)"])
def test_a_prompt_with_folders_is_found_at_its_address(cast, actor, client_of, api, name):
    prompt = actions.create_prompt(team=cast.team, name=name, by=actor(cast.alice))
    version_of(prompt, actor(cast.alice))
    client = client_of(cast.alice)
    assert client.get(prompt.get_absolute_url()).status_code == 200
    assert client.get(f"{prompt.get_absolute_url()}/versions/1").status_code == 200
    assert (
        api(cast.alice).get(f"/api/v1/prompts/acme/{quote(name, safe='')}/versions/1").json()["prompt"]
        == f"acme/{name}"
    )
