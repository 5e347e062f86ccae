"""What MLflow's documentation shows for the model registry, by its unmodified client against the live site."""

import io

import pytest

from accounts.access import Actor
from accounts.actions import create_key
from governance.ledger.models import AuditEvent
from governance.models import ApprovalRequest
from registry import actions
from registry.models import Version

pytestmark = pytest.mark.django_db(transaction=True)
INVALID, MISSING, THERE = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"


def test_registered_models(mlflow):
    found = mlflow("models")
    assert found["made"] == found["got"]
    assert (found["made"]["description"], found["made"]["tags"]) == ("flowers", {"team": "x"})
    assert (found["changed"]["description"], found["changed"]["tags"]) == ("more flowers", {"b": "3"})
    assert found["codes"] == [THERE, INVALID, INVALID, MISSING, THERE, MISSING, MISSING]
    assert found["renamed"]["name"] == "iris2" and found["renamed"]["aliases"] == {"champion": "1"}
    assert found["renamed"]["latest"][0]["name"] == "iris2"
    assert found["deleted"] == MISSING


def test_model_versions_and_aliases(mlflow, cast):
    found = mlflow("versions")
    first = found["first"]
    assert (first["version"], first["stage"], first["status"]) == ("1", "None", "READY")
    assert (first["source"], first["run_id"], first["tags"]) == ("s3://bucket/1", "r1", {"q": "fp16"})
    assert found["got"]["tags"] == {"q": "fp16", "k": "v"} and found["got"]["description"] == "v1"
    assert found["changed"]["description"] == "changed" and found["alias"]["version"] == "2"
    assert found["alias"]["aliases"] == ["champion"]
    assert found["uri"] == "s3://bucket/1"
    assert found["codes"] == [INVALID, MISSING, MISSING, INVALID, INVALID, INVALID, INVALID, MISSING, MISSING]
    assert (found["third"], found["dropped"]) in (("3", INVALID), (3, INVALID))
    assert Version.objects.get(number=1).created_by == cast.alice
    assert AuditEvent.objects.filter(action="version.registered").count() == 3


def test_stages(mlflow):
    found = mlflow("stages")
    latest = {str(number): stage for number, stage in found["latest"].items()}
    assert found["moved"] == "Staging"
    assert latest == {"1": "Archived", "2": "Staging", "3": "None"}
    assert [str(number) for number in found["staging"]] == ["2"] and found["codes"] == [INVALID]


def test_copies(mlflow):
    found = mlflow("copies")
    assert (found["copy"]["name"], found["copy"]["version"], found["copy"]["run_id"]) == ("dst", "1", "r9")
    assert found["copy"]["source"] == "models:/src/1" and found["again"]["version"] == "2"
    assert found["uris"] == ["s3://bucket/9"] * 2
    assert found["codes"] == ["INTERNAL_ERROR"]  # the client's own word for an original that it does not find


def test_search_its_grammar_orders_and_pages(mlflow):
    mlflow("fill", 7)
    found = mlflow("search")
    pages = [f"page-{number:02}" for number in range(7)]
    assert found["all"] == ["Alpha", *pages]
    assert found["pages"] == [pages[:3], pages[3:6], pages[6:]]
    assert found["version_pages"] == [[7, 6, 5], [4, 3, 2], [1]]
    assert (found["like"], found["ilike"]) == ([], ["Alpha"])
    assert found["tag"] == ["page-01", "page-03", "page-05"]
    assert found["not"] == ["Alpha"]
    assert found["order"] == ["page-06", "page-05"] and found["created"] == ["page-00", "page-01"]
    assert found["v_tag"] == [2, 5] and found["v_run"] == [2, 4, 6] and found["v_runs"] == [6, 4, 2]
    assert found["v_more"] == [4, 5] and found["v_source"] == [3] and found["default"] == [7, 6]
    assert found["prompts"] == 0
    assert found["codes"] == [INVALID] * 9


def test_the_fluent_functions(mlflow):
    found = mlflow("fluent")
    assert (found["made"]["name"], found["made"]["version"], found["made"]["tags"]) == ("flu", "1", {"a": "1"})
    assert found["models"] == ["flu"] and found["versions"][0]["tags"] == {"a": "1", "b": "2"}


@pytest.fixture
def native(cast, site):
    """native(name, {path: bytes}): a registered version that the native door made."""

    def make(name, files):
        by = Actor(cast.alice)
        made = actions.create_version(asset=actions.create_asset(team=cast.team, kind="model", name=name, by=by), by=by)
        for path, content in files.items():
            actions.add_file(version=made, path=path, stream=io.BytesIO(content), expected_size=len(content), by=by)
        actions.register_version(version=made, by=by)

    return make


def test_a_protected_alias_or_stage_asks_and_the_error_says_where(mlflow, site, native):
    native("guarded", {"README.md": b"# Card"})
    said = mlflow("protected", "guarded")
    request = ApprovalRequest.objects.get()
    assert [code for code, _ in said] == ["PERMISSION_DENIED"] * 2
    assert all(f"{site}/requests/{request.pk}" in text for _, text in said)


def test_a_version_of_the_native_door_is_downloaded(mlflow, native):
    native("native", {"README.md": b"# Card\n", "data/vocab.txt": b"a b"})
    assert mlflow("files", "native", 1) == {"README.md": "# Card\n", "data/vocab.txt": "a b"}


def test_a_key_of_several_teams_names_the_workspace(client_process, site, cast):
    by = Actor(cast.alice)
    actions.create_asset(team=cast.team, kind="model", name="there", by=by)
    _, key = create_key(name="wide", by=by)
    client_process.call("use", site, key, "acme")
    try:
        assert client_process.call("names") == ["there"]
    finally:
        client_process.call("use", site, key)
