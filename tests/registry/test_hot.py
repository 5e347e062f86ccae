"""The quick door: one statement, and never an answer that the ordinary door would not give."""

import json
from datetime import timedelta

import pytest
from django.test import RequestFactory
from django.utils import timezone

from accounts.access import Actor, can
from accounts.actions import create_role, grant, grant_role, revoke_key
from accounts.models import ApiKey, Grant, KeyAddress, Team
from accounts.roles import Permission, Role
from registry import actions, hot

ALIAS = "/api/v1/models/acme/dates/aliases/candidate"
NUMBER = "/api/v1/models/acme/dates/versions/1"


@pytest.fixture
def world(make_asset, make_version, cast, actor):
    asset = make_asset()
    version = make_version(asset)
    actions.move_alias(asset=asset, name="candidate", version=version, by=actor(cast.alice))
    return asset


def ask(client, path=ALIAS, method="get", **headers):
    ApiKey.objects.update(last_used_at=timezone.now())
    given = {"authorization": f"Bearer {client.key}", **headers}
    return hot.answer(
        getattr(RequestFactory(), method)(path, headers={k: v for k, v in given.items() if v is not None})
    )


@pytest.mark.parametrize("path", [ALIAS, NUMBER])
def test_it_answers_with_one_statement_and_the_same_bytes_as_the_rest_view(
    path, world, cast, api, django_assert_num_queries
):
    client = api(cast.victor)
    ask(client, path)
    ApiKey.objects.update(last_used_at=None)  # sends it the ordinary way
    slow = client.get(path)
    quick = ask(client, path)
    assert quick.status_code == 200 and quick.content == slow.content and quick["ETag"] == slow["ETag"]
    request = RequestFactory().get(path, headers={"authorization": f"Bearer {client.key}"})
    with django_assert_num_queries(0):  # none through the ORM; its one statement goes past Django's cursor
        assert hot.answer(request).status_code == 200
    assert json.loads(quick.content)["number"] == 1


def test_an_etag_that_is_known_answers_304(world, cast, api):
    client = api(cast.victor)
    etag = ask(client)["ETag"]
    assert ask(client, **{"if-none-match": f'"x", {etag}'}).status_code == 304
    assert ask(client, **{"if-none-match": '"x"'}).status_code == 200


def test_everything_else_is_left_to_the_ordinary_door(world, cast, api, actor):
    client = api(cast.victor)
    for path in (f"{ALIAS}/history", "/api/v1/models/acme/dates", f"{NUMBER}/files", "/models/acme/dates", f"{BAD}"):
        assert ask(client, path) is None
    assert ask(client, "/api/v1/models/acme/dates/aliases/none") is None
    assert ask(client, "/api/v1/models/acme/dates/versions/9") is None
    assert ask(client, "/api/v1/datasets/acme/dates/versions/1") is None
    assert ask(client, method="post") is None
    assert ask(client, authorization=None) is None
    for wrong in ("Bearer x", "Bearer cs_a_b", f"Bearer {client.key}x", "Basic x", f"Bearer {client.key[:-1]}"):
        assert ask(client, authorization=wrong) is None


BAD = "/api/v1/models/acme/dates/versions/0"


def test_only_those_who_may_see_it(world, cast, api, actor):
    assert ask(api(cast.mallory)) is None
    assert ask(api(cast.victor, scopes=["invoke"])) is None
    assert ask(api(cast.victor, scopes=["read"])).status_code == 200
    assert ask(api(cast.victor, team=cast.team)).status_code == 200
    other = Team.objects.create(name="other")
    grant_role(user=cast.victor, role=Role.VIEWER, on=other, by=actor(cast.admin))
    assert ask(api(cast.victor, team=other)) is None
    assert ask(api(cast.admin)).status_code == 200
    grant_role(user=cast.mallory, role=Role.VIEWER, on=world, by=actor(cast.admin))
    assert ask(api(cast.mallory)).status_code == 200
    cast.victor.is_active = False
    client = api(cast.victor)
    cast.victor.save()
    assert ask(client) is None


def test_a_key_that_ended_or_was_not_used_for_a_while_goes_the_ordinary_way(world, cast, api):
    client = api(cast.victor)
    assert ask(client).status_code == 200
    ApiKey.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    assert hot.answer(RequestFactory().get(ALIAS, headers={"authorization": f"Bearer {client.key}"})) is None
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    assert ask(client) is None
    ApiKey.objects.update(expires_at=None)
    assert ask(client).status_code == 200
    revoke_key(key=ApiKey.objects.get(user=cast.victor), by=Actor(cast.victor))
    assert ask(client) is None


@pytest.mark.parametrize(
    "narrowed", ["team", "prefix", "other prefix", "asset", "stage", "custom", "custom blind", "expired"]
)
def test_the_quick_door_decides_as_the_site_does(cast, make_asset, make_version, api, narrowed):
    admin, model = Actor(cast.admin), make_asset("dates")
    actions.move_alias(asset=model, name="candidate", version=make_version(model), by=Actor(cast.alice))
    fields = {"prefix": {"prefix": "dat"}, "other prefix": {"prefix": "x"}, "stage": {"stage": "staging"}}.get(
        narrowed, {}
    )
    role = "viewer"
    if narrowed.startswith("custom"):
        permissions = ["asset.view"] if narrowed == "custom" else ["deployment.view"]
        role = create_role(team=cast.team, slug="own", permissions=permissions, by=admin).slug
    row, _ = grant(user=cast.mallory, role=role, on=model if narrowed == "asset" else cast.team, by=admin, **fields)
    if narrowed == "expired":
        Grant.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(hours=1))
    client = api(cast.mallory)
    quick = ask(client)
    allowed = can(Actor(cast.mallory), Permission.ASSET_VIEW, model)
    assert (quick is not None) == allowed == (narrowed not in ("other prefix", "custom blind", "expired"))
    assert client.get(ALIAS).status_code == (200 if allowed else 404)


def test_a_key_outside_of_its_networks_or_from_a_new_address_goes_the_ordinary_way(world, cast, api):
    client = api(cast.victor, networks=["192.0.2.0/24"])
    assert ask(client) is None and client.get(ALIAS).status_code == 403
    ApiKey.objects.update(networks=["127.0.0.0/8"])
    assert ask(client).status_code == 200
    KeyAddress.objects.all().delete()
    assert ask(client) is None and client.get(ALIAS).status_code == 200
    assert ask(client).status_code == 200
