"""Runs in MLflow's own environment: what its documentation shows for the model registry, by its unmodified client."""

import os
import tempfile

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException


def use(url, key, workspace=""):
    """The site and the key that the following calls use."""
    os.environ["MLFLOW_TRACKING_TOKEN"] = key
    os.environ["MLFLOW_ENABLE_WORKSPACES"] = "true" if workspace else "false"
    mlflow.set_tracking_uri(url)
    mlflow.set_registry_uri(url)
    if hasattr(mlflow, "set_workspace"):
        mlflow.set_workspace(workspace or None)


def shown(thing):
    """An entity as plain values."""
    return {name: value for name, value in dict(thing).items() if not name.startswith("_")}


def version(v):
    return {
        "name": v.name, "version": str(v.version), "stage": v.current_stage, "source": v.source, "run_id": v.run_id,
        "description": v.description, "tags": dict(v.tags), "aliases": list(v.aliases), "status": v.status,
        "created": v.creation_timestamp, "updated": v.last_updated_timestamp,
    }  # fmt: skip


def model(m):
    return {
        "name": m.name, "description": m.description, "tags": dict(m.tags), "aliases": dict(m.aliases),
        "latest": [version(v) for v in m.latest_versions or []],
    }  # fmt: skip


def code(call):
    """The error code that a call ends with; '' where it succeeds."""
    try:
        call()
    except MlflowException as error:
        return error.error_code
    return ""


def models():
    c = MlflowClient()
    made = c.create_registered_model("iris", tags={"team": "x"}, description="flowers")
    found = {"made": model(made), "got": model(c.get_registered_model("iris"))}
    c.update_registered_model("iris", description="more flowers")
    c.set_registered_model_tag("iris", "b", "2")
    c.set_registered_model_tag("iris", "b", "3")
    c.delete_registered_model_tag("iris", "team")
    c.delete_registered_model_tag("iris", "team")
    found["changed"] = model(c.get_registered_model("iris"))
    c.create_registered_model("taken")
    found["codes"] = [
        code(lambda: c.create_registered_model("iris")),
        code(lambda: c.create_registered_model("a/b")),
        code(lambda: c.create_registered_model("")),
        code(lambda: c.get_registered_model("none")),
        code(lambda: c.rename_registered_model("iris", "taken")),
        code(lambda: c.rename_registered_model("none", "new")),
        code(lambda: c.delete_registered_model("none")),
    ]
    c.create_model_version("iris", "s3://bucket/1")
    c.set_registered_model_alias("iris", "champion", "1")
    c.rename_registered_model("iris", "iris2")
    found["renamed"] = model(c.get_registered_model("iris2"))
    c.delete_registered_model("iris2")
    found["deleted"] = code(lambda: c.get_registered_model("iris2"))
    return found


def versions():
    c = MlflowClient()
    c.create_registered_model("m")
    first = c.create_model_version(
        "m", "s3://bucket/1", run_id="r1", tags={"q": "fp16"}, run_link="https://runs/1", description="v1"
    )
    second = c.create_model_version("m", "s3://bucket/2")
    c.update_model_version("m", "2", description="changed")
    c.set_model_version_tag("m", "1", "k", "v")
    c.set_model_version_tag("m", version="1", key="gone", value="v")
    c.delete_model_version_tag("m", "1", "gone")
    c.set_registered_model_alias("m", "Champion", "2")
    found = {
        "first": version(first), "second": version(second), "got": version(c.get_model_version("m", "1")),
        "changed": version(c.get_model_version("m", "2")),
        "alias": version(c.get_model_version_by_alias("m", "champion")),
        "uri": c.get_model_version_download_uri("m", "1"),
    }  # fmt: skip
    c.delete_registered_model_alias("m", "champion")
    c.delete_registered_model_alias("m", "champion")
    found["codes"] = [
        code(lambda: c.get_model_version_by_alias("m", "champion")),
        code(lambda: c.get_model_version("m", "9")),
        code(lambda: c.create_model_version("none", "s3://b/x")),
        code(lambda: c.create_model_version("m", "/etc/passwd")),
        code(lambda: c.create_model_version("m", "runs:/none/model", run_id="other")),
        code(lambda: c.set_registered_model_alias("m", "latest", "1")),
        code(lambda: c.set_registered_model_alias("m", "v3", "1")),
        code(lambda: c.set_registered_model_alias("m", "x", "9")),
        code(lambda: c.set_model_version_tag("m", "9", "k", "v")),
    ]
    c.set_registered_model_alias("m", "rc", "2")
    c.delete_model_version("m", "2")
    found["third"] = c.create_model_version("m", "s3://bucket/3").version
    found["dropped"] = code(lambda: c.get_model_version_by_alias("m", "rc"))
    return found


def stages():
    c = MlflowClient()
    c.create_registered_model("st")
    for number in "123":
        c.create_model_version("st", f"s3://bucket/{number}")
    c.transition_model_version_stage("st", "1", "Staging")
    moved = c.transition_model_version_stage("st", "2", "staging", archive_existing_versions=True)
    return {
        "moved": moved.current_stage,
        "latest": {v.version: v.current_stage for v in c.get_latest_versions("st")},
        "staging": [v.version for v in c.get_latest_versions("st", stages=["Staging"])],
        "codes": [code(lambda: c.transition_model_version_stage("st", "1", "Nirvana"))],
    }


