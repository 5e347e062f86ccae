"""The model registry at MLflow's addresses, as the wire has it. tests/doors/mlflow/test_client.py drives MLflow's own client."""

import io
import json
from types import SimpleNamespace
from typing import Any

import pytest

from accounts.access import Actor
from accounts.actions import create_team, grant_role
from accounts.roles import Role
from doors.mlflow import hot
from governance.ledger.models import AuditEvent
from governance.models import ApprovalRequest
from registry.actions import add_file, create_asset, create_version, move_alias, register_version
from registry.models import Asset, Link, Version

pytestmark = pytest.mark.django_db
API = "/api/2.0/mlflow/"


@pytest.fixture
def ml(api, cast) -> Any:
    """ml('POST', 'registered-models/create', name=…) -> (status, body), as Alice with a key of her team."""
    return caller(api(cast.alice, team=cast.team))


def caller(client):
    def call(method: str, path: str, **fields: Any) -> tuple[int, Any]:
        if method == "GET":
            answer = client.get(API + path, fields)
        else:
            answer = getattr(client, method.lower())(API + path, fields)
        return answer.status_code, json.loads(answer.content)

    return call


@pytest.fixture
def model(ml) -> Any:
    assert (
        ml("POST", "registered-models/create", name="m", description="d", tags=[{"key": "a", "value": "1"}])[0] == 200
    )
    return "m"


def version(ml, name="m", source="s3://bucket/m", **fields):
    status, body = ml("POST", "model-versions/create", name=name, source=source, **fields)
    assert status == 200, body
    return body["model_version"]


def code(answer):
    return answer[0], answer[1].get("error_code")


def test_a_model_is_made_and_read(ml, model, cast):
    status, body = ml("GET", "registered-models/get", name="m")
    found = body["registered_model"]
    assert status == 200
    assert (found["name"], found["description"], found["tags"]) == ("m", "d", [{"key": "a", "value": "1"}])
    assert isinstance(found["creation_timestamp"], int) and "latest_versions" not in found and "aliases" not in found
    asset = Asset.objects.get(name="m")
    assert (asset.team, asset.kind) == (cast.team, "model")


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "spaces here"])
def test_names_that_cannot_be(ml, name):
    assert code(ml("POST", "registered-models/create", name=name)) == (400, "INVALID_PARAMETER_VALUE")


def test_a_taken_name_exists_already(ml, model):
    for name in ("m", "M"):
        assert code(ml("POST", "registered-models/create", name=name)) == (400, "RESOURCE_ALREADY_EXISTS")


