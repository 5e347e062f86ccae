"""Runs in MLflow's own environment: what its documentation shows for prompts, by its unmodified client."""

import time

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import PromptModelConfig
from mlflow.exceptions import MlflowException
from mlflow.prompt.registry_utils import PromptCache
from pydantic import BaseModel

g = mlflow.genai


def said(call):
    """The error's code and text; '' where it went through."""
    try:
        call()
    except MlflowException as error:
        return [error.error_code, str(error)]
    return ["", ""]


def seen(p):
    return {
        "name": p.name, "version": p.version, "template": p.template, "message": p.commit_message, "tags": dict(p.tags),
        "aliases": list(p.aliases), "format": p.response_format, "config": p.model_config, "user": p._user_id,
        "variables": sorted(p.variables),
    }  # fmt: skip


def load(uri, **more):
    return seen(g.load_prompt(uri, cache_ttl_seconds=0, **more))


class Answer(BaseModel):
    answer: str
    score: float


def prompts_text():
    made = g.register_prompt(
        name="summary", template="Summarize in {{ num_sentences }} sentences: {{sentences}}", commit_message="Initial",
        tags={"author": "a@example.com", "task": "summarization"}, response_format=Answer,
        model_config=PromptModelConfig(model_name="gpt-4", temperature=0.7, extra_params={"seed": 3}),
    )  # fmt: skip
    second = g.register_prompt(
        name="summary", template="Shorter: {{sentences}}", commit_message="shorter", tags={"task": "s"}
    )
    loaded = g.load_prompt("prompts:/summary/1", cache_ttl_seconds=0)
    return {
        "made": seen(made), "second": second.version, "first": seen(loaded), "schema": Answer.model_json_schema(),
        "filled": loaded.format(num_sentences=1, sentences="x"), "by_name": load("summary", version=1),
        "latest": load("prompts:/summary@latest")["version"], "newest": load("summary")["version"],
        "tags": dict(g.get_prompt_tags("summary")), "single": loaded.to_single_brace_format(),
        "description": MlflowClient().get_prompt("summary").description,
    }  # fmt: skip


def prompts_chat():
    g.register_prompt(
        name="chat", template=[{"role": "system", "content": "You are {{style}}."}, {"role": "user", "content": "{{question}}"}],
        response_format={"type": "object", "properties": {"answer": {"type": "string"}}},
    )  # fmt: skip
    p = g.load_prompt("prompts:/chat/1", cache_ttl_seconds=0)
    return {**seen(p), "filled": p.format(style="kind", question="why?")}


def prompts_jinja():
    text = "Hello {% if name %}{{ name | upper }}{% else %}Guest{% endif %}!"
    g.register_prompt(name="jinja", template=text)
    p = g.load_prompt("jinja", version=1, cache_ttl_seconds=0)
    odd = [
        "{{ name | upper }}",
        'Return {"a": {"b": 1}} for {{x}}',
        "{{#items}}{{.}}{{/items}}",
        "{{! no }}{{x}}",
        "ünï {{ x }} \r\n🙂 ",
    ]
    for text_ in odd:
        g.register_prompt(name="odd", template=text_)
    kept = [load("odd", version=number + 1)["template"] for number in range(len(odd))]
    return {"template": p.template, "filled": [p.format(name="a"), p.format()], "odd": odd, "kept": kept}


def prompts_aliases():
    for text in ("one", "two"):
        g.register_prompt(name="al", template=text)
    g.set_prompt_alias("al", alias="beta", version=1)
    first = load("prompts:/al@beta")
    g.set_prompt_alias("al", alias="beta", version=2)
    second = load("prompts:/al@beta")["version"]
    client = MlflowClient()
    by_alias = client.get_prompt_version_by_alias("al", "beta").version
    versions = [[v.version, list(v.aliases)] for v in client.search_prompt_versions("al")]
    g.delete_prompt_alias("al", "beta")
    return {
        "first": [first["version"], first["aliases"]], "second": second, "by_alias": by_alias, "versions": versions,
        "gone": said(lambda: load("prompts:/al@beta"))[0], "missing": g.load_prompt("prompts:/nope/1", allow_missing=True) is None,
        "codes": [
            said(lambda: g.set_prompt_alias("al", "latest", 1))[0], said(lambda: g.set_prompt_alias("al", "v1", 1))[0],
            said(lambda: g.set_prompt_alias("al", "x", 9))[0], said(lambda: load("prompts:/al/9"))[0],
            said(lambda: load("prompts:/nope/1"))[0],
        ],
    }  # fmt: skip


def prompts_search():
    for index in range(5):
        g.register_prompt(name=f"s-{index}", template=f"text {index}", tags={"odd": str(index % 2)})
    client = MlflowClient()
    client.create_registered_model("a-model")
    first = client.search_prompts(max_results=2)
    rest = client.search_prompts(max_results=2, page_token=first.token)
    return {
        "all": [p.name for p in g.search_prompts()], "pages": [[p.name for p in first], [p.name for p in rest]],
        "like": [p.name for p in g.search_prompts("name LIKE 's-%' AND tags.odd = '1'")],
        "order": [p.name for p in client.search_prompts(order_by=["name DESC"], max_results=2)],
        "models": [m.name for m in client.search_registered_models()], "tags": g.search_prompts("name = 's-1'")[0].tags["odd"],
        "versions": len(client.search_model_versions()),
    }  # fmt: skip