def copies():
    c = MlflowClient()
    c.create_registered_model("src")
    c.create_model_version("src", "s3://bucket/9", run_id="r9", tags={"a": "b"})
    copied = c.copy_model_version("models:/src/1", "dst")
    c.set_registered_model_alias("src", "rc", "1")
    again = c.copy_model_version("models:/src@rc", "dst")
    return {
        "copy": version(copied), "again": version(again),
        "uris": [c.get_model_version_download_uri("dst", n) for n in "12"],
        "codes": [code(lambda: c.copy_model_version("models:/src/7", "dst"))],
    }  # fmt: skip


def fill(count):
    c = MlflowClient()
    for number in range(count):
        c.create_registered_model(f"page-{number:02}", tags={"odd": str(number % 2), "stem": "page"})
    c.create_registered_model("Alpha", tags={"stem": "other"}, description="x")
    for number in range(count):
        c.create_model_version(
            "page-00", f"s3://bucket/{number}", run_id=f"run{number % 2}", tags={"n": str(number % 3)}
        )


def search():
    c = MlflowClient()

    def names(**given):
        return [m.name for m in c.search_registered_models(**given)]

    def numbers(text, **given):
        return [int(v.version) for v in c.search_model_versions(text, **given)]

    pages, token = [], None
    while True:
        page = c.search_registered_models("name LIKE 'page-%'", max_results=3, page_token=token)
        pages.append([m.name for m in page])
        token = page.token
        if not token:
            break
    of_versions, token = [], None
    while True:
        found = c.search_model_versions("name = 'page-00'", max_results=3, page_token=token)
        of_versions.append([int(v.version) for v in found])
        token = found.token
        if not token:
            break
    return {
        "all": names(), "pages": pages, "version_pages": of_versions,
        "like": names(filter_string="name LIKE 'PAGE%'"), "ilike": names(filter_string="name ilike 'ALP%'"),
        "tag": names(filter_string="tags.odd = '1' and tag.`stem` = 'page'"),
        "not": names(filter_string="tags.stem != 'page'"),
        "order": names(order_by=["name DESC"], max_results=2),
        "created": names(order_by=["creation_timestamp ASC", "name"], max_results=2),
        "v_tag": numbers("name='page-00' AND tags.n = '1'", order_by=["version_number ASC"]),
        "v_run": numbers("run_id = 'run1'", order_by=["version_number"]),
        "v_runs": numbers("run_id IN ('run1', 'none')", order_by=["version_number DESC"]),
        "v_more": numbers("name = 'page-00' AND version_number >= 4 AND version_number < 6", order_by=["version_number"]),
        "v_source": numbers("source_path = 's3://bucket/2'"),
        "default": numbers("name='page-00'", max_results=2),
        "prompts": len(mlflow.genai.search_prompts()),
        "codes": [
            code(lambda: c.search_registered_models("nonsense = 'x'")),
            code(lambda: c.search_registered_models("name = x")),
            code(lambda: c.search_registered_models("name = 'a' OR name = 'b'")),
            code(lambda: c.search_registered_models(order_by=["nonsense"])),
            code(lambda: c.search_registered_models(max_results=1001)),
            code(lambda: c.search_registered_models(page_token="nonsense")),
            code(lambda: c.search_model_versions("colour='red'")),
            code(lambda: c.search_model_versions("version_number LIKE '1'")),
            code(lambda: c.search_model_versions("name='m'", max_results=200_001)),
        ],
    }  # fmt: skip


def fluent():
    made = mlflow.register_model("s3://bucket/fluent", "flu", await_registration_for=5, tags={"a": "1"})
    mlflow.set_model_version_tag("flu", version="1", key="b", value="2")
    mlflow.set_registered_model_alias("flu", "best", made.version) if hasattr(
        mlflow, "set_registered_model_alias"
    ) else None
    return {
        "made": version(made),
        "models": [m.name for m in mlflow.search_registered_models(filter_string="name = 'flu'")],
        "versions": [version(v) for v in mlflow.search_model_versions(filter_string="name = 'flu'")],
    }


def protected(name):
    """What the client hears when version 1 is to go to production."""
    c = MlflowClient()
    said = []
    for ask in (
        lambda: c.set_registered_model_alias(name, "production", "1"),
        lambda: c.transition_model_version_stage(name, "1", "Production"),
    ):
        try:
            ask()
        except MlflowException as error:
            said.append([error.error_code, str(error)])
    return said


def files(name, number):
    """Download a version that another door made."""
    with tempfile.TemporaryDirectory() as folder:
        where = mlflow.artifacts.download_artifacts(f"models:/{name}/{number}", dst_path=folder)
        found = {}
        for root, _, names in os.walk(where):
            for one in names:
                path = os.path.join(root, one)
                with open(path, "rb") as stream:
                    found[os.path.relpath(path, where)] = stream.read().decode()
        return found


def names():
    return [m.name for m in MlflowClient().search_registered_models()]
