"""Runs in the clients' environment: what Langfuse's documentation shows for prompts, by its unmodified SDK."""

import logging
import os
import time

from langfuse import Langfuse
from langfuse.api.core.api_error import ApiError

logging.getLogger("langfuse").setLevel(logging.CRITICAL)
CLIENTS = {}


def client(url, public, secret, **more):
    """One for each key: the SDK keeps what it fetched."""
    if (url, public, secret) not in CLIENTS:
        os.environ["OTEL_SDK_DISABLED"] = "true"
        CLIENTS[url, public, secret] = Langfuse(
            host=url, public_key=public, secret_key=secret, tracing_enabled=False, **more
        )
    return CLIENTS[url, public, secret]


def use(url, public, secret):
    global lf
    lf = client(url, public, secret)
    lf._resources.prompt_cache.clear() if hasattr(lf._resources.prompt_cache, "clear") else None


def error(work):
    try:
        work()
    except ApiError as found:
        return [found.status_code, (found.body or {}).get("error"), (found.body or {}).get("message")]
    except Exception as found:
        return [0, type(found).__name__, str(found)]
    return [200, "", ""]


def seen(prompt):
    names = ("name", "version", "prompt", "config", "labels", "tags", "commit_message", "is_fallback")
    return {"kind": type(prompt).__name__, **{name: getattr(prompt, name) for name in names}}


def auth():
    return lf.auth_check()


def project():
    return lf.api.projects.get().data[0].name


def text():
    made = lf.create_prompt(
        name="movie-critic",
        type="text",
        prompt="As a {{criticLevel}} movie critic, do you like {{movie}}?",
        labels=["staging-eu"],
        tags=["movies", "critics"],
        config={
            "model": "acme-chat",
            "temperature": 0.7,
            "supported_languages": ["en", "fr"],
            "nested": {"a": [1, None]},
        },
        commit_message="first",
    )
    got = lf.get_prompt("movie-critic", label="staging-eu", cache_ttl_seconds=0)
    return {
        "made": seen(made),
        "got": seen(got),
        "compiled": got.compile(criticLevel="expert", movie="Dune 2"),
        "langchain": got.get_langchain_prompt(),
        "variables": got.variables,
        "by_version": seen(lf.get_prompt("movie-critic", version=1, cache_ttl_seconds=0)),
        "latest": lf.get_prompt("movie-critic", label="latest", cache_ttl_seconds=0).version,
    }


def chat():
    messages = [
        {"role": "system", "content": "You are an {{criticLevel}} movie critic"},
        {"type": "placeholder", "name": "chat_history"},
        {"role": "user", "content": "Do you like {{movie}}?"},
    ]
    lf.create_prompt(name="critic-chat", type="chat", prompt=messages, labels=["eu"])
    got = lf.get_prompt("critic-chat", type="chat", label="eu", cache_ttl_seconds=0)
    history = [{"role": "user", "content": "Hi {{movie}}"}, {"role": "assistant", "content": "Hello", "tool_calls": []}]
    return {
        "got": seen(got),
        "compiled": got.compile(criticLevel="stern", movie="Alien", chat_history=history),
        "open": got.compile(movie="x"),
    }


def versions():
    for text in ("one", "two", "three"):
        lf.create_prompt(name="ver", prompt=text, labels=["mine"] if text == "two" else [])
    before = lf.get_prompt("ver", label="mine", cache_ttl_seconds=0).version
    patched = lf.update_prompt(name="ver", version=3, new_labels=["mine", "other"])
    lf.update_prompt(name="ver", version=3, new_labels=["third"])
    return {
        "before": before,
        "patched": [patched.version, sorted(patched.labels)],
        "after": sorted(lf.get_prompt("ver", label="mine", cache_ttl_seconds=0).labels),
        "second": lf.get_prompt("ver", version=2, cache_ttl_seconds=0).labels,
        "errors": [
            error(lambda: lf.update_prompt(name="ver", version=1, new_labels=["latest"])),
            error(lambda: lf.create_prompt(name="ver", prompt="x", labels=["latest"])),
            error(lambda: lf.create_prompt(name="ver", prompt=[{"role": "user", "content": "x"}], type="chat")),
            error(lambda: lf.update_prompt(name="ver", version=9, new_labels=["x"])),
            error(lambda: lf.get_prompt("ver", cache_ttl_seconds=0, max_retries=0)),
            error(lambda: lf.get_prompt("nope", cache_ttl_seconds=0, max_retries=0)),
            error(lambda: lf.create_prompt(name="cfg", prompt="x", config=[1])),
            error(lambda: lf.create_prompt(name="a@b", prompt="x")),
            error(lambda: lf.create_prompt(name="bad", prompt="{{#open}} no end")),
        ],
    }


def names():
    found = {}
    for name in ("support/refunds/first reply", "ordner/Grüße 你好 🙂"[:-2], "مجلد/تحية", "a.b-c_d"):
        lf.create_prompt(name=name, prompt=f"in {name} {{{{x}}}}", labels=["l"])
        found[name] = lf.get_prompt(name, label="l", cache_ttl_seconds=0).compile(x="y")
        lf.update_prompt(name=name, version=1, new_labels=["m"])
        found[name] += " " + ",".join(sorted(lf.get_prompt(name, label="m", cache_ttl_seconds=0).labels))
    return found


