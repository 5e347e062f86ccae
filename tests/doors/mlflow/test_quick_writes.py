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