def test_a_model_does_not_become_a_prompt(ml, model):
    tag = {"key": "mlflow.prompt.is_prompt", "value": "true"}
    for path, fields in (
        ("registered-models/set-tag", {"name": "m", **tag}),
        ("model-versions/create", {"name": "m", "source": "s3://b/x", "tags": [tag]}),
        ("model-versions/set-tag", {"name": "m", "version": "1", **tag}),
    ):
        status, body = ml("POST", path, **fields)
        assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE") or body["message"].startswith(
            "Model Version ("
        )
    status, body = ml("POST", "registered-models/create", name="m", tags=[tag])
    assert (status, body["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS") and "registered model" in body["message"]


def test_what_is_not_there(ml, model):
    for method, path, fields in (
        ("GET", "registered-models/get", {"name": "x"}),
        ("PATCH", "registered-models/update", {"name": "x", "description": "y"}),
        ("DELETE", "registered-models/delete", {"name": "x"}),
        ("GET", "model-versions/get", {"name": "m", "version": "9"}),
        ("GET", "model-versions/get", {"name": "m", "version": "99999999999"}),
        ("POST", "model-versions/create", {"name": "x", "source": "s3://b/x"}),
        ("POST", "model-versions/set-tag", {"name": "m", "version": "7", "key": "k", "value": "v"}),
        ("GET", "model-versions/get-download-uri", {"name": "m", "version": "9"}),
        ("GET", "registered-models/alias", {"name": "x", "alias": "a"}),
    ):
        assert code(ml(method, path, **fields)) == (404, "RESOURCE_DOES_NOT_EXIST"), path
    assert code(ml("GET", "model-versions/get", name="m", version="one")) == (400, "INVALID_PARAMETER_VALUE")
    assert code(ml("GET", "registered-models/alias", name="m", alias="gone")) == (400, "INVALID_PARAMETER_VALUE")
    assert ml("DELETE", "registered-models/alias", name="m", alias="gone") == (200, {})
    assert ml("DELETE", "registered-models/delete-tag", name="m", key="gone") == (200, {})


def test_a_model_is_described_tagged_and_renamed(ml, model):
    version(ml)
    assert (
        ml("PATCH", "registered-models/update", name="m", description="two")[1]["registered_model"]["description"]
        == "two"
    )
    assert ml("POST", "registered-models/set-tag", name="m", key="b", value="2") == (200, {})
    assert ml("DELETE", "registered-models/delete-tag", name="m", key="a") == (200, {})
    ml("POST", "registered-models/alias", name="m", alias="Champion", version="1")
    ml("POST", "registered-models/create", name="taken")
    assert code(ml("POST", "registered-models/rename", name="m", new_name="taken")) == (400, "RESOURCE_ALREADY_EXISTS")
    status, body = ml("POST", "registered-models/rename", name="m", new_name="n")
    found = body["registered_model"]
    assert status == 200 and found["name"] == "n"
    assert found["tags"] == [{"key": "b", "value": "2"}]
    assert found["aliases"] == [{"alias": "champion", "version": "1"}]
    assert [v["version"] for v in found["latest_versions"]] == ["1"]


def test_a_version_is_made_registered_and_read(ml, model, cast):
    made = version(ml, description="first", tags=[{"key": "q", "value": "fp16"}], run_link="https://x/y", run_id="r1")
    assert (made["version"], made["current_stage"], made["status"]) == ("1", "None", "READY")
    assert (made["source"], made["run_id"], made["run_link"]) == ("s3://bucket/m", "r1", "https://x/y")
    assert made["tags"] == [{"key": "q", "value": "fp16"}] and made["description"] == "first"
    assert ml("GET", "model-versions/get", name="m", version="1") == (200, {"model_version": made})
    row = Version.objects.get(asset__name="m")
    assert row.is_registered and row.digest and len(row.commit) == 40 and row.created_by == cast.alice
    event = AuditEvent.objects.latest("id")
    assert (event.action, event.text.after["source"], event.via) == ("version.registered", "s3://bucket/m", "api")
    assert ml("GET", "model-versions/get-download-uri", name="m", version="1")[1] == {"artifact_uri": "s3://bucket/m"}


@pytest.mark.parametrize(
    "source",
    [
        "/etc/passwd", "file:///x", "relative/path", "dummy-source", "s3://b/../x", "https://h/%2e%2e/x", "runs:/none/model",
        "models:/m-0123456789abcdef", "mlflow-artifacts:/0/none/artifacts/model", "c:\\x", "",
    ],
)  # fmt: skip
def test_sources_that_are_refused(ml, model, source):
    assert code(ml("POST", "model-versions/create", name="m", source=source)) == (400, "INVALID_PARAMETER_VALUE")
    assert Version.objects.count() == 0


def test_numbers_are_not_handed_out_again(ml, model):
    version(ml), version(ml)
    ml("POST", "registered-models/alias", name="m", alias="a", version="2")
    assert ml("DELETE", "model-versions/delete", name="m", version="2") == (200, {})
    assert code(ml("GET", "registered-models/alias", name="m", alias="a")) == (400, "INVALID_PARAMETER_VALUE")
    assert code(ml("GET", "model-versions/get", name="m", version="2")) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert version(ml)["version"] == "3"
    assert Version.objects.get(number=2).deleted_at is not None


def test_a_version_is_described_and_tagged(ml, model):
    before = version(ml)
    status, body = ml("PATCH", "model-versions/update", name="m", version="1", description="changed")
    assert status == 200 and body["model_version"]["description"] == "changed"
    assert body["model_version"]["last_updated_timestamp"] >= before["last_updated_timestamp"]
    assert ml("POST", "model-versions/set-tag", name="m", version="1", key="k", value="x" * 100_000) == (200, {})
    assert code(ml("POST", "model-versions/set-tag", name="m", version="1", key="k", value="x" * 100_001))[0] == 400
    assert ml("DELETE", "model-versions/delete-tag", name="m", version="1", key="k") == (200, {})
    assert ml("DELETE", "model-versions/delete-tag", name="m", version="1", key="k") == (200, {})


def test_aliases(ml, model):
    version(ml), version(ml)
    assert ml("POST", "registered-models/alias", name="m", alias="Rc_1", version="1") == (200, {})
    found = ml("GET", "registered-models/alias", name="m", alias="RC_1")[1]["model_version"]
    assert (found["version"], found["aliases"]) == ("1", ["rc_1"])
    assert ml("GET", "registered-models/alias", name="m", alias="latest")[1]["model_version"]["version"] == "2"
    for alias in ("latest", "LATEST", "v1", "V22", "a b", "a.b", ""):
        assert code(ml("POST", "registered-models/alias", name="m", alias=alias, version="1")) == (
            400, "INVALID_PARAMETER_VALUE",
        )  # fmt: skip
    assert ml("DELETE", "registered-models/alias", name="m", alias="rc_1") == (200, {})


def test_a_protected_alias_asks_and_says_where(ml, model, settings, cast, tmp_path):
    settings.STORAGE = tmp_path / "storage"
    version(ml)  # its bytes lie elsewhere: there is nothing that an approval could be bound to
    status, body = ml("POST", "registered-models/alias", name="m", alias="production", version="1")
    assert status != 200 and "files" in body["message"] and not ApprovalRequest.objects.exists()
    by = Actor(cast.alice)
    made = create_version(asset=Asset.objects.get(name="m"), by=by)
    add_file(version=made, path="README.md", stream=io.BytesIO(b"# Card"), expected_size=6, by=by)
    register_version(version=made, by=by)
    status, body = ml("POST", "registered-models/alias", name="m", alias="production", version="2")
    request = ApprovalRequest.objects.get()
    assert (status, body["error_code"]) == (403, "PERMISSION_DENIED")
    assert f"{settings.SITE_URL}/requests/{request.pk}" in body["message"]
    status, again = ml("POST", "model-versions/transition-stage", name="m", version="2", stage="production")
    assert status == 403 and again["message"] == body["message"]
    assert ApprovalRequest.objects.count() == 1


def test_stages_are_aliases(ml, model):
    version(ml), version(ml), version(ml)

    def to(number, stage, archive=False):
        status, body = ml(
            "POST", "model-versions/transition-stage", name="m", version=number, stage=stage,
            archive_existing_versions=archive,
        )  # fmt: skip
        assert status == 200, body
        return body["model_version"]["current_stage"]

    assert to("1", "staging") == "Staging"
    assert to("2", "Staging", archive=True) == "Staging"
    assert ml("GET", "model-versions/get", name="m", version="1")[1]["model_version"]["current_stage"] == "Archived"
    latest = ml("POST", "registered-models/get-latest-versions", name="m")[1]["model_versions"]
    assert [(v["version"], v["current_stage"]) for v in latest] == [("1", "Archived"), ("2", "Staging"), ("3", "None")]
    only = ml("POST", "registered-models/get-latest-versions", name="m", stages=["staging"])[1]["model_versions"]
    assert [v["version"] for v in only] == ["2"]
    assert to("1", "Staging") == "Staging"
    assert ml("GET", "model-versions/get", name="m", version="2")[1]["model_version"]["current_stage"] == "None"
    assert to("1", "None") == "None" and to("3", "Archived") == "Archived" and to("3", "none") == "None"
    for stage, archive in (("Nirvana", False), ("Archived", True)):
        answer = ml("POST", "model-versions/transition-stage", name="m", version="1", stage=stage,
                    archive_existing_versions=archive)  # fmt: skip
        assert code(answer) == (400, "INVALID_PARAMETER_VALUE")


def test_a_copy_holds_its_originals_source(ml, model):
    version(ml, run_id="r1")
    ml("POST", "registered-models/create", name="copy")
    made = version(ml, "copy", "models:/m/1")
    assert made["run_id"] == "r1"
    again = version(ml, "copy", "models:/copy/1")
    for number in ("1", "2"):
        uri = ml("GET", "model-versions/get-download-uri", name="copy", version=number)[1]["artifact_uri"]
        assert uri == "s3://bucket/m"
    assert Link.objects.get(version__number=1, version__asset__name="copy").origin.asset.name == "m"
    assert again["source"] == "models:/copy/1"
    assert code(ml("POST", "model-versions/create", name="copy", source="models:/m/7"))[0] == 404


@pytest.fixture
def native(cast, actor, tmp_path, settings) -> SimpleNamespace:
    """A version made over the native door: a card and a folder."""
    import io

    settings.STORAGE = tmp_path / "storage"
    by = actor(cast.alice)
    asset = create_asset(team=cast.team, kind="model", name="native", by=by)
    made = create_version(asset=asset, message="said", by=by)
    for path, content in {"README.md": b"# Card\n", "data/vocab.txt": b"a b"}.items():
        add_file(version=made, path=path, stream=io.BytesIO(content), expected_size=len(content), by=by)
    made = register_version(version=made, by=by)
    move_alias(asset=asset, name="candidate", version=made, by=by)
    return SimpleNamespace(asset=asset, version=made)


def test_versions_of_other_doors_are_here_with_their_files(ml, native, api, cast):
    found = ml("GET", "registered-models/alias", name="native", alias="candidate")[1]["model_version"]
    assert (found["source"], found["description"]) == ("mlflow-artifacts:/models/acme/native/1", "said")
    uri = ml("GET", "model-versions/get-download-uri", name="native", version="1")[1]["artifact_uri"]
    assert uri == "mlflow-artifacts:/models/acme/native/1"
    client, root = api(cast.alice, team=cast.team), "/api/2.0/mlflow-artifacts/artifacts"
    listed = client.get(root, {"path": "models/acme/native/1"}).json()["files"]
    assert listed == [
        {"path": "README.md", "is_dir": False, "file_size": 7},
        {"path": "data", "is_dir": True},
    ]
    assert client.get(root, {"path": "models/acme/native/1/data"}).json()["files"][0]["path"] == "vocab.txt"
    assert client.get(root, {"path": "models/acme/native/1/none"}).json() == {}
    got = client.get(f"{root}/models/acme/native/1/data/vocab.txt")
    assert b"".join(got) == b"a b"
    assert client.get(f"{root}/models/acme/native/1/none").json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert client.get(f"{root}/models/other/native/1/README.md").status_code == 404


def test_a_copy_of_files_holds_the_same_bytes(ml, native, model):
    made = version(ml, "m", "models:/native@candidate")
    assert made["source"] == "models:/native/1"
    row = Version.objects.get(asset__name="m")
    assert row.digest == native.version.digest and row.files.count() == 2
    uri = ml("GET", "model-versions/get-download-uri", name="m", version="1")[1]["artifact_uri"]
    assert uri == "mlflow-artifacts:/models/acme/m/1"


def test_a_viewer_sees_and_changes_nothing(api, cast, ml, model):
    version(ml)
    victor = caller(api(cast.victor, team=cast.team))
    assert victor("GET", "registered-models/get", name="m")[0] == 200
    for method, path, fields in (
        ("POST", "registered-models/create", {"name": "x"}),
        ("PATCH", "registered-models/update", {"name": "m", "description": "y"}),
        ("DELETE", "registered-models/delete", {"name": "m"}),
        ("POST", "model-versions/create", {"name": "m", "source": "s3://b/x"}),
        ("POST", "registered-models/alias", {"name": "m", "alias": "a", "version": "1"}),
        ("POST", "registered-models/alias", {"name": "m", "alias": "production", "version": "1"}),
        ("DELETE", "model-versions/delete", {"name": "m", "version": "1"}),
    ):
        status, body = victor(method, path, **fields)
        assert (status, body["error_code"]) == (403, "PERMISSION_DENIED"), path
        assert "permission" in body["message"]


def test_names_are_those_of_the_keys_team(api, cast, ml, model, actor):
    other = create_team(name="other", title="Other", by=actor(cast.admin))
    grant_role(user=cast.mallory, role=Role.CONTRIBUTOR, on=other, by=Actor(cast.admin))
    mallory = caller(api(cast.mallory, team=other))
    assert code(mallory("GET", "registered-models/get", name="m")) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert mallory("GET", "registered-models/search") == (200, {})
    assert mallory("POST", "registered-models/create", name="m")[0] == 200


def test_a_key_without_a_team_names_it_as_the_workspace(api, cast, ml, model):
    client = api(cast.alice)
    answer = client.get(f"{API}registered-models/get", {"name": "m"})
    assert answer.status_code == 400 and "MLFLOW_WORKSPACE" in answer.json()["message"]
    answer = client.get(f"{API}registered-models/get", {"name": "m"}, headers={"x-mlflow-workspace": "acme"})
    assert answer.status_code == 200
    answer = client.get(f"{API}registered-models/get", {"name": "m"}, headers={"x-mlflow-workspace": "none"})
    assert answer.status_code == 404


def test_a_model_is_deleted_with_its_versions(ml, model):
    version(ml)
    assert ml("DELETE", "registered-models/delete", name="m") == (200, {})
    assert code(ml("GET", "model-versions/get", name="m", version="1"))[0] == 404
    assert ml("GET", "model-versions/search", filter="name='m'") == (200, {})
    assert ml("POST", "registered-models/create", name="m")[0] == 200


def test_the_quick_door_says_what_the_ordinary_one_says(api, cast, ml, model, native, django_assert_num_queries):
    """Reads are answered by one statement, in the same words as by the views behind them."""
    for number in range(4):
        version(ml, source=f"s3://bucket/{number}", tags=[{"key": "n", "value": str(number % 2)}], run_id=f"r{number}")
    ml("POST", "registered-models/alias", name="m", alias="Rc", version="2")
    ml("POST", "model-versions/transition-stage", name="m", version="1", stage="Staging")
    ml("POST", "model-versions/transition-stage", name="m", version="4", stage="Archived")
    ml("POST", "model-versions/set-tag", name="m", version="2", key='é"<', value="line\nbreak \\ 'x'")
    ml("PATCH", "model-versions/update", name="m", version="3", description='what "it" is')
    questions = [
        ("registered-models/get", {"name": "m"}),
        ("registered-models/get", {"name": "native"}),
        ("registered-models/search", {}),
        ("registered-models/search", {"max_results": "1", "order_by": "timestamp DESC"}),
        ("registered-models/search", {"filter": "name ILIKE 'M%' AND tags.a = '1'"}),
        ("registered-models/search", {"filter": "name LIKE 'm%' AND tags.`mlflow.prompt.is_prompt` != 'true'"}),
        ("model-versions/get-download-uri", {"name": "m", "version": "3"}),
        ("model-versions/get-download-uri", {"name": "native", "version": "1"}),
        ("model-versions/search", {}),
        ("registered-models/alias", {"name": "m", "alias": "RC"}),
        ("registered-models/alias", {"name": "native", "alias": "candidate"}),
        ("model-versions/get", {"name": "m", "version": "3"}),
        ("model-versions/search", {"filter": "tags.n = '1' AND name = 'm'"}),
        (
            "model-versions/search",
            {"filter": "run_id IN ('r1','r2')", "order_by": "version_number ASC", "max_results": "1"},
        ),
        ("model-versions/search", {"filter": "source_path LIKE '%native/1'"}),
        ("model-versions/search", {"max_results": "2"}),
    ]
    quick = api(cast.alice, team=cast.team)
    quick.get(f"{API}registered-models/search")  # its last use is written
    for path, fields in questions:
        with django_assert_num_queries(0):  # the statement goes past Django
            answer = quick.get(API + path, fields)
        ordinary = api(cast.alice).get(API + path, fields, headers={"x-mlflow-workspace": "acme"})
        assert answer.status_code == ordinary.status_code == 200
        assert answer.json() == ordinary.json(), path
    token = quick.get(f"{API}model-versions/search", {"max_results": "3"}).json()["next_page_token"]
    rest = quick.get(f"{API}model-versions/search", {"max_results": "3", "page_token": token}).json()
    assert len(rest["model_versions"]) == 2 and "next_page_token" not in rest


@pytest.mark.parametrize("few", [0, 2, 1000])
def test_a_search_by_tags_finds_the_same_whether_few_or_many_have_them(
    few, api, cast, ml, model, native, actor, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(hot, "FEW", few)
    long = "v" * 300
    ml("POST", "registered-models/create", name="n")
    for number in range(8):
        tags = {"n": str(number % 2), "long": long + str(number % 3), "all": ""}
        told = [{"key": key, "value": value} for key, value in tags.items()]
        version(ml, name="mn"[number // 4], source=f"s3://bucket/{number}", tags=told)
    ml("DELETE", "model-versions/delete", name="m", version="1")
    other = create_team(name="other", title="Other", by=actor(cast.admin))
    grant_role(user=cast.mallory, role=Role.CONTRIBUTOR, on=other, by=Actor(cast.admin))
    theirs = api(cast.mallory, team=other)
    theirs.post(f"{API}registered-models/create", {"name": "m"})
    made = {"name": "m", "source": "s3://bucket/x", "tags": [{"key": "n", "value": "1"}]}
    assert theirs.post(f"{API}model-versions/create", made).status_code == 200
    quick = api(cast.alice, team=cast.team)
    quick.get(f"{API}registered-models/search")
    for fields, count in (
        ({"filter": "tags.n = '1'"}, 4),
        ({"filter": "tags.n = '0'", "order_by": ["name DESC", "version_number ASC"]}, 3),
        ({"filter": "tags.`all` = '' AND tags.n = '0'"}, 3),
        ({"filter": f"tags.long = '{long}1'"}, 3),
        ({"filter": f"tags.long = '{long}'"}, 0),
        ({"filter": "tags.n = '7'"}, 0),
        ({"filter": "tags.n = '1' AND name = 'n'"}, 2),
        ({"filter": "tags.n = '1' AND tags.n != '0'"}, 4),
    ):
        if count:
            with django_assert_num_queries(0):
                answer = quick.get(f"{API}model-versions/search", fields)
        else:
            answer = quick.get(f"{API}model-versions/search", fields)
        ordinary = api(cast.alice).get(f"{API}model-versions/search", fields, headers={"x-mlflow-workspace": "acme"})
        assert answer.json() == ordinary.json(), fields
        assert len(answer.json().get("model_versions", [])) == count, fields
    found, token = [], ""
    while token is not None:
        page = quick.get(
            f"{API}model-versions/search", {"filter": "tags.n = '1'", "max_results": "3", "page_token": token}
        ).json()
        found += [(one["name"], one["version"]) for one in page["model_versions"]]
        token = page.get("next_page_token")
    assert found == [("n", "4"), ("n", "2"), ("m", "4"), ("m", "2")]


def test_the_quick_door_answers_nobody_who_may_not(api, cast, ml, model, actor):
    version(ml)
    question = f"{API}model-versions/get", {"name": "m", "version": "1"}
    other = create_team(name="other", title="Other", by=actor(cast.admin))
    grant_role(user=cast.mallory, role=Role.CONTRIBUTOR, on=other, by=Actor(cast.admin))
    for who, team in ((cast.mallory, other), (cast.mallory, cast.team)):
        client = api(who, team=team) if team == other else api(who)
        client.get(f"{API}registered-models/search")
        assert client.get(*question).status_code in (400, 404)
    good = api(cast.alice, team=cast.team)
    good.get(f"{API}registered-models/search")
    assert good.get(*question).status_code == 200
    bad = good.key[:-1] + ("x" if good.key[-1] != "x" else "y")
    assert good.get(*question, headers={"authorization": f"Bearer {bad}"}).status_code == 401
    ml("DELETE", "model-versions/delete", name="m", version="1")
    assert good.get(*question).status_code == 404
