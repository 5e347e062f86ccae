"""A version made in one statement is the version that the ordinary way makes; whatever is not in order goes the ordinary way."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.access import Actor
from governance.ledger.models import AuditEvent
from governance.sentences import verb_of
from registry import actions
from registry.actions.versions import commit_of
from registry.models import Asset, Version

pytestmark = pytest.mark.django_db(transaction=True)
CREATE = "/api/2.0/mlflow/model-versions/create"
BODY = {
    "name": "fraud", "source": "s3://bucket/a", "description": " what it is ", "run_id": "5" * 32,
    "tags": [{"key": "by", "value": "bench"}, {"key": "a", "value": ""}],
}  # fmt: skip


@pytest.fixture
def model(cast):
    return actions.create_tagged(team=cast.team, kind="model", name="fraud", tags={}, by=Actor(cast.alice))


@pytest.fixture
def alice(cast, api):
    client = api(cast.alice, team=cast.team)
    client.get("/api/2.0/mlflow/registered-models/get", {"name": "nothing"})  # from now on the key is no news
    return client


def post(client, body, **headers):
    with CaptureQueriesContext(connection) as queries:
        answer = client.post(CREATE, body, format="json", **headers)
    return answer, len(queries)


def row(version):
    own = {"id", "number", "commit", "created_at", "updated_at", "registered_at"}
    return {
        field.attname: getattr(version, field.attname)
        for field in Version._meta.concrete_fields
        if field.name not in own
    }


def told(version):
    event = AuditEvent.objects.select_related("text").get(target_kind="version", target_id=str(version.pk))
    facts = {name: getattr(event, name) for name in ("team", "actor_id", "via", "key_id", "action", "target_digest")}
    text = event.text
    texts = {name: getattr(text, name) for name in ("actor_name", "actor_email", "address", "before", "reason")}
    label = text.target_label.replace(str(version.number), "N")
    after = {**text.after, "number": text.after["number"] - version.number}
    subjects = [subject.replace(f"version:{version.pk}", "version") for subject in event.subjects]
    return facts | texts | {"label": label, "after": after, "subjects": subjects, "salted": not text.erased}


def test_both_ways_make_the_same_version_tags_event_and_answer(cast, model, alice):
    ordinary, many = post(alice, BODY, HTTP_X_MLFLOW_WORKSPACE=cast.team.name)
    quick, one = post(alice, BODY)
    assert (ordinary.status_code, quick.status_code) == (200, 200)
    assert many > 5 and one <= 1  # the quick statement goes past Django's cursor
    first, second = Version.objects.order_by("number")
    assert (first.number, second.number) == (1, 2)
    assert row(first) == row(second)
    assert second.commit == commit_of(second) != first.commit == commit_of(first)
    tags = [dict(version.tags.values_list("key", "value")) for version in (first, second)]
    assert tags[0] == tags[1] == {"by": "bench", "a": ""}
    assert told(first) == told(second)
    answers = [answer.json()["model_version"] for answer in (ordinary, quick)]
    for answer, version in zip(answers, (first, second), strict=True):
        assert answer.pop("version") == str(version.number)
        assert abs(answer.pop("creation_timestamp") - version.created_at.timestamp() * 1000) <= 1
        answer.pop("last_updated_timestamp")
    assert answers[0] == answers[1]
    model.refresh_from_db()
    assert (model.last_number, model.updated_by_id) == (2, cast.alice.pk)
    assert "registered" in verb_of("version.registered")


def test_the_database_sees_no_change_behind_the_applications_back(model, alice):
    post(alice, BODY)
    assert not AuditEvent.objects.filter(action="out_of_band.changed").exists()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "nothing"}, 404),
        ({"source": "/etc"}, 400),
        ({"source": "s3://bucket/../x"}, 400),
        ({"source": "runs:/" + "0" * 32 + "/model"}, 400),
        ({"source": ""}, 400),
        ({"source": "s3://" + "x" * 3000}, 400),
        ({"tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]}, 400),
        ({"tags": [{"key": "k\0", "value": ""}]}, 400),
        ({"tags": [{"key": "", "value": ""}]}, 400),
        ({"description": "x" * 30_000}, 400),
    ],
)
def test_what_is_not_in_order_is_refused_as_before(model, alice, change, status):
    answer, _ = post(alice, {**BODY, **change})
    assert answer.status_code == status, answer.content
    assert Version.objects.count() == 0


def test_who_may_not_is_refused(cast, model, api):
    for person, team, status in (
        (cast.victor, cast.team, 403),
        (cast.mallory, None, 400),
        (None, None, 401),
    ):
        client = api(person, **({"team": team} if team else {}))
        for _ in range(2):  # the second time the key is no news
            assert post(client, BODY)[0].status_code == status
    assert Version.objects.count() == 0


def test_a_key_that_ended_or_may_only_read_makes_nothing(cast, model, alice, api):
    from accounts.models import ApiKey

    assert post(alice, BODY)[0].status_code == 200
    ApiKey.objects.update(scopes=["read"])
    assert post(alice, BODY)[0].status_code == 403
    ApiKey.objects.update(scopes=[], networks=["10.0.0.0/8"])
    assert post(alice, BODY)[0].status_code == 403
    ApiKey.objects.update(networks=[], expires_at=timezone.now() - timedelta(minutes=1))
    assert post(alice, BODY)[0].status_code == 401
    assert Version.objects.count() == 1


def test_an_archived_model_takes_no_version(cast, model, alice):
    actions.archive_asset(asset=model, by=Actor(cast.alice))
    assert post(alice, BODY)[0].status_code == 409
    Asset.objects.update(archived_at=None)
    assert post(alice, BODY)[0].status_code == 200


# --- tags, aliases, runs and reports -----------------------------------------------------------------------------------------

API = "/api/2.0/mlflow/"
OWN = {
    "id",
    "uuid",
    "created_at",
    "updated_at",
    "began_at",
    "started_at",
    "heartbeat_at",
    "moved_at",
    "name",
    "run_id",
    "timestamp",
}
RUN = {"experiment_id": "0", "tags": [{"key": "a", "value": 'é"<'}], "user_id": "u", "start_time": 1_700_000_000_123}


def both(client, cast, path, bodies):
    """The answers to the bodies for the ordinary way, then to those for the quick one. Each body is sent once."""
    answers = []
    for body, headers in zip(bodies, ({"HTTP_X_MLFLOW_WORKSPACE": cast.team.name}, {}), strict=True):
        with CaptureQueriesContext(connection) as queries:
            answers.append(client.post(API + path, body, format="json", **headers))
        assert answers[-1].status_code == 200, answers[-1].content
    assert not any("accounts_apikey" in query["sql"] for query in queries), "the last was not quick"
    return answers


def rows(model, *, but=(), **named):
    found = model.objects.filter(**named).order_by("pk")
    return [{name: value for name, value in one.items() if name not in OWN | set(but)} for one in found.values()]


def events(action):
    """What the two events of an action say, but for the things' own numbers."""
    said = []
    for event in AuditEvent.objects.select_related("text").filter(action=action).order_by("pk"):
        text = event.text
        said.append((
            event.team, event.actor_id, event.via, event.key_id, event.target_kind, event.target_digest, bool(event.request_id),
            [subject.split(":")[0] for subject in event.subjects], text.actor_name, text.actor_email, text.address,
            text.target_label, text.before, text.after, text.reason,
        ))  # fmt: skip
    return said


