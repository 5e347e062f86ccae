"""Runs in MLflow's own environment: what its documentation shows for tracking, by its unmodified client."""

import os
import tempfile

import mlflow
import numpy
import pandas
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

# The heavy parts are imported here, once; and what a model needs is named: guessing it starts a second Python each time.
NEEDS = ["scikit-learn"]


class Doubler(mlflow.pyfunc.PythonModel):
    """Doubles what it is asked, plus what its file says."""

    def load_context(self, context):
        with open(context.artifacts["offset"]) as stream:
            self.offset = int(stream.read())

    def predict(self, context, model_input, params=None):
        return [2 * int(one) + self.offset for one in model_input["x"]]


def refused(call):
    """The error code that a call ends with; '' where it succeeds."""
    try:
        call()
    except MlflowException as error:
        return error.error_code
    return ""


def flowers():
    generator = numpy.random.default_rng(7)
    x = pandas.DataFrame(generator.normal(size=(60, 3)), columns=["a", "b", "c"])
    return x, (x["a"] + x["b"] > 0).astype(int)


def tree(run_id):
    """Every file of a run, as list_artifacts tells: path -> size."""
    found, folders, c = {}, [None], MlflowClient()
    while folders:
        for one in c.list_artifacts(run_id, folders.pop()):
            if one.is_dir:
                folders.append(one.path)
            else:
                found[one.path] = one.file_size
    return found


