"""Requests through every door of the site: pages and REST, from asking to the moved alias and label."""

import io
import json
from types import SimpleNamespace

import pytest

import prompts.actions
import registry.actions
from accounts.access import Actor
from accounts.roles import Role
from governance import actions as governance
from governance.ledger.models import AuditEvent
from governance.models import ApprovalRequest
from registry.models import AliasMove

pytestmark = pytest.mark.django_db
CARD = b"---\nlicense: mit\n---\n## Intended use\nx\n## Limits\nx\n## Training data\nx\n"


def weights(size):
    header = json.dumps({"w": {"dtype": "F32", "shape": [size], "data_offsets": [0, 4 * size]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4 * size)


@pytest.fixture
def story(cast, settings, tmp_path):
    """Two registered versions of acme/dates by Alice, a policy, and passing evidence for the second."""
    settings.STORAGE = tmp_path / "storage"
    by = Actor(cast.alice)
    asset = registry.actions.create_asset(team=cast.team, kind="model", name="dates", task="text-generation", by=by)
    versions = []
    for size in (2, 3):
        version = registry.actions.create_version(asset=asset, message=f"{size} weights", by=by)
        for path, content in (
            ("config.json", b'{"model_type": "llama"}'),
            ("model.safetensors", weights(size)),
            ("tokenizer.json", b"{}"),
            ("README.md", CARD),
        ):
            registry.actions.add_file(version=version, path=path, stream=io.BytesIO(content), by=by)
        versions.append(registry.actions.register_version(version=version, by=by))
    governance.create_policy(
        team=cast.team, kind="model", pattern="*", stage="production",
        checks=[{"type": "metric", "metric": "exact_match", "bound": "lower", "minimum": 0.9}, {"type": "card"}],
        reviews={"count": 1, "role": "reviewer"}, by=Actor(cast.admin),
    )  # fmt: skip
    for version, lower in zip(versions, (0.4, 0.95), strict=True):
        governance.deposit_evidence(
            team=cast.team, kind="evaluation", subject_digest=version.digest, label=f"Evaluation of {version}", by=by,
            payload={"metrics": {"exact_match": {"value": lower + 0.02, "lower": lower, "upper": lower + 0.03, "n": 250}}, "dataset": {"label": "acme/d"}},
        )  # fmt: skip
    return SimpleNamespace(asset=asset, v1=versions[0], v2=versions[1], cast=cast)


def ask(client, version, **fields):
    body = {
        "kind": "model",
        "asset": "acme/dates",
        "version": version,
        "alias": "production",
        "reason": "why not",
        **fields,
    }
    return client.post("/api/v1/requests", body)


def test_the_last_review_moves_the_alias_in_the_same_transaction(story, api):
    asked = ask(api(story.cast.alice), 2)
    assert asked.status_code == 201
    assert [line["state"] for line in asked.json()["policy"]] == ["passed", "passed", "waiting"]
    done = api(story.cast.bob).post(
        f"/api/v1/requests/{asked.json()['id']}/reviews", {"verdict": "approve", "comment": "ok"}
    )
    assert done.status_code == 201
    assert done.json()["state"] == "applied"
    assert story.asset.aliases.get(name="production").version == story.v2
    move = AliasMove.objects.get()
    assert (move.request_id, move.moved_by) == (asked.json()["id"], story.cast.bob)
    together = AuditEvent.objects.filter(
        action__in=["request.reviewed", "request.approved", "alias.moved", "request.applied"]
    )
    assert together.count() == 4
    assert len(set(together.values_list("xid", flat=True))) == 1


def test_when_the_alias_cannot_move_the_review_is_not_kept_either(story, api, monkeypatch):
    asked = ask(api(story.cast.alice), 2).json()

    def broken(**_):
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(registry.actions, "apply_request", broken)
    with pytest.raises(RuntimeError):
        api(story.cast.bob).post(f"/api/v1/requests/{asked['id']}/reviews", {"verdict": "approve"})
    request = ApprovalRequest.objects.get()
    assert request.state == "open"
    assert not request.reviews.exists()
    assert not AuditEvent.objects.filter(action="request.reviewed").exists()


def test_a_version_that_fails_a_check_is_shown_and_cannot_be_approved(story, api, client_of):
    asked = ask(api(story.cast.alice), 1).json()
    assert asked["policy"][0]["state"] == "failed"
    refused = api(story.cast.bob).post(f"/api/v1/requests/{asked['id']}/reviews", {"verdict": "approve"})
    assert refused.status_code == 409
    assert "0.4" in refused.json()["errors"]["verdict"][0]
    page = client_of(story.cast.bob).get(f"/requests/{asked['id']}")
    assert "Nobody can approve this" in page.content.decode()
    pressed = client_of(story.cast.bob).post(f"/requests/{asked['id']}/review", {"verdict": "approve"})
    assert pressed.status_code == 409
    assert not story.asset.aliases.exists()


def test_bob_finds_it_in_his_inbox_and_decides_on_one_page(story, client_of):
    alice, bob = client_of(story.cast.alice), client_of(story.cast.bob)
    made = alice.post(
        "/requests/new",
        {"kind": "model", "asset": "acme/dates", "version": 2, "alias": "production", "reason": "better"},
    )
    assert made.status_code == 302
    assert "acme/dates" in bob.get("/requests/").content.decode()
    assert "Nothing waits for you" in alice.get("/requests/").content.decode()
    page = bob.get(made["Location"]).content.decode()
    for text in ("exact match", "Card complete", "model.safetensors", "better", "Your decision"):
        assert text in page
    assert "Your decision" not in alice.get(made["Location"]).content.decode()
    done = bob.post(made["Location"] + "/review", {"verdict": "approve", "comment": "Good."}, follow=True)
    assert "points at version 2 now" in done.content.decode()


@pytest.mark.parametrize(
    ("name", "status"), [("mallory", 404), ("victor", 403), ("carol", 403), ("dana", 403), ("bob", 403), ("alice", 201)]
)
def test_who_may_ask(story, api, name, status):
    assert ask(api(getattr(story.cast, name)), 2).status_code == status


@pytest.mark.parametrize(
    ("name", "status"),
    [("mallory", 404), ("victor", 403), ("carol", 403), ("dana", 403), ("alice", 403), ("admin", 403), ("bob", 201)],
)
def test_who_may_approve(story, api, name, status):
    asked = ask(api(story.cast.alice), 2).json()
    answer = api(getattr(story.cast, name)).post(f"/api/v1/requests/{asked['id']}/reviews", {"verdict": "approve"})
    assert answer.status_code == status


def test_a_reviewer_of_one_asset_reviews_that_one(story, api):
    from accounts.actions import grant_role

    grant_role(user=story.cast.mallory, role=Role.REVIEWER, on=story.asset, by=Actor(story.cast.admin))
    asked = ask(api(story.cast.alice), 2).json()
    mallory = api(story.cast.mallory)
    assert mallory.get("/api/v1/models/acme/dates").status_code == 200
    assert [row["id"] for row in mallory.get("/api/v1/requests?inbox=1").json()["results"]] == [asked["id"]]
    answer = mallory.post(f"/api/v1/requests/{asked['id']}/reviews", {"verdict": "approve"})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"version": 9}, None),
        ({"version": "x"}, "version"),
        ({"kind": "cat"}, "kind"),
        ({"alias": "challenger"}, "alias"),
        ({"asset": "acme/none"}, None),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(story, api, change, field):
    answer = ask(api(story.cast.alice), **{"version": 2, **change})
    assert answer.status_code in (400, 404)
    if field:
        assert field in answer.json()["errors"]
    assert not ApprovalRequest.objects.exists()