@pytest.fixture
def models(cast, model):
    """Two alike: one for the ordinary way, one for the quick one."""
    twin = actions.create_tagged(team=cast.team, kind="model", name="twin", tags={}, by=Actor(cast.alice))
    for asset in (model, twin):
        for number in range(2):
            actions.register_elsewhere(asset=asset, source=f"s3://b/{number}", tags={}, facts={}, by=Actor(cast.alice))
    return model, twin


def renamed(said):
    return [tuple(str(part).replace("twin", "fraud") for part in one) for one in said]


@pytest.mark.parametrize("of", ["registered-models", "model-versions"])
def test_a_tag_is_set_and_told_alike(cast, models, alice, of):
    from registry.models import AssetSearch, AssetTag, VersionTag

    tags = AssetTag if of == "registered-models" else VersionTag
    for value in (
        "first",
        "x" * 3000,
        "second",
        "second",
    ):  # made, changed, changed from what an event shortens, not changed
        both(
            alice, cast, f"{of}/set-tag",
            [{"name": name, "version": "1", "key": "k", "value": value} for name in ("fraud", "twin")],
        )  # fmt: skip
    assert rows(tags, but=("asset_id", "version_id")) == [{"key": "k", "value": "second"}] * 2
    said = events("asset.tag_set" if of == "registered-models" else "version.tag_set")
    assert len(said) == 6  # nothing is said of what did not change
    assert renamed(said[0::2]) == renamed(said[1::2])
    if tags is AssetTag:
        told_of = [set(one.tags) for one in AssetSearch.objects.order_by("asset_id")]
        assert told_of == [{"k", "k:second"}] * 2
    assert not AuditEvent.objects.filter(action="out_of_band.changed").exists()