def track_everything():
    made = mlflow.set_experiment("lab/Überblick")
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(f"{folder}/deep/er")
        for path, text in {"one.txt": "1", "deep/er/two words.txt": "22", "deep/naïve.bin": "333"}.items():
            with open(f"{folder}/{path}", "w") as stream:
                stream.write(text)
        with mlflow.start_run(run_name="parent", tags={"who": "ada"}, description="First go") as run:
            mlflow.log_param("lr", 0.1)
            mlflow.log_params({"depth": 3, "long": "x" * 5_000})
            again = mlflow.log_param("lr", 0.1)
            mlflow.log_metric("loss", 0.9, step=0)
            mlflow.log_metrics({"loss": 0.5, "acc": 0.8}, step=1)
            for step in range(2, 22):
                mlflow.log_metric("loss", 1 / step, step=step, synchronous=False)
            mlflow.log_metric("odd", float("nan"))
            mlflow.log_metric("huge", float("inf"))
            mlflow.flush_async_logging()
            mlflow.set_tags({"stage": "try", "gone": "x"})
            mlflow.delete_tag("gone")
            mlflow.log_text("héllo", "notes/hello.txt")
            mlflow.log_dict({"a": [1, 2]}, "config.json")
            mlflow.log_table({"q": ["x", "y"], "n": [1, 2]}, "table.json")
            mlflow.log_artifact(f"{folder}/one.txt")
            mlflow.log_artifacts(folder, "all")
            x, _ = flowers()
            mlflow.log_input(
                mlflow.data.from_pandas(x, source="https://data/x.csv", name="flowers"), context="training"
            )
            with mlflow.start_run(run_name="child", nested=True) as child:
                mlflow.log_metric("loss", 0.25)
            changed = refused(lambda: MlflowClient().log_param(run.info.run_id, "lr", 0.2))
        got = mlflow.get_run(run.info.run_id)
        down = mlflow.artifacts.download_artifacts(
            run_id=run.info.run_id, artifact_path="all", dst_path=f"{folder}/down"
        )
        with open(os.path.join(down, "deep/er/two words.txt")) as stream:
            two = stream.read()
    data = got.inputs.dataset_inputs[0]
    return {
        "experiment": [made.name, made.lifecycle_stage], "again": str(again), "changed": changed, "two": two,
        "params": dict(got.data.params), "metrics": {key: repr(value) for key, value in got.data.metrics.items()},
        "tags": {key: value for key, value in got.data.tags.items() if "source" not in key and "git" not in key},
        "info": [got.info.run_name, got.info.status, got.info.artifact_uri, got.info.end_time >= got.info.start_time],
        "files": tree(run.info.run_id), "run": run.info.run_id,
        "child_of": mlflow.get_run(child.info.run_id).data.tags["mlflow.parentRunId"],
        "history": [(m.step, m.value) for m in MlflowClient().get_metric_history(run.info.run_id, "loss")],
        "text": mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/notes/hello.txt"),
        "dict": mlflow.artifacts.load_dict(got.info.artifact_uri + "/config.json"),
        "table": mlflow.load_table("table.json", run_ids=[run.info.run_id]).to_dict("list"),
        "missing": refused(lambda: mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/none.txt")),
        "data": [data.dataset.name, data.dataset.source_type, {tag.key: tag.value for tag in data.tags}],
    }  # fmt: skip


def track_failure():
    """A script that raises inside its run."""
    mlflow.set_experiment(experiment_id="0")
    try:
        with mlflow.start_run() as run:
            raise ValueError("boom")
    except ValueError:
        info = mlflow.get_run(run.info.run_id).info
    return [info.status, info.experiment_id]


def track_search():
    mlflow.set_experiment("search")
    for number in range(7):
        with mlflow.start_run(run_name=f"r{number}", tags={"odd": str(number % 2)}):
            mlflow.log_param("lr", number / 10)
            mlflow.log_metric("acc", number / 7)
    c, experiment = MlflowClient(), mlflow.get_experiment_by_name("search").experiment_id
    table = mlflow.search_runs(filter_string="metrics.acc > 0.3 and tags.odd = '1'", order_by=["metrics.acc DESC"])
    pages, token = [], None
    while True:
        page = c.search_runs([experiment], order_by=["params.lr ASC"], max_results=3, page_token=token)
        pages.append([run.info.run_name for run in page])
        token = page.token
        if not token:
            break
    return {
        "names": list(table["tags.mlflow.runName"]), "acc": list(table["metrics.acc"]), "lr": list(table["params.lr"]),
        "kind": str(table["start_time"].dtype), "pages": pages,
        "by_name": len(mlflow.search_runs(experiment_names=["search"])),
        "none": len(mlflow.search_runs(experiment_names=["search"], filter_string="params.lr = 'x'")),
        "everywhere": len(mlflow.search_runs(search_all_experiments=True)),
        "experiments": [e.name for e in mlflow.search_experiments(filter_string="name LIKE 'sea%'")],
        "bad": refused(lambda: c.search_runs([experiment], "metrics.acc > 'x'")),
    }  # fmt: skip


def track_bin():
    """Runs and experiments are deleted and come back."""
    c = MlflowClient()
    experiment = c.create_experiment("short-lived", tags={"a": "b"})
    run = c.create_run(experiment).info.run_id
    c.delete_run(run)
    found = {
        "run": [c.get_run(run).info.lifecycle_stage, len(c.search_runs([experiment]))],
        "write": refused(lambda: c.log_metric(run, "x", 1)),
    }
    c.restore_run(run)
    found["run_back"] = [c.get_run(run).info.lifecycle_stage, len(c.search_runs([experiment]))]
    c.delete_experiment(experiment)
    found["experiment"] = [c.get_experiment(experiment).lifecycle_stage, refused(lambda: c.create_run(experiment))]
    found["set"] = refused(lambda: mlflow.set_experiment("short-lived"))
    c.restore_experiment(experiment)
    back = c.get_experiment_by_name("short-lived")
    found["experiment_back"] = [back.lifecycle_stage, dict(back.tags), len(c.search_runs([experiment]))]
    return found


def track_sklearn():
    """The everyday script: train, log and register at once, name it, load it elsewhere."""
    x, y = flowers()
    mlflow.set_experiment("flowers")
    with mlflow.start_run() as run:
        trained = LogisticRegression(C=0.5).fit(x, y)
        info = mlflow.sklearn.log_model(
            trained, name="model", registered_model_name="flowers", signature=infer_signature(x, trained.predict(x)),
            input_example=x.head(2), pip_requirements=NEEDS, serialization_format="cloudpickle",
        )  # fmt: skip
        mlflow.log_metric("train_loss", 0.5, model_id=info.model_id)
    c = MlflowClient()
    c.set_registered_model_alias("flowers", "champion", info.registered_model_version)
    made = c.get_model_version_by_alias("flowers", "champion")
    wanted = list(trained.predict(x))
    loaded = [
        mlflow.sklearn.load_model(uri)
        for uri in ("models:/flowers@champion", "models:/flowers/1", info.model_uri, f"runs:/{run.info.run_id}/model")
    ]
    copied = c.copy_model_version("models:/flowers@champion", "flowers-prod")
    registered = mlflow.register_model(f"runs:/{run.info.run_id}/model", "again")
    signature = mlflow.models.get_model_info("models:/flowers/1").signature
    return {
        "same": [list(one.predict(x)) == wanted for one in loaded],
        "pyfunc": list(mlflow.pyfunc.load_model("models:/flowers@champion").predict(x)) == wanted,
        "copy": list(mlflow.sklearn.load_model("models:/flowers-prod/1").predict(x)) == wanted,
        "again": list(mlflow.sklearn.load_model("models:/again/1").predict(x)) == wanted,
        "version": [made.name, str(made.version), made.run_id == run.info.run_id, made.status, made.source == info.model_uri],
        "copied": [copied.name, str(copied.version), copied.source], "registered": [registered.name, registered.run_id],
        "inputs": signature.inputs.input_names(), "outputs": len(mlflow.get_run(run.info.run_id).outputs.model_outputs),
        "files": sorted(one.path for one in c.list_logged_model_artifacts(info.model_id)), "model_id": info.model_id,
    }  # fmt: skip


def track_autolog():
    x, y = flowers()
    mlflow.set_experiment("auto")
    mlflow.sklearn.autolog(registered_model_name="auto", log_input_examples=True)
    try:
        LogisticRegression(C=0.25, max_iter=50).fit(x, y)
    finally:
        mlflow.sklearn.autolog(disable=True)
    run = mlflow.last_active_run()
    return {
        "params": {key: run.data.params[key] for key in ("C", "max_iter")}, "metrics": sorted(run.data.metrics),
        "status": run.info.status, "files": sorted(tree(run.info.run_id)), "datasets": len(run.inputs.dataset_inputs),
        "version": str(MlflowClient().get_registered_model("auto").latest_versions[0].version),
        "shape": list(mlflow.sklearn.load_model("models:/auto/1").predict(x).shape),
    }  # fmt: skip


def track_pyfunc():
    mlflow.set_experiment("functions")
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/offset.txt", "w") as stream:
            stream.write("5")
        with mlflow.start_run():
            info = mlflow.pyfunc.log_model(
                name="doubler", python_model=Doubler(), artifacts={"offset": f"{folder}/offset.txt"}, pip_requirements=[],
            )  # fmt: skip
    return list(mlflow.pyfunc.load_model(info.model_uri).predict(pandas.DataFrame({"x": [1, 4]})))


def track_logged_models():
    """The API of models that are logged and not yet registered."""
    experiment = mlflow.set_experiment("models").experiment_id
    external = mlflow.create_external_model(name="outside", model_type="agent", params={"k": "v"}, tags={"t": "1"})
    pending = mlflow.initialize_logged_model(name="slow", params={"depth": "3"})
    data = mlflow.data.from_pandas(flowers()[0], name="held-out")
    mlflow.log_metric("acc", 0.9, model_id=pending.model_id, dataset=data)
    mlflow.log_model_params({"extra": "1"}, model_id=pending.model_id)
    mlflow.set_logged_model_tags(pending.model_id, {"x": "1", "gone": "2"})
    mlflow.delete_logged_model_tag(pending.model_id, "gone")
    before = mlflow.get_logged_model(pending.model_id)
    after = mlflow.finalize_logged_model(pending.model_id, "READY")
    order = [{"field_name": "metrics.acc", "ascending": False}]
    found = {
        "external": [external.name, external.model_type, external.params, external.tags["t"], str(external.status)],
        "before": [str(before.status), before.params, before.tags["x"], "gone" in before.tags],
        "metric": [(m.key, m.value, m.dataset_name) for m in before.metrics], "after": str(after.status),
        "search": [
            m.name for m in mlflow.search_logged_models([experiment], "metrics.acc > 0.5", order_by=order, output_format="list")
        ],
        "table": sorted(mlflow.search_logged_models([experiment])["name"]),
    }  # fmt: skip
    MlflowClient().delete_logged_model(external.model_id)
    found["left"] = [m.name for m in mlflow.search_logged_models([experiment], output_format="list")]
    found["gone"] = refused(lambda: mlflow.get_logged_model(external.model_id))
    return found