def test_a_prompts_label_takes_the_same_way(story, api):
    by = Actor(story.cast.alice)
    prompt = prompts.actions.create_prompt(team=story.cast.team, name="hello", by=by)
    prompts.actions.create_version(prompt=prompt, type="text", template="Hello {{ name }}", by=by)
    moved = api(story.cast.alice).put("/api/v1/prompts/acme/hello/labels/production", {"version": 1})
    assert moved.status_code == 403
    asked = moved.json()["link"]
    assert asked == f"/requests/{ApprovalRequest.objects.get().pk}"
    done = api(story.cast.bob).post(f"/api/v1{asked}/reviews", {"verdict": "approve"})
    assert done.json()["state"] == "applied"
    assert api(story.cast.alice).get("/api/v1/prompts/acme/hello/labels/production").json()["number"] == 1


def test_the_author_of_the_version_is_not_asked_in_the_inbox(story, api, client_of):
    from accounts.actions import grant_role

    grant_role(user=story.cast.alice, role=Role.REVIEWER, on=story.cast.team, by=Actor(story.cast.admin))
    grant_role(user=story.cast.bob, role=Role.CONTRIBUTOR, on=story.cast.team, by=Actor(story.cast.admin))
    ask(api(story.cast.bob), 2)
    assert api(story.cast.alice).get("/api/v1/requests?inbox=1").json()["results"] == []
    assert len(api(story.cast.alice).get("/api/v1/requests").json()["results"]) == 1


def test_inbox_and_request_page_cost_the_same_with_many_requests(story, client_of, django_assert_max_num_queries):
    for number in range(60):
        ApprovalRequest.objects.create(
            team=story.cast.team, kind="model", asset_id=story.asset.pk, asset_label="acme/dates", version_id=story.v2.pk, version_number=2,
            digest=f"sha256:{number:064x}", slot="production", stage="production", requested_by=story.cast.alice,
        )  # fmt: skip
    bob = client_of(story.cast.bob)
    bob.get("/requests/")
    with django_assert_max_num_queries(14):
        bob.get("/requests/")
