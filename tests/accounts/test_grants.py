"""Grants on teams, prefixes of names, single assets and stages, until a time; custom roles; named groups."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import actions, held
from accounts.access import ANY_STAGE, Actor, Planned, can, require_stage_permission, roles_on, visible
from accounts.actions.grants import end_expired
from accounts.errors import ApprovalRequired, Conflict, Forbidden, Invalid
from accounts.groups import groups_of
from accounts.models import CustomRole, Grant, KeyAddress, Team
from accounts.roles import (
    PERMISSION_DESCRIPTIONS,
    ROLE_PERMISSIONS,
    SITE_PERMISSIONS,
    STAGES,
    Permission,
    Role,
)
from governance.ledger.models import AuditEvent
from governance.stages import Stage
from registry.models import Asset

P = Permission


@pytest.fixture
def admin(cast):
    return Actor(cast.admin)


@pytest.fixture
def asset(cast):
    def make(name, kind="model"):
        return Asset.objects.create(team=cast.team, kind=kind, name=name, created_by=cast.alice, updated_by=cast.alice)

    return make


def events(action):
    return list(AuditEvent.objects.filter(action=action).order_by("id"))


def test_each_permission_is_described_and_the_stages_are_governances():
    assert set(PERMISSION_DESCRIPTIONS) == set(Permission)
    assert set(STAGES) == {stage.value for stage in Stage}
    assert not any(SITE_PERMISSIONS & allowed for allowed in ROLE_PERMISSIONS.values())


def test_a_prefix_covers_its_names_and_kinds_and_no_others(cast, admin, asset):
    actions.grant(user=cast.mallory, role="contributor", on=cast.team, prefix="acme/date-*", kind="model", by=admin)
    mallory = Actor(cast.mallory)
    inside, data, outside = asset("date-a"), asset("date-b", "dataset"), asset("dates")
    assert can(mallory, P.ASSET_EDIT, inside)
    assert not can(mallory, P.ASSET_EDIT, data) and not can(mallory, P.ASSET_VIEW, outside)
    assert not can(mallory, P.TEAM_VIEW, cast.team) and not can(mallory, P.ASSET_CREATE, cast.team)
    assert can(mallory, P.ASSET_CREATE, Planned(cast.team.pk, "model", "date-new"))
    assert not can(mallory, P.ASSET_CREATE, Planned(cast.team.pk, "prompt", "date-new"))
    assert list(Asset.objects.visible_to(Actor(cast.mallory))) == [inside]


def test_a_prefix_may_be_a_folder_of_prompts_in_any_alphabet(cast, admin):
    from prompts.actions import create_prompt
    from prompts.models import Prompt

    actions.grant(user=cast.mallory, role="viewer", on=cast.team, prefix="acme/support/*", kind="prompt", by=admin)
    inside = [
        create_prompt(team=cast.team, name=f"support/{name}", by=admin) for name in ("a", "Zürich", "über", "日本")
    ]
    outside = create_prompt(team=cast.team, name="supporters", by=admin)
    assert set(Prompt.objects.visible_to(Actor(cast.mallory))) == set(inside)
    assert not can(Actor(cast.mallory), P.ASSET_VIEW, outside)


def test_a_list_by_many_prefixes_is_the_same_with_ids_and_by_name(cast, admin, asset, monkeypatch):
    for prefix in ("a-", "a-b", "b.c", "z"):
        actions.grant(user=cast.mallory, role="viewer", on=cast.team, prefix=prefix, by=admin)
    actions.grant(user=cast.mallory, role="viewer", on=cast.team, prefix="data", kind="dataset", by=admin)
    rows = {name: asset(name) for name in ("a-1", "a-b2", "b.c", "bxc", "y", "z", "data")}
    rows["d"] = asset("data-1", "dataset")
    wanted = {rows[name].pk for name in ("a-1", "a-b2", "b.c", "z", "d")}
    assert set(Asset.objects.visible_to(Actor(cast.mallory)).values_list("pk", flat=True)) == wanted
    monkeypatch.setattr("accounts.prefixes.MOST_IDS", 1)  # too many to name: by the beginnings of names
    assert set(Asset.objects.visible_to(Actor(cast.mallory)).values_list("pk", flat=True)) == wanted
    mine = Actor(cast.mallory)
    assert {row.pk for row in Asset.objects.all() if can(mine, P.ASSET_VIEW, row)} == wanted


def test_a_list_reads_grants_once_whatever_their_number(cast, admin, asset, django_assert_num_queries):
    for number in range(30):
        actions.grant(user=cast.mallory, role="viewer", on=cast.team, prefix=f"p{number}-", by=admin)
    asset("p1-x")
    with django_assert_num_queries(3):  # grants, ids behind the prefixes, the list
        mallory = Actor(cast.mallory)
        assert len(Asset.objects.visible_to(mallory)) == 1


def test_a_stage_limits_what_is_done_and_not_what_is_seen(cast, admin, asset):
    actions.grant(user=cast.mallory, role="deployer", on=cast.team, stage="staging", by=admin)
    mallory, model = Actor(cast.mallory), asset("m")
    assert can(mallory, P.ASSET_VIEW, model) and can(mallory, P.TEAM_VIEW, cast.team)
    assert can(mallory, P.DEPLOYMENT_MANAGE, model, stage="staging")
    for stage in ("", "production", "development"):
        assert not can(mallory, P.DEPLOYMENT_MANAGE, model, stage=stage)
    assert can(mallory, P.DEPLOYMENT_MANAGE, model, stage=ANY_STAGE)
    assert roles_on(mallory, model) == set() and roles_on(mallory, model, stage="staging") == {"deployer"}


def test_production_is_a_permission_of_its_own(cast, admin):
    actions.create_role(team=cast.team, slug="asker", permissions=["asset.view", "request.create"], by=admin)
    actions.grant(user=cast.mallory, role="asker", on=cast.team, by=admin)
    mallory = Actor(cast.mallory)
    require_stage_permission(mallory, "staging", cast.team)
    with pytest.raises(Forbidden) as refused:
        require_stage_permission(mallory, "production", cast.team)
    assert refused.value.permission == "production.set"
    require_stage_permission(Actor(cast.alice), "production", cast.team)


def test_an_expired_grant_is_gone_at_once_and_is_told_once(cast, admin, asset, api):
    row, _ = actions.grant(
        user=cast.mallory, role="viewer", on=cast.team, expires_at=timezone.now() + timedelta(hours=1), by=admin
    )
    model = asset("m")
    assert can(Actor(cast.mallory), P.ASSET_VIEW, model)
    Grant.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert not can(Actor(cast.mallory), P.ASSET_VIEW, model)
    assert not Asset.objects.visible_to(Actor(cast.mallory)).exists()
    assert api(cast.mallory).get("/api/v1/models/acme/m").status_code == 404
    assert [one["person"] for one in api(cast.admin).get("/api/v1/teams/acme/grants").json()["results"]].count(
        "mallory@example.com"
    ) == 0
    assert (end_expired(), end_expired()) == (1, 0)
    assert [event.before["role"] for event in events("role.expired")] == ["viewer"]


def test_granting_again_moves_the_end(cast, admin):
    end = timezone.now() + timedelta(days=1)
    assert actions.grant(user=cast.mallory, role="viewer", on=cast.team, expires_at=end, by=admin)[1]
    assert not actions.grant(user=cast.mallory, role="viewer", on=cast.team, expires_at=end, by=admin)[1]
    assert actions.grant(user=cast.mallory, role="viewer", on=cast.team, by=admin)[1]
    assert Grant.objects.get(user=cast.mallory).expires_at is None
    assert events("role.granted")[-1].before["expires_at"] == end.isoformat()


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"role": "king"}, "role"), ({"role": "viewer", "prefix": "a@b"}, "prefix"),
        ({"role": "viewer", "kind": "model"}, "kind"), ({"role": "viewer", "stage": "moon"}, "stage"),
        ({"role": "viewer", "prefix": "a", "kind": "team"}, "kind"),
        ({"role": "viewer", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ],
)  # fmt: skip
def test_bad_grants_name_the_field_and_change_nothing(cast, api, fields, wrong):
    before = Grant.objects.count()
    answer = api(cast.admin).post("/api/v1/teams/acme/members", {"person": "mallory@example.com", **fields})
    assert answer.status_code == 400 and wrong in answer.json()["errors"], answer.json()
    assert Grant.objects.count() == before


def test_a_guarded_role_needs_an_approved_request(cast, admin):
    Team.objects.filter(pk=cast.team.pk).update(guarded_roles=["deployer"])
    with pytest.raises(ApprovalRequired):
        actions.grant_role(user=cast.mallory, role=Role.DEPLOYER, on=cast.team, by=admin)
    assert actions.grant_role(user=cast.mallory, role=Role.DEPLOYER, on=cast.team, by=admin, request_id=7)
    assert Grant.objects.get(user=cast.mallory).request_id == 7


def test_the_last_administrator_stays(cast, admin, api):
    grant = Grant.objects.get(user=cast.admin, role="admin")
    with pytest.raises(Conflict, match="last administrator"):
        actions.revoke_grant(grant=grant, by=admin)
    assert api(cast.admin).delete("/api/v1/teams/acme/members/admin@example.com/admin").status_code == 409
    actions.grant(user=cast.dana, role="admin", on=cast.team, stage="staging", by=admin)  # manages nothing
    with pytest.raises(Conflict):
        actions.revoke_grant(grant=grant, by=admin)
    actions.grant(user=cast.dana, role="admin", on=cast.team, by=admin)
    actions.revoke_grant(grant=grant, by=admin)
    assert not Grant.objects.filter(pk=grant.pk).exists()


def test_a_grant_is_listed_shown_and_revoked_by_its_id(cast, api, asset):
    asset("m")
    admin = api(cast.admin)
    body = {"person": "mallory@example.com", "role": "deployer", "asset": "m", "kind": "model", "reason": "Stands in."}
    made = admin.post("/api/v1/teams/acme/members", body)
    assert made.status_code == 201, made.json()
    grant = made.json()["grant"]
    assert (grant["on"], grant["reason"], grant["granted_by"]) == ("acme/m", "Stands in.", "admin@example.com")
    assert admin.get(f"/api/v1/teams/acme/grants/{grant['id']}").json() == grant
    assert api(cast.victor).delete(f"/api/v1/teams/acme/grants/{grant['id']}").status_code == 403
    assert admin.delete(f"/api/v1/teams/acme/grants/{grant['id']}").status_code == 204
    assert admin.delete(f"/api/v1/teams/acme/grants/{grant['id']}").status_code == 404


# The team's own roles.


def test_nobody_makes_a_role_that_is_more_than_they_are(cast, admin):
    actions.create_role(team=cast.team, slug="chief", permissions=["team.view", "team.manage"], by=admin)
    actions.grant(user=cast.mallory, role="chief", on=cast.team, by=admin)
    mallory = Actor(cast.mallory)
    with pytest.raises(Forbidden, match=r"policy\.edit"):
        actions.create_role(team=cast.team, slug="more", permissions=["policy.edit"], by=mallory)
    chief = CustomRole.objects.get(slug="chief")
    with pytest.raises(Forbidden):
        actions.change_role(role=chief, permissions=["team.view", "team.manage", "asset.edit"], by=mallory)
    with pytest.raises(Invalid, match="site administrator"):
        actions.create_role(team=cast.team, slug="eraser", permissions=["ledger.erase"], by=admin)


def test_who_manages_a_team_by_a_role_of_its_own_gives_nothing_that_they_lack(cast, admin):
    actions.create_role(team=cast.team, slug="chief", permissions=["team.view", "team.manage"], by=admin)
    actions.grant(user=cast.mallory, role="chief", on=cast.team, by=admin)
    mallory = Actor(cast.mallory)
    for role in ("admin", "reviewer"):
        with pytest.raises(Forbidden, match="what you don't have here yourself"):
            actions.grant(user=cast.mallory, role=role, on=cast.team, by=mallory)
    actions.grant(user=cast.victor, role="chief", on=cast.team, by=mallory)
    actions.grant(user=cast.victor, role="reviewer", on=cast.team, by=admin)


def test_a_changed_role_holds_at_once_and_a_held_one_is_not_archived(cast, admin, asset):
    role = actions.create_role(team=cast.team, slug="looker", permissions=["asset.view"], by=admin)
    actions.grant(user=cast.mallory, role="looker", on=cast.team, by=admin)
    model = asset("m")
    assert not can(Actor(cast.mallory), P.ASSET_EDIT, model)
    actions.change_role(role=role, permissions=["asset.view", "asset.edit"], by=admin)
    assert can(Actor(cast.mallory), P.ASSET_EDIT, model)
    with pytest.raises(Conflict, match="mallory"):
        actions.archive_role(role=role, by=admin)
    actions.revoke_role(user=cast.mallory, role="looker", on=cast.team, by=admin)
    actions.archive_role(role=role, by=admin)
    with pytest.raises(Invalid, match="archived"):
        actions.grant(user=cast.mallory, role="looker", on=cast.team, by=admin)
    assert [len(events(f"role.{verb}")) for verb in ("created", "changed", "archived")] == [1, 1, 1]


def test_a_role_of_one_team_is_none_in_another(cast, admin):
    other = actions.create_team(name="other", by=admin)
    actions.create_role(team=cast.team, slug="looker", permissions=["asset.view"], by=admin)
    with pytest.raises(Invalid):
        actions.grant(user=cast.mallory, role="looker", on=other, by=admin)


# Named groups.


def test_a_group_holds_people_of_its_team(cast, admin):
    group = actions.create_group(team=cast.team, slug="legal", title="Legal", by=admin)
    assert actions.add_member(group=group, user=cast.carol, by=admin)
    assert not actions.add_member(group=group, user=cast.carol, by=admin)
    assert groups_of(cast.carol.pk, cast.team.pk) == {"legal"}
    with pytest.raises(Invalid, match="no role"):
        actions.add_member(group=group, user=cast.mallory, by=admin)
    with pytest.raises(Forbidden):
        actions.add_member(group=group, user=cast.bob, by=Actor(cast.alice))
    cast.carol.is_active = False
    cast.carol.save()
    assert groups_of(cast.carol.pk, cast.team.pk) == set()
    actions.remove_member(group=group, user=cast.carol, by=admin)
    actions.delete_group(group=group, by=admin)
    told = [events(f"group.{verb}") for verb in ("created", "member_added", "member_removed", "deleted")]
    assert [len(some) for some in told] == [1, 1, 1, 1]


# Who can, and what can.


def test_who_can_says_why(cast, api, admin, asset):
    asset("date-normaliser")
    actions.grant(
        user=cast.mallory, role="reviewer", on=cast.team, prefix="date-", stage="staging", by=admin, reason="Helps."
    )
    url = "/api/v1/access/who?permission=request.review&on=acme/date-normaliser"
    found = {one["person"]: one["because"] for one in api(cast.victor).get(url + "&stage=staging").json()["people"]}
    assert set(found) == {"bob@example.com", "mallory@example.com"}
    (why,) = found["mallory@example.com"]
    assert (why["on"], why["stage"], why["reason"], why["granted_by"]) == (
        "acme/date-*", "staging", "Helps.", "admin@example.com",
    )  # fmt: skip
    assert [one["person"] for one in api(cast.victor).get(url).json()["people"]] == ["bob@example.com"]
    assert api(cast.mallory).get(url).status_code == 404
    assert api(cast.victor).get("/api/v1/access/who?permission=fly&on=acme").json()["errors"]["permission"]


@pytest.mark.parametrize("permission", list(Permission))
@pytest.mark.parametrize("stage", ["", "staging", "production"])
def test_who_can_agrees_with_can(cast, admin, asset, permission, stage):
    from accounts import who

    model = asset("date-a")
    actions.grant(user=cast.mallory, role="contributor", on=cast.team, prefix="date-", stage="staging", by=admin)
    actions.grant(user=cast.victor, role="deployer", on=model, by=admin)
    named = {able.user.pk for able in who.who_can(permission, who.Place(cast.team, model, "model"), stage)}
    people = [cast.alice, cast.bob, cast.dana, cast.carol, cast.victor, cast.mallory, cast.admin]
    assert named == {user.pk for user in people if can(Actor(user), permission, model, stage=stage)}


def test_what_a_person_and_a_key_can(cast, api, client_of):
    answer = api(cast.victor).get("/api/v1/access/what?person=alice@example.com").json()
    assert [(one["on"], one["role"]) for one in answer["grants"]] == [("acme", "contributor")]
    mine = api(cast.alice, scopes=["read"]).get("/api/v1/access/what").json()
    assert "asset.edit" in mine["grants"][0]["left_out_by_scopes"] and "asset.view" in mine["grants"][0]["permissions"]
    assert api(cast.mallory).get("/api/v1/access/what?person=alice@example.com").status_code == 404
    assert client_of(cast.mallory).get("/access/what?person=alice@example.com").status_code == 404
    page = client_of(cast.victor).get("/access/what?person=alice@example.com").content.decode()
    assert "contributor" in page


def test_pages_of_roles_groups_and_who(cast, client_of, admin):
    actions.create_role(team=cast.team, slug="looker", permissions=["asset.view"], by=admin)
    actions.create_group(team=cast.team, slug="legal", title="Legal", by=admin)
    for path in ("roles/", "groups/"):
        page = client_of(cast.victor).get(f"/settings/team/acme/{path}")
        assert page.status_code == 200 and "?new" not in page.content.decode()
        assert "?new" in client_of(cast.admin).get(f"/settings/team/acme/{path}").content.decode()
        assert client_of(cast.mallory).get(f"/settings/team/acme/{path}").status_code == 404
    boss = client_of(cast.admin)
    body = {
        "person": "mallory@example.com",
        "role": "viewer",
        "on": "date-*",
        "stage": "staging",
        "ends": "7",
        "kind": "",
    }
    assert boss.post("/settings/team/acme/members", body).status_code == 302
    row = Grant.objects.get(user=cast.mallory)
    assert (row.prefix, row.stage, row.expires_at is not None) == ("date-", "staging", True)
    assert "acme/date-*" in boss.get("/settings/team/?team=acme").content.decode()
    assert boss.post(f"/settings/team/acme/grants/{row.pk}/revoke").status_code == 302
    assert not Grant.objects.filter(pk=row.pk).exists()


def test_the_grants_of_a_key_of_one_team_end_there(cast, admin):
    other = actions.create_team(name="other", by=admin)
    actions.grant(user=cast.victor, role="viewer", on=other, by=admin)
    key, _ = actions.create_key(name="k", team=cast.team, by=Actor(cast.victor))
    assert {one.team_id for one in held.holdings_of(cast.victor, key).everything()} == {cast.team.pk}
    rows = Team.objects.filter(visible(Actor(cast.victor, key=key), P.TEAM_VIEW, Team, team_field="pk", own=False))
    assert [team.name for team in rows] == ["acme"] and KeyAddress.objects.count() == 0