def prompts_tags():
    g.register_prompt(name="tg", template="x", tags={"a": "1"})
    g.set_prompt_tag("tg", "owner", "ops")
    g.set_prompt_version_tag("tg", 1, "checked", "yes")
    before = load("tg", version=1)["tags"]
    g.delete_prompt_version_tag("tg", 1, "checked")
    g.delete_prompt_tag("tg", "a")
    config = said(lambda: g.set_prompt_model_config("tg", 1, {"model_name": "x", "temperature": 1.0}))
    return {
        "before": before, "after": load("tg", version=1)["tags"], "prompt": dict(g.get_prompt_tags("tg")), "config": config,
        "no_config": said(lambda: g.delete_prompt_model_config("tg", 1))[0],
    }  # fmt: skip


def prompts_delete():
    client = MlflowClient()
    for text in ("one", "two", "three"):
        g.register_prompt(name="del", template=text)
    g.set_prompt_alias("del", "b", 2)
    client.delete_prompt_version("del", "2")
    left = [v.version for v in client.search_prompt_versions("del")]
    again = g.register_prompt(name="del", template="four").version
    client.delete_prompt("del")
    return {
        "left": left,
        "again": again,
        "gone": client.get_prompt("del") is None,
        "code": said(lambda: load("prompts:/del/1"))[0],
    }


def prompts_names():
    client = MlflowClient()
    client.create_registered_model("taken")
    g.register_prompt(name="mine", template="x")
    return {
        "model_first": said(lambda: g.register_prompt(name="taken", template="x")),
        "prompt_first": said(lambda: client.create_registered_model("mine"))[0],
        "not_a_model": said(lambda: client.get_model_version_download_uri("mine", "1"))[0],
        "bad": said(lambda: g.register_prompt(name="broken", template="{% if %}"))[0],
        "left": client.get_prompt("broken") is None,
    }


def prompts_linked():
    """A run and an experiment that use a prompt: what the client notes by itself."""
    mlflow.set_experiment("with prompts")
    g.register_prompt(name="linked", template="Hi {{x}}")
    with mlflow.start_run() as run:
        g.load_prompt("prompts:/linked/1", cache_ttl_seconds=0)
        MlflowClient().link_prompt_version_to_run(run.info.run_id, "prompts:/linked/1")
    PromptCache.get_instance()
    for _ in range(50):
        found = dict(MlflowClient().get_prompt("linked").tags)
        if "_mlflow_experiment_ids" in found:
            break
        time.sleep(0.1)
    return {
        "experiments": found.get("_mlflow_experiment_ids"),
        "run": MlflowClient().get_run(run.info.run_id).data.tags.get("mlflow.linkedPrompts"),
    }


def prompts_protected(name):
    g.register_prompt(name=name, template="guarded")
    return [said(lambda: g.set_prompt_alias(name, "production", 1)) for _ in range(2)]


def prompts_look(uri):
    return load(uri)


def prompts_traced():
    """A prompt that is loaded within a trace: the trace goes nowhere, and the prompt is there all the same."""
    g.register_prompt(name="traced", template="Hi {{x}}")
    with mlflow.start_span("answer"):
        text = g.load_prompt("prompts:/traced/1", cache_ttl_seconds=0).format(x="you")
    mlflow.flush_trace_async_logging()
    linked = said(lambda: MlflowClient().link_prompt_versions_to_trace([g.load_prompt("prompts:/traced/1")], "tr-1"))
    return {"text": text, "linked": linked}


def prompts_optimised():
    """MLflow's optimisation loads prompts and registers what it found; its run notes how it went."""
    from mlflow.genai.optimize import BasePromptOptimizer
    from mlflow.genai.optimize.types import PromptOptimizerOutput

    class Louder(BasePromptOptimizer):
        def optimize(self, eval_fn, train_data, target_prompts, enable_tracking=True):
            return PromptOptimizerOutput(optimized_prompts={name: f"{text}!" for name, text in target_prompts.items()})

    mlflow.set_experiment("optimised")
    g.register_prompt(name="opt", template="Say {{x}}", model_config={"model_name": "m", "temperature": 0.5})
    found = g.optimize_prompts(
        predict_fn=lambda x: g.load_prompt("prompts:/opt/1").format(x=x),
        train_data=[{"inputs": {"x": "a"}, "expectations": {"expected_response": "A"}}],
        prompt_uris=["prompts:/opt/1"], optimizer=Louder(), scorers=[],
    )  # fmt: skip
    made = found.optimized_prompts[0]
    runs = mlflow.search_runs(experiment_names=["optimised"], output_format="list")
    return {"version": made.version, "loaded": load("prompts:/opt/2"), "runs": len(runs), "status": runs[0].info.status}
