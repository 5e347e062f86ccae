"""Home, search and the frame around every page."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

import prompts.actions
import registry.actions
from accounts.access import Actor
from accounts.actions import create_first_administrator
from accounts.models import Team
from governance.models import ApprovalRequest
from tracking.actions import create_run, update_run

pytestmark = pytest.mark.django_db


def ask(cast, by, authors=(), digest="sha256:1", **fields):
    return ApprovalRequest.objects.create(
        team=fields.pop("team", cast.team), kind="model", asset_id=1, asset_label="acme/dates", version_id=1,
        version_number=2, digest=digest, slot="production", stage="production", requested_by=by,
        author_ids=[user.pk for user in authors], waits_for=["role:reviewer"], **fields,
    )  # fmt: skip


def test_a_stranger_is_sent_to_sign_in(client):
    for path in ("/", "/search?q=a", "/settings/", "/settings/team/"):
        answer = client.get(path)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/?next=")


def test_somebody_without_a_team_learns_what_to_do(cast, client_of):
    page = client_of(cast.mallory).get("/").content.decode()
    assert "You are in no team yet" in page
    assert "mallory@example.com" in page
    assert 'href="/models/"' not in page


def test_a_fresh_administrator_is_offered_a_first_team(db, client_of):
    admin = create_first_administrator(email="admin@example.com", password="a-long-first-password")
    page = client_of(admin).get("/").content.decode()
    assert "/settings/teams/new" in page
    assert "/settings/people/new" in page


def test_home_shows_what_waits_runs_and_changed(cast, client_of):
    alice = Actor(cast.alice)
    registry.actions.create_asset(team=cast.team, kind="model", name="dates", task="text-generation", by=alice)
    prompts.actions.create_prompt(team=cast.team, name="reply", by=alice)
    run = create_run(team=cast.team, name="night training", total_steps=100, by=alice)
    update_run(run=run, state="running", step=25, by=alice)
    ask(cast, cast.alice)
    page = client_of(cast.bob).get("/").content.decode()
    for text in ("Waiting for your review", "night training", "25 of 100", "dates</a> by Alice", "reply</a> by Alice"):
        assert text in page
    assert "hx-trigger" in page
    update_run(run=run, state="succeeded", step=100, by=alice)
    part = client_of(cast.bob).get("/?part=running").content.decode()
    assert "hx-trigger" not in part
    assert "<html" not in part


def test_recent_activity_is_for_those_who_read_the_ledger(cast, client_of):
    assert "Recent activity" in client_of(cast.carol).get("/").content.decode()
    assert "Recent activity" not in client_of(cast.alice).get("/").content.decode()


def test_sections_follow_permissions(cast, client_of):
    assert 'href="/ledger/"' in client_of(cast.carol).get("/search").content.decode()
    assert 'href="/ledger/"' not in client_of(cast.victor).get("/search").content.decode()


def inbox(client):
    page = client.get("/search").content.decode()
    return int(page.split(" waiting for you")[0].rsplit('"', 1)[1]) if "waiting for you" in page else 0


def test_the_inbox_counts_what_waits_for_me(cast, client_of):
    bob = client_of(cast.bob)
    ask(cast, cast.alice)
    ask(cast, cast.bob, digest="sha256:2")  # asked by himself
    ask(cast, cast.alice, authors=[cast.bob], digest="sha256:3")  # his own version
    decided = ask(cast, cast.alice, digest="sha256:4")
    decided.reviews.create(reviewer=cast.bob, verdict="approve", digest="sha256:4")
    discussed = ask(cast, cast.alice, digest="sha256:5")
    discussed.reviews.create(reviewer=cast.bob, verdict="comment", digest="sha256:5")
    other = Team.objects.create(name="other")
    ask(cast, cast.alice, digest="sha256:6", team=other)
    assert inbox(bob) == 2
    assert inbox(client_of(cast.alice)) == 0


def test_the_frame_costs_few_queries(cast, client_of, django_assert_max_num_queries):
    client = client_of(cast.bob)
    client.get("/search")
    for number in range(20):
        ask(cast, cast.alice, digest=f"sha256:{number}")
        Team.objects.create(name=f"team-{number}")
    with django_assert_max_num_queries(7):  # session, person, and five of the frame
        client.get("/search")


def test_home_costs_the_same_with_much(cast, client_of):
    client = client_of(cast.carol)
    alice = Actor(cast.alice)

    def fill(numbers):
        for number in numbers:
            registry.actions.create_asset(
                team=cast.team, kind="model", name=f"m{number}", task="text-generation", by=alice
            )
            update_run(run=create_run(team=cast.team, name=f"r{number}", by=alice), state="running", by=alice)
            ask(cast, cast.alice, digest=f"sha256:{number}")

    fill(range(1))
    client.get("/")
    with CaptureQueriesContext(connection) as few:
        client.get("/")
    fill(range(1, 15))
    with CaptureQueriesContext(connection) as many:
        client.get("/")
    assert len(many) == len(few)


def test_switching_the_team_is_remembered(cast, client_of):
    from accounts.actions import grant_role
    from accounts.roles import Role

    other = Team.objects.create(name="beta", title="Beta Labs")
    grant_role(user=cast.alice, role=Role.VIEWER, on=other, by=Actor(cast.admin))
    client = client_of(cast.alice)
    assert "<h1>Acme</h1>" in client.get("/").content.decode()
    assert "<h1>Beta Labs</h1>" in client.get("/?team=beta").content.decode()
    assert "<h1>Beta Labs</h1>" in client.get("/").content.decode()
    assert "<h1>Beta Labs</h1>" in client.get("/?team=nowhere").content.decode()


def test_search_finds_only_what_one_may_see(cast, client_of):
    alice = Actor(cast.alice)
    registry.actions.create_asset(team=cast.team, kind="model", name="dates", task="text-generation", by=alice)
    registry.actions.create_asset(team=cast.team, kind="dataset", name="dates", by=alice)
    prompts.actions.create_prompt(team=cast.team, name="update", by=alice)
    ask(cast, cast.alice)

    def titles(user, text):
        answer = client_of(user).get("/search", {"q": text}, headers={"accept": "application/json"})
        return {group["title"]: [hit["title"] for hit in group["items"]] for group in answer.json()["groups"]}

    assert titles(cast.victor, "date") == {
        "Models": ["acme/dates"], "Datasets": ["acme/dates"], "Prompts": ["acme/update"],
        "Requests": ["acme/dates version 2 to production"],
    }  # fmt: skip
    assert titles(cast.victor, "acme/upd") == {"Prompts": ["acme/update"]}
    assert titles(cast.victor, "acm") == {"Teams": ["Acme"], "Requests": ["acme/dates version 2 to production"]}
    assert titles(cast.mallory, "date") == {}
    assert titles(cast.victor, "") == {}


def test_search_finds_versions_by_digest_and_works_as_a_page(cast, client_of):
    from registry.models import Version

    asset = registry.actions.create_asset(
        team=cast.team, kind="model", name="dates", task="text-generation", by=Actor(cast.alice)
    )
    version = registry.actions.create_version(asset=asset, by=Actor(cast.alice))
    Version.objects.filter(pk=version.pk).update(
        state="registered", digest="sha256:" + "c0ffee00" * 8, registered_at=version.created_at
    )
    page = client_of(cast.victor).get("/search", {"q": "c0ffee00"}).content.decode()
    assert "acme/dates version 1" in page
    assert "Nothing found" in client_of(cast.mallory).get("/search", {"q": "c0ffee00"}).content.decode()


def test_search_finds_versions_by_number_and_what_was_mistyped(cast, client_of, django_capture_on_commit_callbacks):
    by = Actor(cast.alice)
    with django_capture_on_commit_callbacks(execute=True):
        asset = registry.actions.create_asset(
            team=cast.team, kind="model", name="normaliser", task="text-generation", by=by
        )
    for _ in range(2):
        registry.actions.create_version(asset=asset, by=by)

    def titles(text):
        answer = client_of(cast.victor).get("/search", {"q": text}, headers={"accept": "application/json"})
        return {group["title"]: [hit["title"] for hit in group["items"]] for group in answer.json()["groups"]}

    assert titles("normaliser v2") == {"Versions": ["acme/normaliser version 2"]}
    assert titles("acme/normaliser@v1") == {"Versions": ["acme/normaliser version 1"]}
    assert titles("v2") == {"Versions": ["acme/normaliser version 2"]}
    assert titles("nromaliser") == {"Models": ["acme/normaliser"]}


def test_a_gated_model_of_another_team_can_be_found_where_the_site_may_know_of_it(cast, client_of):
    registry.actions.create_asset(
        team=cast.team,
        kind="model",
        name="weights",
        task="text-generation",
        gated=True,
        visibility="site",
        by=Actor(cast.admin),
    )
    answer = client_of(cast.mallory).get("/search", {"q": "weig"}, headers={"accept": "application/json"})
    assert [group["title"] for group in answer.json()["groups"]] == ["Files to ask for"]
    page = client_of(cast.mallory).get("/models/acme/weights", follow=True)
    assert page.status_code == 200
    assert "Ask for access" in page.text
    assert client_of(cast.mallory).get("/models/acme/weights/files").status_code == 404


@pytest.mark.parametrize("text", ["%", "_", "'; --", "\\", "ä" * 400, "a/b/c", "/"])
def test_search_takes_any_text(cast, client_of, text):
    assert client_of(cast.alice).get("/search", {"q": text}).status_code == 200


def test_errors_are_pages_of_ours(cast, client_of, client):
    missing = client_of(cast.alice).get("/models/acme/nothing-here")
    assert missing.status_code == 404
    assert "problem-page" in missing.content.decode()
    nowhere = client.get("/nowhere")
    assert nowhere.status_code == 404
    assert "Sign in" in nowhere.content.decode()


def test_every_page_has_the_policy_against_foreign_script(client):
    answer = client.get("/accounts/login/")
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert "unsafe-eval" not in answer["Content-Security-Policy"]


def test_the_api_page_needs_no_account(client):
    assert client.get("/api/docs").status_code == 200
    document = client.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    operations = [
        operation
        for path in document["paths"].values()
        for method, operation in path.items()
        if method in ("get", "post", "put", "patch", "delete")
    ]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    names = {tag["name"] for tag in document["tags"]}
    for operation in operations:
        assert set(operation["tags"]) <= names
        assert operation["responses"]["401"]["content"]["application/problem+json"]


def test_a_refused_page_says_what_the_permission_is_for(cast, client_of):
    page = client_of(cast.dana).get("/requests/glass")
    assert page.status_code == 403
    assert "glass.break</code>: Break the glass" in page.content.decode()