def listing():
    for index in range(5):
        for _ in range(2 if index == 0 else 1):
            lf.create_prompt(
                name=f"ls-{index}", prompt="x", tags=["ls", f"n{index}"], labels=["one"] if index == 1 else []
            )
    rows = lf.api.prompts.list(tag="ls")
    pages = [[row.name for row in lf.api.prompts.list(tag="ls", limit=2, page=page).data] for page in (1, 2, 3, 4)]
    flt = '[{"type":"string","column":"name","operator":"starts with","value":"LS-"},{"type":"number","column":"version","operator":">=","value":2}]'
    return {
        "rows": [[row.name, row.type, row.versions, row.labels, row.tags] for row in rows.data],
        "meta": rows.meta.dict(),
        "pages": pages,
        "name": [row.name for row in lf.api.prompts.list(name="ls-3").data],
        "label": [[row.name, row.versions] for row in lf.api.prompts.list(label="one").data],
        "latest": [row.versions for row in lf.api.prompts.list(tag="ls", label="latest").data],
        "filter": [[row.name, row.versions] for row in lf.api.prompts.list(filter=flt).data],
        "errors": [error(lambda: lf.api.prompts.list(limit=1000)), error(lambda: lf.api.prompts.list(filter="[1]"))],
    }


def cache(name):
    """What the SDK keeps: an answer of sixty seconds, and the fallback where there is none."""
    lf.create_prompt(name=name, prompt="one", labels=["k"])
    first = lf.get_prompt(name, label="k").prompt
    lf.create_prompt(name=name, prompt="two", labels=["k"])
    lf.create_prompt(name=f"{name}-ttl", prompt="one", labels=["k"])
    lf.get_prompt(f"{name}-ttl", label="k", cache_ttl_seconds=1)
    time.sleep(1.2)
    return {
        "first": first,
        "fresh": lf.get_prompt(name, label="k", cache_ttl_seconds=0).prompt,
        "stale": lf.get_prompt(f"{name}-ttl", label="k", cache_ttl_seconds=1).prompt,
        "fallback": seen(lf.get_prompt("not-there", fallback="Hi {{x}}", max_retries=0)),
        "chat": seen(
            lf.get_prompt("not-there", type="chat", fallback=[{"role": "user", "content": "Hi"}], max_retries=0)
        ),
    }


def delete():
    for text in ("one", "two", "three"):
        lf.create_prompt(name="gone/x", prompt=text, labels=["keep"] if text == "one" else ["drop"])
    quoted = lf._url_encode("gone/x")
    lf.api.prompts.delete(quoted, label="drop")
    after_label = lf.api.prompts.list(name="gone/x").data[0].versions
    lf.api.prompts.delete(quoted, version=2)
    after_version = lf.api.prompts.list(name="gone/x").data[0].versions
    lf.api.prompts.delete(quoted)
    return {
        "after_label": after_label,
        "after_version": after_version,
        "rows": len(lf.api.prompts.list(name="gone/x").data),
        "again": error(lambda: lf.api.prompts.delete(quoted)),
    }


def references():
    lf.create_prompt(name="base/tone", prompt="Be kind, {{name}}.", labels=["eu"])
    tag = "@@@langfusePrompt:name=base/tone|label=eu@@@"
    lf.create_prompt(name="whole", prompt=f"{tag} Answer: {{{{q}}}}", labels=["eu"])
    lf.create_prompt(name="whole-chat", type="chat", prompt=[{"role": "system", "content": tag}], labels=["eu"])
    pinned = "@@@langfusePrompt:name=base/tone|version=1@@@!"
    lf.create_prompt(name="pinned", prompt=pinned, labels=["eu"])
    lf.create_prompt(name="base/tone", prompt="Be stern, {{name}}.", labels=["eu"])
    got = lf.api.prompts.get("whole", label="eu")
    return {
        "resolved": lf.get_prompt("whole", label="eu", cache_ttl_seconds=0).compile(name="A", q="B"),
        "chat": lf.get_prompt("whole-chat", type="chat", label="eu", cache_ttl_seconds=0).prompt,
        "pinned": lf.get_prompt("pinned", label="eu", cache_ttl_seconds=0).prompt,
        "raw": lf.api.prompts.get("whole", label="eu", resolve=False).prompt,
        "graph": got.resolution_graph,
        "missing": error(lambda: lf.create_prompt(name="odd", prompt="@@@langfusePrompt:name=none|label=eu@@@")),
    }


def protected(name):
    """What becomes of labels that nothing moves without an approval."""
    made = error(lambda: lf.create_prompt(name=name, prompt="guarded", labels=["eu", "production"]))
    got = lf.get_prompt(name, label="eu", cache_ttl_seconds=0)
    again = error(lambda: lf.update_prompt(name=name, version=1, new_labels=["production"]))
    return {"made": made, "again": again, "labels": sorted(got.labels), "version": got.version}


def look(name, label):
    return seen(lf.get_prompt(name, label=label, cache_ttl_seconds=0))


def refused(name):
    return [
        error(lambda: lf.get_prompt(name, label="latest", cache_ttl_seconds=0, max_retries=0)),
        error(lambda: lf.create_prompt(name=name, prompt="x")),
        error(lambda: lf.update_prompt(name=name, version=1, new_labels=["x"])),
        error(lambda: lf.api.prompts.delete(name)),
    ]


def not_served():
    return error(lambda: lf.api.datasets.list())


def twice(name):
    """Two threads make the same prompt at once."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda number: lf.create_prompt(name=name, prompt=f"text {number}").version, range(4)))
    return sorted(made)
