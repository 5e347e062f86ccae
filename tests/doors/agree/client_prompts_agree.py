"""Runs in the clients' environment: one prompt as Langfuse's and as MLflow's unmodified client see it."""

import client_registry
import mlflow
from langfuse import Langfuse
from langfuse.api.core.api_error import ApiError
from mlflow.exceptions import MlflowException


def use(url, key_id, key):
    global lf
    client_registry.use(url, key)
    lf = Langfuse(host=url, public_key=key_id, secret_key=key, tracing_enabled=False)


def look(name, label):
    """Version and text, by both."""
    one = lf.get_prompt(name, label=label, cache_ttl_seconds=0)
    other = mlflow.genai.load_prompt(f"prompts:/{name}@{label}", cache_ttl_seconds=0)
    return [[one.version, one.prompt], [other.version, other.template]]


def write_with_langfuse(name, text, label):
    return lf.create_prompt(name=name, type="text", prompt=text, labels=[label]).version


def write_with_mlflow(name, text):
    return mlflow.genai.register_prompt(name=name, template=text).version


def move_with_langfuse(name, version, label):
    try:
        lf.update_prompt(name=name, version=version, new_labels=[label])
    except ApiError as error:
        return [str(error.status_code), str(error.body)]
    return ["", ""]


def move_with_mlflow(name, version, label):
    try:
        mlflow.genai.set_prompt_alias(name, alias=label, version=version)
    except MlflowException as error:
        return [error.error_code, str(error)]
    return ["", ""]
