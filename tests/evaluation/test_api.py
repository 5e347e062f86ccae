import pytest

from evaluation import runner
from evaluation.models import Evaluation
from serving.models import Deployment

BODY = {"model": "acme/date-normaliser", "version": 1, "dataset": "acme/dates"}


def test_start_follow_and_read_the_examples(evaluating, model_version, rows, api, cast):
    evaluating.stand.wrong = {"in 39": "x"}
    evaluating.stand.fail = {"in 38": (400, 1)}
    alice = api(cast.alice)
    made = alice.post("/api/v1/evaluations", {**BODY, "parameters": {"max_tokens": 12}})
    assert made.status_code == 201, made.content
    body = made.json()
    assert made["Location"] == f"/api/v1/evaluations/{body['id']}"
    assert (body["state"], body["total"], body["done"], body["metrics"]) == ("queued", 40, 0, {})
    assert body["digest"] == model_version.digest
    evaluating.finish(Evaluation.objects.get())
    body = api(cast.carol).get(f"/api/v1/evaluations/{body['id']}").json()
    assert (body["state"], body["done"], body["without_answer"], body["complete"]) == ("succeeded", 40, 1, True)
    assert set(body["metrics"]["exact_match"]) == {"value", "lower", "upper", "n", "version"}
    path = f"/api/v1/evaluations/{body['id']}/examples"
    first = alice.get(f"{path}?failed_first=true&limit=3").json()
    assert [(e["index"], e["correct"]) for e in first["results"]] == [(38, False), (39, False), (0, True)]
    second = alice.get(f"{path}?failed_first=true&limit=3&cursor={first['next']}").json()
    assert [e["index"] for e in second["results"]] == [1, 2, 3]
    seen, cursor = [], ""
    while cursor is not None:
        page = alice.get(f"{path}?limit=7&cursor={cursor}").json()
        seen, cursor = seen + [e["index"] for e in page["results"]], page["next"]
    assert seen == list(range(40))
    assert [e["index"] for e in alice.get(f"{path}?show=errors").json()["results"]] == [38]
    assert alice.get(f"{path}?show=odd").status_code == 400


def test_the_newest_registered_dataset_version_is_taken(evaluating, rows, make_draft, make_version, api, cast):
    newer = make_version(rows.asset, {"rows.jsonl": b'{"input": "in 1", "expected": "out 1"}\n'})
    make_draft(rows.asset)
    body = api(cast.alice).post("/api/v1/evaluations", BODY).json()
    assert (body["dataset_version"], body["total"]) == (newer.number, 1)


def test_lists_filter_by_model_dataset_and_state(evaluating, plain_model, api, cast):
    first, second = evaluating.start(), evaluating.start(version=plain_model)
    evaluating.finish(second)
    alice = api(cast.alice)

    def ids(query):
        answer = alice.get(f"/api/v1/evaluations{query}")
        assert answer.status_code == 200, answer.content
        return [row["id"] for row in answer.json()["results"]]

    assert ids("") == [second.pk, first.pk]
    assert ids("?model=acme/completer") == [second.pk]
    assert ids("?dataset=acme/dates&state=queued") == [first.pk]
    assert alice.get("/api/v1/evaluations?model=acme/none").status_code == 404
    assert alice.get("/api/v1/evaluations?state=odd").status_code == 400


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"version": 9}, 404, None),
        ({"model": "acme/none"}, 404, None),
        ({"model": "none"}, 400, "model"),
        ({"version": None}, 400, "version"),
        ({"parameters": [1]}, 400, "parameters"),
        ({"parameters": {"max_tokens": "many"}}, 400, "parameters.max_tokens"),
        ({"parameters": {"max_tokens": 10**6}}, 400, "parameters.max_tokens"),
        ({"parameters": {"speed": 1}}, 400, "parameters"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(evaluating, api, cast, change, status, field):
    answer = api(cast.alice).post("/api/v1/evaluations", {**BODY, **change})
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    if field:
        assert field in answer.json()["errors"]
    assert not Evaluation.objects.exists()


def test_a_body_that_is_no_json_is_refused(evaluating, api, cast):
    answer = api(cast.alice).generic("POST", "/api/v1/evaluations", "{", "application/json")
    assert answer.status_code == 400
    assert "detail" in answer.json()
    assert api(cast.alice).generic("POST", "/api/v1/evaluations", "[1]", "application/json").status_code == 400


@pytest.mark.parametrize(
    ("who", "read", "write"),
    [
        (None, 401, 401),
        ("mallory", 404, 404),
        ("victor", 200, 403),
        ("bob", 200, 403),
        ("carol", 200, 403),
        ("alice", 200, 200),
    ],
)
def test_every_door_as_each_person(evaluating, api, cast, who, read, write):
    evaluation = evaluating.start()
    client = api(getattr(cast, who) if who else None)
    path = f"/api/v1/evaluations/{evaluation.pk}"
    assert client.get(path).status_code == read
    assert client.get(f"{path}/examples").status_code == read
    assert client.post("/api/v1/evaluations", BODY).status_code == (201 if write == 200 else write)
    assert client.post(f"{path}/cancel").status_code == write
    assert client.delete(path).status_code == (401 if who is None else 405)
    if write == 200:
        assert client.post(f"{path}/cancel").status_code == 409


def test_a_key_for_reading_starts_nothing(evaluating, api, cast):
    reader = api(cast.alice, scopes=["read"])
    assert reader.post("/api/v1/evaluations", BODY).status_code == 403
    evaluation = evaluating.start()
    assert reader.get(f"/api/v1/evaluations/{evaluation.pk}").status_code == 200


def test_somebody_who_was_lent_only_the_model_does_not_see_the_datasets_rows(
    evaluating, api, cast, model_version, rows
):
    from accounts.access import Actor
    from accounts.actions import grant_role
    from accounts.roles import Role

    evaluation = evaluating.start()
    path = f"/api/v1/evaluations/{evaluation.pk}"
    grant_role(user=cast.mallory, role=Role.VIEWER, on=model_version.asset, by=Actor(cast.admin))
    assert api(cast.mallory).get(path).status_code == 404
    grant_role(user=cast.mallory, role=Role.VIEWER, on=rows.asset, by=Actor(cast.admin))
    assert api(cast.mallory).get(path).status_code == 200
    assert len(api(cast.mallory).get("/api/v1/evaluations").json()["results"]) == 1


def test_a_list_costs_the_same_with_one_and_with_many(evaluating, api, cast, django_assert_max_num_queries):
    alice = api(cast.alice)
    for _ in range(12):
        evaluating.start(limit=1)
    with django_assert_max_num_queries(5):
        assert len(alice.get("/api/v1/evaluations").json()["results"]) == 12
    evaluation = evaluating.start()
    runner.take_turn(evaluation.pk)
    Deployment.objects.update(state="running", endpoint=evaluating.stand.url)
    runner.take_turn(evaluation.pk)
    with django_assert_max_num_queries(5):
        assert alice.get(f"/api/v1/evaluations/{evaluation.pk}/examples?limit=200").status_code == 200