def test_an_alias_moves_and_is_told_alike(cast, models, alice):
    from registry.models import Alias, AliasMove

    for version in ("1", "2", "2"):
        both(
            alice, cast, "registered-models/alias",
            [{"name": name, "version": version, "alias": "Champ"} for name in ("fraud", "twin")],
        )  # fmt: skip
    aliases = list(Alias.objects.order_by("asset_id").values_list("name", "version__number", "updated_by"))
    assert aliases == [("champ", 2, cast.alice.pk)] * 2
    moves = [
        list(AliasMove.objects.filter(asset=one).order_by("pk").values_list(
            "name", "before__number", "after__number", "reason", "request_id", "moved_by"))
        for one in models
    ]  # fmt: skip
    assert moves[0] == moves[1] and len(moves[0]) == 2
    said = events("alias.moved")
    assert len(said) == 4 and renamed(said[0::2]) == renamed(said[1::2])
    assert not AuditEvent.objects.filter(action="out_of_band.changed").exists()


def test_what_an_alias_may_not_do_is_refused_as_before(cast, models, alice, api):
    asked = {"name": "twin", "version": "1"}
    post = lambda client, body: client.post(f"{API}registered-models/alias", body, format="json")  # noqa: E731
    for body, status in (
        ({**asked, "alias": "latest"}, 400),
        ({**asked, "alias": "12"}, 400),
        ({**asked, "version": "9", "alias": "a"}, 404),
        ({**asked, "alias": "production"}, 409),  # protected, and there are no bytes here to approve
    ):
        assert post(alice, body).status_code == status, body
    actions.create_branch(asset=models[1], name="work", start=None, by=Actor(cast.alice))
    assert post(alice, {**asked, "alias": "work"}).status_code in (400, 409)
    actions.archive_version(version=Version.objects.get(asset=models[1], number=1), by=Actor(cast.alice))
    assert post(alice, {**asked, "alias": "a"}).status_code == 409
    victor = api(cast.victor, team=cast.team)
    for _ in range(2):
        assert post(victor, {**asked, "version": "2", "alias": "a"}).status_code == 403
        assert (
            victor.post(f"{API}model-versions/set-tag", {**asked, "key": "k", "value": "v"}, format="json").status_code
            == 403
        )
    assert not models[1].aliases.exists()


def test_a_run_begins_and_is_told_alike(cast, alice):
    from tracking.models import Run

    answers = both(alice, cast, "runs/create", [{**RUN, "run_name": "a"}] * 2)
    first, second = (answer.json()["run"] for answer in answers)
    for shown in (first, second):
        uuid = shown["info"].pop("run_id")
        assert shown["info"].pop("run_uuid") == uuid and uuid in shown["info"].pop("artifact_uri")
        assert alice.get(f"{API}runs/get", {"run_id": uuid}).status_code == 200
    assert first == second
    found = rows(Run)
    assert found[0] == found[1]
    said = [tuple(str(part) for part in one) for one in events("run.created")]
    for one, run in zip(said, Run.objects.order_by("pk"), strict=True):
        assert run.uuid in one[13]
    assert [one[:13] for one in said] == [said[0][:13]] * 2
    assert alice.post(f"{API}runs/create", {"experiment_id": "00"}, format="json").status_code == 404


