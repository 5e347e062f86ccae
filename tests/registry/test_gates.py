"""Gated models and datasets: page and card for whoever sees them, files for those who hold file.download; asking and giving."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.access import SYSTEM, Actor, can
from accounts.actions import grant_role, revoke_grant
from accounts.actions.grants import end_expired
from accounts.errors import ApprovalRequired, Conflict, Forbidden, Invalid, NotFound
from accounts.models import Grant
from accounts.roles import Permission, Role
from governance.ledger.models import AuditEvent
from registry import actions, gates, internal
from registry.models import AccessRequest, Asset


@pytest.fixture
def gated(make_asset, make_version):
    asset = make_asset("secret", gated=True)
    return asset, make_version(asset)


@pytest.fixture
def rows(make_asset, make_version):
    asset = make_asset("letters", "dataset", gated=True)
    return asset, make_version(asset, {"rows.jsonl": b'{"input": "quokka", "expected": "b"}\n'})


def test_files_of_a_gated_model_need_file_download(cast, api, gated):
    path = "/api/v1/models/acme/secret/versions/1/files/config.json"
    for name, status in (("alice", 200), ("dana", 200), ("admin", 200), ("victor", 403), ("bob", 403), ("carol", 403)):
        assert api(getattr(cast, name)).get(path).status_code == status, name
    assert api(cast.mallory).get(path).status_code == 404
    body = api(cast.victor).get(path).json()
    assert body["type"] == "urn:countersign:problem:gated"
    assert (body["permission"], body["link"]) == ("file.download", "/models/acme/secret/access")


def test_page_card_facts_and_file_list_stay_visible(cast, client_of, api, gated):
    page = client_of(cast.victor)
    for tab in ("", "/files", "/card", "/versions/1"):
        assert page.get(f"/models/acme/secret{tab}").status_code == 200, tab
    answer = api(cast.victor).get("/api/v1/models/acme/secret").json()
    assert answer["gated"] is True
    assert api(cast.victor).get("/api/v1/models/acme/secret/versions/1/files").json()["results"]


def test_rows_of_a_gated_dataset_are_not_shown(cast, client_of, api, rows):
    assert api(cast.victor).get("/api/v1/datasets/acme/letters/versions/1/rows").status_code == 403
    assert client_of(cast.victor).get("/datasets/acme/letters/versions/1/rows").status_code == 403
    page = client_of(cast.victor).get("/datasets/acme/letters/versions/1")
    assert page.status_code == 200
    assert "The rows are gated" in page.text
    assert "quokka" not in page.text
    assert "quokka" in client_of(cast.alice).get("/datasets/acme/letters/versions/1").text


def test_a_key_without_the_scope_gets_no_file(cast, api, gated):
    path = "/api/v1/models/acme/secret/versions/1/files/config.json"
    assert api(cast.alice, scopes=["read"]).get(path).status_code == 200
    assert api(cast.alice, scopes=["review"]).get(path).status_code == 403


def test_a_replica_fetches_what_was_deployed(client, gated):
    _, version = gated
    token = internal.sign(version)
    sha256 = version.files.get(path="config.json").blob_id
    answer = client.get(f"/internal/files/{sha256}", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert gates.may_read(SYSTEM, version.asset)
    assert not gates.may_read(Actor(None, via="ui"), version.asset)


def test_who_edits_gates_and_who_edits_policies_lifts(cast, actor, gated):
    asset, _ = gated
    with pytest.raises(Forbidden) as refused:
        actions.update_asset(asset=asset, gated=False, by=actor(cast.alice))
    assert refused.value.permission == "policy.edit"
    with pytest.raises(Forbidden):
        actions.update_asset(asset=asset, visibility="site", by=actor(cast.alice))
    asset = actions.update_asset(asset=asset, visibility="site", by=actor(cast.admin))
    asset = actions.update_asset(asset=asset, gated=False, by=actor(cast.admin))
    assert (asset.gated, asset.visibility) == (False, "team")
    with pytest.raises(Invalid):
        actions.update_asset(asset=asset, visibility="site", by=actor(cast.admin))


def test_asking_and_giving_ends_by_itself(cast, actor, gated):
    asset, _ = gated
    request = actions.ask_for_access(asset=asset, reason="To compare", by=actor(cast.victor))
    with pytest.raises(Conflict):
        actions.ask_for_access(asset=asset, reason="Again", by=actor(cast.victor))
    with pytest.raises(Forbidden):
        actions.grant_access(request=request, by=actor(cast.alice))
    assert gates.waiting_for(actor(cast.admin)).count() == 1
    until = timezone.now() + timedelta(days=3)
    request = actions.grant_access(request=request, until=until, answer="Fine", by=actor(cast.admin))
    assert request.holds
    assert gates.may_read(actor(cast.victor), asset)
    assert not gates.waiting_for(actor(cast.admin)).exists()
    Grant.objects.filter(pk=request.grant_id).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert not gates.may_read(actor(cast.victor), asset)
    assert end_expired() == 1
    request.refresh_from_db()
    assert (request.state, request.holds, request.grant_id) == ("granted", False, None)
    told = AuditEvent.objects.filter(action__in=["access.asked", "access.granted", "role.granted", "role.expired"])
    assert list(told.order_by("id").values_list("action", flat=True))[-4:] == [
        "access.asked", "role.granted", "access.granted", "role.expired",
    ]  # fmt: skip


def test_ninety_days_where_nobody_says_otherwise(cast, actor, gated):
    request = actions.ask_for_access(asset=gated[0], reason="To compare", by=actor(cast.victor))
    request = actions.grant_access(request=request, by=actor(cast.admin))
    assert timedelta(days=89) < request.until - timezone.now() <= timedelta(days=90)
    assert Grant.objects.get(pk=request.grant_id).expires_at == request.until


def test_refused_withdrawn_and_asked_again(cast, actor, gated):
    asset, _ = gated
    request = actions.ask_for_access(asset=asset, reason="To compare", by=actor(cast.victor))
    with pytest.raises(Invalid):
        actions.refuse_access(request=request, by=actor(cast.admin))
    actions.refuse_access(request=request, answer="Not yet", by=actor(cast.admin))
    with pytest.raises(Conflict):
        actions.grant_access(request=request, by=actor(cast.admin))
    again = actions.ask_for_access(asset=asset, reason="Now?", by=actor(cast.victor))
    with pytest.raises(Forbidden):
        actions.withdraw_access_request(request=again, by=actor(cast.admin))
    actions.withdraw_access_request(request=again, by=actor(cast.victor))
    assert [one.state for one in AccessRequest.objects.order_by("id")] == ["refused", "withdrawn"]


def test_what_was_given_can_be_taken_away(cast, actor, gated):
    request = actions.ask_for_access(asset=gated[0], reason="To compare", by=actor(cast.victor))
    request = actions.grant_access(request=request, by=actor(cast.admin))
    revoke_grant(grant=request.grant, by=actor(cast.admin), reason="Project over")
    request.refresh_from_db()
    assert not request.holds
    assert not gates.may_read(actor(cast.victor), gated[0])


def test_who_has_access_has_nothing_to_ask(cast, actor, gated):
    with pytest.raises(Conflict) as said:
        actions.ask_for_access(asset=gated[0], reason="More", by=actor(cast.alice))
    assert said.value.code == "has_access"


def test_a_guarded_role_is_given_by_an_approved_request_only(cast, actor, gated):
    cast.team.guarded_roles = ["downloader"]
    cast.team.save()
    request = actions.ask_for_access(asset=gated[0], reason="To compare", by=actor(cast.victor))
    with pytest.raises(ApprovalRequired):
        actions.grant_access(request=request, by=actor(cast.admin))
    request.refresh_from_db()
    assert request.is_open


def test_a_team_visible_asset_is_not_there_for_strangers(cast, actor, gated):
    with pytest.raises(NotFound):
        actions.ask_for_access(asset=gated[0], reason="Please", by=actor(cast.mallory))


def test_one_shown_to_the_site_can_be_asked_for_by_strangers(cast, actor, gated):
    asset = actions.update_asset(asset=gated[0], visibility="site", by=actor(cast.admin))
    mallory = actor(cast.mallory)
    assert gates.get_shown(mallory, "model", "acme/secret") == (asset, False)
    assert not can(mallory, Permission.ASSET_VIEW, asset)
    request = actions.ask_for_access(asset=asset, reason="Please", by=mallory)
    actions.grant_access(request=request, by=actor(cast.admin))
    now = actor(cast.mallory)
    assert gates.get_shown(now, "model", "acme/secret") == (asset, True)
    assert gates.may_read(now, asset)
    assert list(Asset.objects.visible_to(now)) == [asset]


def test_a_key_of_another_team_is_a_stranger_everywhere(cast, actor, gated):
    from accounts.actions import create_key, create_team

    asset = actions.update_asset(asset=gated[0], visibility="site", by=actor(cast.admin))
    other = create_team(name="globex", title="Globex", by=actor(cast.admin))
    grant_role(user=cast.mallory, role=Role.VIEWER, on=other, by=actor(cast.admin))
    row, _ = create_key(name="narrow", team=other, by=actor(cast.mallory))
    with pytest.raises(NotFound):
        gates.get_shown(Actor(cast.mallory, key=row), "model", str(asset))


def test_evaluations_show_no_rows_of_a_gated_dataset(cast, actor, gated, rows):
    from evaluation.actions import create_evaluation

    with pytest.raises(Forbidden) as refused:
        grant_role(user=cast.bob, role=Role.CONTRIBUTOR, on=gated[0], by=actor(cast.admin))
        create_evaluation(version=gated[1], dataset_version=rows[1], by=actor(cast.bob))
    assert refused.value.code == "gated"
