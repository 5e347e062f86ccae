"""Runs in MLflow's own environment: its webhooks, by its unmodified client."""

from mlflow import MlflowClient
from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent, WebhookStatus
from mlflow.exceptions import MlflowException

ENTITIES = ("registered_model.created", "model_version.created", "model_version_tag.set", "model_version_tag.deleted",
            "model_version_alias.created", "model_version_alias.deleted")  # fmt: skip


def hook(w):
    return {
        "id": w.webhook_id, "name": w.name, "url": w.url, "events": [str(e) for e in w.events], "status": str(w.status),
        "description": w.description,
    }  # fmt: skip


PROMPTS = ("prompt.created", "prompt_version.created", "prompt_tag.set", "prompt_tag.deleted", "prompt_version_tag.set",
           "prompt_version_tag.deleted", "prompt_alias.created", "prompt_alias.deleted")  # fmt: skip


def create_hook(url, secret=None, prompts=False):
    events = [WebhookEvent.from_str(name) for name in (PROMPTS if prompts else ENTITIES)]
    return hook(MlflowClient().create_webhook("hook", url, events, description="tells", secret=secret))


def walk_hooks(url):
    c = MlflowClient()
    made = c.create_webhook("crud", url, [WebhookEvent(WebhookEntity.MODEL_VERSION, WebhookAction.CREATED)])
    found = {"made": hook(made), "got": hook(c.get_webhook(made.webhook_id))}
    found["listed"] = [hook(w) for w in c.list_webhooks()]
    changed = c.update_webhook(
        made.webhook_id, name="other", description="d2", status=WebhookStatus.DISABLED,
        events=[WebhookEvent(WebhookEntity.MODEL_VERSION_TAG, WebhookAction.SET)],
    )  # fmt: skip
    found["changed"] = hook(changed)
    c.delete_webhook(made.webhook_id)
    found["left"] = len(c.list_webhooks())
    try:
        c.get_webhook(made.webhook_id)
    except MlflowException as error:
        found["gone"] = error.error_code
    return found


def try_hook(webhook_id):
    result = MlflowClient().test_webhook(webhook_id)
    return [result.success, result.response_status, result.response_body, result.error_message]


def things_happen():
    c = MlflowClient()
    c.create_registered_model("told", description="d")
    c.create_model_version("told", "s3://bucket/1", run_id="r1", tags={"a": "b"}, description="v1")
    c.set_model_version_tag("told", "1", "k", "v")
    c.delete_model_version_tag("told", "1", "k")
    c.set_registered_model_alias("told", "rc", "1")
    c.delete_registered_model_alias("told", "rc")


def prompts_happen():
    import mlflow

    c = MlflowClient()
    mlflow.genai.register_prompt("greeting", "Hello {{name}}!", commit_message="first", tags={"a": "b"})
    c.create_registered_model("silent")
    mlflow.genai.set_prompt_tag("greeting", "k", "v")
    mlflow.genai.delete_prompt_tag("greeting", "k")
    mlflow.genai.set_prompt_version_tag("greeting", 1, "vk", "vv")
    mlflow.genai.delete_prompt_version_tag("greeting", 1, "vk")
    mlflow.genai.set_prompt_alias("greeting", "rc", 1)
    mlflow.genai.delete_prompt_alias("greeting", "rc")


def try_prompt_hook(webhook_id, name):
    return MlflowClient().test_webhook(webhook_id, WebhookEvent.from_str(name)).success
