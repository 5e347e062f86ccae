"""What MLflow's documentation shows for its prompt registry, by its unmodified client against the live site."""

import json

import pytest

from governance.ledger.models import AuditEvent
from governance.models import ApprovalRequest
from prompts.models import PromptVersion
from registry.models import Asset

pytestmark = pytest.mark.django_db(transaction=True)
INVALID, MISSING, THERE = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"


def test_text_prompts(mlflow, cast):
    found = mlflow("prompts_text")
    first = found["first"]
    assert first == {**found["made"], "aliases": []} and found["by_name"] == first and found["second"] == 2
    assert first["template"] == "Summarize in {{ num_sentences }} sentences: {{sentences}}"
    assert first["tags"] == {"author": "a@example.com", "task": "summarization"} and first["message"] == "Initial"
    assert (
        first["config"] == {"model_name": "gpt-4", "temperature": 0.7, "seed": 3} and first["format"] == found["schema"]
    )
    assert found["filled"] == "Summarize in 1 sentences: x" and "{sentences}" in found["single"]
    assert (found["latest"], found["newest"]) == (2, 2) and first["user"] == "alice@example.com"
    assert {key: found["tags"][key] for key in ("author", "task")} == {"author": "a@example.com", "task": "s"}
    row = PromptVersion.objects.get(number=1)
    assert (row.format, row.model, row.variables) == ("mustache", "gpt-4", ["num_sentences", "sentences"])
    assert row.response_format["type"] == "json_schema" and not Asset.objects.exists()
    assert AuditEvent.objects.filter(action="prompt_version.created").count() == 2


def test_chat_prompts(mlflow):
    found = mlflow("prompts_chat")
    assert found["filled"] == [{"role": "system", "content": "You are kind."}, {"role": "user", "content": "why?"}]
    assert found["variables"] == ["question", "style"]
    assert found["format"] == {"type": "object", "properties": {"answer": {"type": "string"}}}


def test_jinja_and_odd_texts_come_back_as_they_went(mlflow):
    found = mlflow("prompts_jinja")
    assert found["template"].startswith("Hello {% if name %}") and found["filled"] == ["Hello A!", "Hello Guest!"]
    assert found["kept"] == found["odd"]
    assert list(PromptVersion.objects.filter(prompt__name="odd").order_by("number").values_list("format", flat=True)) == [
        "jinja2", "mustache", "mustache", "mustache", "mustache",
    ]  # fmt: skip


def test_aliases_are_labels(mlflow):
    found = mlflow("prompts_aliases")
    assert found["first"] == [1, ["beta"]] and (found["second"], found["by_alias"]) == (2, 2)
    assert found["versions"] == [[2, ["beta"]], [1, []]] and found["missing"]
    assert found["gone"] == INVALID and found["codes"] == [INVALID, INVALID, MISSING, MISSING, MISSING]


def test_searches_tell_prompts_from_models(mlflow):
    found = mlflow("prompts_search")
    names = [f"s-{number}" for number in range(5)]
    assert found["all"] == names and found["pages"] == [names[:2], names[2:4]]
    assert found["like"] == ["s-1", "s-3"] and found["order"] == ["s-4", "s-3"] and found["tags"] == "1"
    assert found["models"] == ["a-model"] and found["versions"] == 0


def test_tags_of_prompts_and_versions(mlflow):
    found = mlflow("prompts_tags")
    assert found["before"] == {"a": "1", "checked": "yes"} and found["after"] == {"a": "1"}
    assert found["prompt"]["owner"] == "ops" and "a" not in found["prompt"]
    assert found["config"][0] == INVALID and "never changes" in found["config"][1] and found["no_config"] == ""


def test_deleting(mlflow):
    found = mlflow("prompts_delete")
    assert (found["left"], found["again"], found["gone"], found["code"]) == ([3, 1], 4, True, MISSING)


def test_a_name_is_a_models_or_a_prompts(mlflow):
    found = mlflow("prompts_names")
    assert found["model_first"][0] == INVALID and "same name as an existing model" in found["model_first"][1]
    assert (found["prompt_first"], found["not_a_model"], found["bad"]) == (THERE, MISSING, INVALID) and found["left"]


def test_runs_and_experiments_that_use_a_prompt(mlflow):
    found = mlflow("prompts_linked")
    assert found["experiments"].startswith(",")
    assert json.loads(found["run"]) == [{"name": "linked", "version": "1"}]


def test_within_a_trace_prompts_load_though_traces_are_not_kept(mlflow):
    found = mlflow("prompts_traced")
    assert found["text"] == "Hi you" and found["linked"][0] in ("ENDPOINT_NOT_FOUND", MISSING)


def test_prompts_are_optimised_and_the_run_tells_of_it(mlflow):
    found = mlflow("prompts_optimised")
    assert (found["version"], found["loaded"]["template"], found["runs"], found["status"]) == (
        2,
        "Say {{x}}!",
        1,
        "FINISHED",
    )
    assert found["loaded"]["config"] == {"model_name": "m", "temperature": 0.5}


def test_a_protected_alias_asks_and_the_error_says_where(mlflow, site):
    said = mlflow("prompts_protected", "guarded")
    request = ApprovalRequest.objects.get()
    assert [code for code, _ in said] == ["PERMISSION_DENIED"] * 2
    assert all(f"{site}/requests/{request.pk}" in text for _, text in said)


def test_a_prompt_of_the_native_door_is_loaded(mlflow, cast, actor):
    from prompts import actions

    by = actor(cast.alice)

    def version(name, **fields):
        prompt = actions.create_prompt(team=cast.team, name=name, by=by)
        return actions.create_version(prompt=prompt, by=by, **fields)

    version("tone", type="text", format="mustache", template="Be {{mood}}.")
    messages = [
        {"role": "system", "content": "{{> tone:1}} Hi"},
        {"type": "placeholder", "name": "history"},
        {"role": "user", "content": "{{q}}"},
    ]
    version("native", type="chat", format="mustache", template=messages, model="m", parameters={"temperature": 0})
    found = mlflow("prompts_look", "prompts:/native/1")
    assert found["template"] == [
        {"role": "system", "content": "Be {{mood}}. Hi"},
        {"role": "placeholder", "content": "{{history}}"},
        {"role": "user", "content": "{{q}}"},
    ]
    assert found["config"] == {"model_name": "m", "temperature": 0}
