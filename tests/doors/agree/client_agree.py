"""Runs in MLflow's own environment: a model as its client sees it, and what becomes of moving a protected alias there."""

from client_registry import use, version
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

__all__ = ["use"]


def look(name, alias):
    c = MlflowClient()
    return {
        "aliases": {alias: str(number) for alias, number in c.get_registered_model(name).aliases.items()},
        "versions": [version(v) for v in c.search_model_versions(f"name = '{name}'")],
        "at_alias": version(c.get_model_version_by_alias(name, alias)),
    }


def move(name, alias, number):
    """The error's code and text; '' where it moved."""
    try:
        MlflowClient().set_registered_model_alias(name, alias, number)
    except MlflowException as error:
        return [error.error_code, str(error)]
    return ["", ""]


def fetch(name, alias, folder):
    return download_artifacts(artifact_uri=f"models:/{name}@{alias}", dst_path=folder)
