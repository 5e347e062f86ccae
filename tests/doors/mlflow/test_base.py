"""What every address of the MLflow door shares."""

import pytest
from django.http import HttpRequest

from accounts.errors import ApprovalRequired, Conflict, NotFound
from doors.mlflow.base import Call, MlflowError, check_texts, failed, send
from registry.storage import StorageFull

pytestmark = pytest.mark.django_db


def call(values, method="POST"):
    request = HttpRequest()
    request.method = method
    return Call(request, None, values)


def test_the_version_is_plain_text_for_anybody(api):
    answer = api(None).get("/version")
    assert (answer.status_code, answer.content) == (200, b"3.18.0")
    assert answer["Content-Type"] == "text/plain"


def test_what_the_server_can_do(api):
    answer = api(None).get("/api/3.0/mlflow/server-info").json()
    assert answer["workspaces_enabled"] is True and answer["artifact_serving_enabled"] is True


def test_workspaces_are_the_teams_that_the_key_opens(api, cast):
    alice, address = api(cast.alice), "/api/3.0/mlflow/workspaces"
    assert alice.get(address).json() == {"workspaces": [{"name": "acme", "description": "Acme"}]}
    assert alice.get(f"{address}/acme").json()["workspace"]["name"] == "acme"
    stranger = api(cast.mallory)
    assert stranger.get(address).json() == {"workspaces": []}
    answer = stranger.get(f"{address}/acme")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize("path", ["/api/2.0/mlflow/nothing", "/api/2.0/other", "/api/3.0/mlflow/x/y"])
@pytest.mark.parametrize("method", ["get", "post", "patch", "delete"])
def test_an_unknown_address_is_said_in_mlflows_shape(api, cast, path, method):
    stranger = getattr(api(None), method)(path)
    assert (stranger.status_code, stranger.json()["error_code"]) == (401, "UNAUTHENTICATED")
    answer = getattr(api(cast.alice, team=cast.team), method)(path)
    assert answer.status_code == 404
    assert answer.json()["error_code"] == "ENDPOINT_NOT_FOUND"


@pytest.mark.parametrize(
    "error, status, code",
    [
        (NotFound("gone"), 404, "RESOURCE_DOES_NOT_EXIST"),
        (Conflict("taken", code="name_taken"), 400, "RESOURCE_ALREADY_EXISTS"),
        (Conflict("not now"), 409, "RESOURCE_CONFLICT"),
        (StorageFull("no room"), 507, "INTERNAL_ERROR"),
        (ApprovalRequired("ask", link="/requests/1"), 403, "PERMISSION_DENIED"),
        (MlflowError("BAD_REQUEST", "half \ud800"), 400, "BAD_REQUEST"),
    ],
)
def test_errors_in_mlflows_shape(error, status, code):
    request = HttpRequest()
    request.method = "GET"
    answer = failed(request, error)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/json")
    assert f'"error_code":"{code}"'.encode() in answer.content


def test_fields_of_bodies_and_queries():
    body = call(
        {"n": "12", "m": 3, "t": "x", "f": True, "tags": [{"key": "a", "value": "1"}, {"key": "a", "value": 2}]}
    )
    assert (body.whole("n", 0), body.whole("m", 0), body.whole("none", 7)) == (12, 3, 7)
    assert (body.text("t"), body.text("m"), body.text("none", "d")) == ("x", "3", "d")
    assert body.flag("f") and body.pairs("tags") == {"a": "2"}
    query = call({"order_by": ["a", "b"], "n": ["5"], "f": ["true"]}, "GET")
    assert query.texts("order_by") == ["a", "b"] and query.whole("n", 0) == 5 and query.flag("f")


@pytest.mark.parametrize(
    "read",
    [
        lambda c: c.text("none", required=True),
        lambda c: c.text("list"),
        lambda c: c.whole("t", 0),
        lambda c: c.whole("float", 0),
        lambda c: c.whole("huge", 0),
        lambda c: c.flag("t"),
        lambda c: c.texts("t"),
        lambda c: c.objects("list"),
        lambda c: c.pairs("bad"),
    ],
)
def test_wrong_fields_are_named(read):
    values = {"t": "x", "list": [1], "float": 1.5, "huge": 2**70, "bad": [{"value": "v"}]}
    with pytest.raises(MlflowError) as caught:
        read(call(values))
    assert caught.value.code == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize("data", [{"a": "\0"}, {"b": ["\ud800"]}, {"c\0": 1}])
def test_text_that_no_column_holds_is_refused(data):
    with pytest.raises(MlflowError):
        check_texts(data)


def test_nan_and_infinity_travel():
    assert send({"a": float("nan"), "b": float("inf")}).content == b'{"a":NaN,"b":Infinity}'
