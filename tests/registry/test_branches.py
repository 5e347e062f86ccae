"""Branches over REST and on the pages."""

import pytest

from accounts.access import Actor
from registry import actions
from registry.models import Version

pytestmark = pytest.mark.django_db


@pytest.fixture
def model(cast):
    """fraud with versions 1 and 2 on main."""
    by = Actor(cast.alice)
    asset = actions.create_tagged(team=cast.team, kind="model", name="fraud", tags={}, by=by)
    for number in (1, 2):
        actions.register_elsewhere(asset=asset, source=f"s3://b/{number}", tags={}, facts={}, by=by)
    return asset


BRANCHES = "/api/v1/models/acme/fraud/branches"


def on_branch(asset, number, branch):
    """A version that was committed to a branch: only the Hub's door commits, and it needs files."""
    version = asset.versions.get(number=1)
    version.pk, version.number, version.branch, version.commit = None, number, branch, f"{number:040x}"
    version.save(force_insert=True)


def test_main_is_always_there_and_others_begin_at_a_version(cast, api, model):
    alice = api(cast.alice)
    made = alice.post(BRANCHES, {"name": "trial", "start": "1"}, format="json")
    assert made.status_code == 201 and made["Location"] == f"{BRANCHES}/trial"
    assert (made.json()["version"], made.json()["created_by"]) == (1, "alice@example.com")
    assert alice.post(BRANCHES, {"name": "again"}, format="json").json()["version"] == 2
    found = alice.get(BRANCHES).json()["results"]
    assert [(row["name"], row["version"]) for row in found] == [("main", 2), ("again", 2), ("trial", 1)]
    first = alice.get(BRANCHES, {"limit": 1}).json()
    rest = alice.get(BRANCHES, {"cursor": first["next"]}).json()["results"]
    assert [row["name"] for row in (*first["results"], *rest)] == ["main", "again", "trial"]


def test_a_branch_stands_at_what_was_committed_to_it(cast, api, model):
    actions.create_branch(asset=model, name="trial", start=Version.objects.get(number=1), by=Actor(cast.alice))
    on_branch(model, 3, "trial")
    alice = api(cast.alice)
    assert alice.get(f"{BRANCHES}/trial").json()["version"] == 3
    assert [row["version"] for row in alice.get(BRANCHES).json()["results"]] == [2, 3]
    versions = alice.get("/api/v1/models/acme/fraud/versions", {"branch": "trial"}).json()["results"]
    assert [(row["number"], row["branch"]) for row in versions] == [(3, "trial")]


def test_a_branch_goes_and_its_versions_stay(cast, api, model):
    actions.create_branch(asset=model, name="trial", start=None, by=Actor(cast.alice))
    alice = api(cast.alice)
    assert alice.delete(f"{BRANCHES}/trial").status_code == 204
    assert alice.get(f"{BRANCHES}/trial").status_code == 404
    assert alice.delete(f"{BRANCHES}/main").status_code == 409
    assert Version.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"name": "production"}, 400, "branch"),
        ({"name": "A B"}, 400, "branch"),
        ({"name": "x", "start": "nowhere"}, 400, "start"),
        ({}, 400, "name"),
    ],
)
def test_a_wrong_branch_names_the_field(cast, api, model, body, status, field):
    answer = api(cast.alice).post(BRANCHES, body, format="json")
    assert answer.status_code == status and field in answer.json()["errors"]


def test_the_list_costs_the_same_however_many_branches(cast, api, model, django_assert_max_num_queries):
    alice = api(cast.alice)
    for number in range(3):
        actions.create_branch(asset=model, name=f"b{number}", start=None, by=Actor(cast.alice))
    with django_assert_max_num_queries(8):
        assert len(alice.get(BRANCHES).json()["results"]) == 4


def test_pages_offer_branches_only_where_there_is_more_than_main(cast, client_of, model):
    alice = client_of(cast.alice)
    assert b'id="branch"' not in alice.get("/models/acme/fraud").content
    actions.create_branch(asset=model, name="trial", start=None, by=Actor(cast.alice))
    on_branch(model, 3, "trial")
    page = alice.get("/models/acme/fraud").content.decode()
    assert 'id="branch"' in page and "Version 3" in page and "?branch=trial" in page
    only = alice.get("/models/acme/fraud?branch=trial").content.decode()
    assert "Version 3" in only and "Version 2" not in only
    assert alice.get("/models/acme/fraud?branch=nothing").status_code == 404
    assert "?branch=trial" in alice.get("/models/acme/fraud/versions/3").content.decode()