def test_a_run_is_told_things_alike(cast, alice):
    from tracking.models import LatestMetric, Metric, Run

    uuids = [alice.post(f"{API}runs/create", RUN, format="json").json()["run"]["info"]["run_id"] for _ in range(2)]
    point = {"key": "loss", "value": "NaN", "timestamp": 1_700_000_000_000, "step": 3}
    for path, body in (
        ("log-metric", point),
        ("log-parameter", {"key": "lr", "value": "0.1"}),
        ("set-tag", {"key": "t", "value": "1"}),
        ("log-batch", {"metrics": [{**point, "value": 0.5}, {**point, "key": "acc", "step": 1}], "params": [{"key": "lr", "value": "0.1"}],
                       "tags": [{"key": "t", "value": "2"}]}),
    ):  # fmt: skip
        both(alice, cast, f"runs/{path}", [{**body, "run_id": uuid} for uuid in uuids])
    runs = list(Run.objects.order_by("pk"))
    for model in (Metric, LatestMetric):
        one, other = (rows(model, run=run) for run in runs)
        assert str(one) == str(other) and len(one) >= 2  # NaN is not itself
    assert runs[0].tags["t"] == runs[1].tags["t"] == "2" and runs[0].parameters == runs[1].parameters == {"lr": "0.1"}
    for body in (
        {"run_id": uuids[1], "key": "lr", "value": "0.2"},  # is written once
        {"run_id": uuids[1], "key": "", "value": "0.2"},
    ):
        assert alice.post(f"{API}runs/log-parameter", body, format="json").status_code == 400
    alice.post(f"{API}runs/set-tag", {"run_id": uuids[1], "key": "mlflow.runName", "value": "new"}, format="json")
    runs[1].refresh_from_db()
    assert runs[1].name == "new" and AuditEvent.objects.filter(action="run.renamed").count() == 1
    alice.post(f"{API}runs/delete", {"run_id": uuids[1]}, format="json")
    assert (
        alice.post(f"{API}runs/set-tag", {"run_id": uuids[1], "key": "k", "value": "v"}, format="json").status_code
        == 400
    )


def test_a_run_of_others_is_told_nothing(cast, alice, api, actor):
    from accounts.actions import create_team, grant_role
    from accounts.roles import Role
    from tracking.models import Metric

    uuid = alice.post(f"{API}runs/create", RUN, format="json").json()["run"]["info"]["run_id"]
    other = create_team(name="other", title="Other", by=actor(cast.admin))
    grant_role(user=cast.mallory, role=Role.CONTRIBUTOR, on=other, by=Actor(cast.admin))
    body = {"run_id": uuid, "key": "m", "value": 1, "timestamp": 1, "step": 1}
    for person, team, status in ((cast.mallory, other, 404), (cast.victor, cast.team, 403)):
        client = api(person, team=team)
        for _ in range(2):  # the second time the key is no news
            assert client.post(f"{API}runs/log-metric", body, format="json").status_code == status
    assert client.post(f"{API}runs/create", RUN, format="json").status_code == 403
    assert not Metric.objects.exists()


def test_what_happens_at_once_is_told_one_after_the_other(cast, models, alice):
    """Each change begins where the one before it ended, however many wait for each other."""
    from concurrent.futures import ThreadPoolExecutor

    from django.test import Client

    from registry.models import AliasMove

    def write(number):
        client = Client(headers={"authorization": f"Bearer {alice.key}"})
        of = {"name": "fraud", "version": "1"}
        try:
            for turn in range(5):
                for path, body in (
                    ("model-versions/set-tag", {**of, "key": "k", "value": f"{number} {turn}"}),
                    ("registered-models/alias", {**of, "version": str(1 + (number + turn) % 2), "alias": "a"}),
                ):
                    answer = client.post(API + path, body, content_type="application/json")
                    assert answer.status_code == 200, answer.content
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    moves = list(AliasMove.objects.order_by("pk").values_list("before", "after"))
    assert [before for before, _ in moves] == [None, *(after for _, after in moves[:-1])]
    assert all(before != after for before, after in moves)
    changes = [
        (text.before and text.before["value"], text.after["value"])
        for text in (event.text for event in AuditEvent.objects.filter(action="version.tag_set").order_by("pk"))
    ]
    assert [before for before, _ in changes] == [None, *(after for _, after in changes[:-1])]
    assert len(changes) == 30
    assert len(events("alias.moved")) == len(moves)
