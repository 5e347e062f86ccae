"""The arguments of an engine, as they come out of Serve's declarative config, checked once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving.engines.errors import EngineError
from serving.engines.files import ManifestFile, parse_manifest

OURS = ("max_model_len", "dtype", "max_concurrency", "threads")
# vLLM's arguments that load other bytes than the approved ones, or run code that somebody names.
_FOREIGN = re.compile(
    r"model|tokenizer|lora|adapter|_cls$|plugin|processor|download|revision|path|override|remote|speculative|middleware"
    r"|load_format|template|^hf_|module"
)
TASKS = ("text-generation", "feature-extraction")
DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class EngineOptions:
    """How to run a model. `max_concurrency` requests compute at once, further ones queue; `threads` is torch's."""

    max_model_len: int | None = None
    dtype: str = "auto"
    max_concurrency: int = 4
    threads: int | None = None


@dataclass(frozen=True)
class EngineArguments:
    """One model to serve: which bytes (digest, manifest), where from, and how."""

    model: str
    digest: str
    task: str
    manifest: tuple[ManifestFile, ...]
    files_url: str
    cache_dir: Path
    options: EngineOptions
    token: str = field(repr=False)  # must not reach a log through a repr


def parse_arguments(args: Mapping[str, Any]) -> EngineArguments:
    """Check `args` of the Serve config. Raises EngineError naming the argument."""
    for name in ("model", "digest", "task", "manifest", "files_url", "token", "cache_dir"):
        if not args.get(name):
            raise EngineError(f"engine argument {name!r} is missing")
    if args["task"] not in TASKS:
        raise EngineError(f"engine argument 'task' is {args['task']!r}; this engine knows {' and '.join(TASKS)}")
    if not str(args["files_url"]).startswith(("http://", "https://")):
        raise EngineError(
            f"engine argument 'files_url' is {args['files_url']!r}; it must begin with http:// or https://"
        )
    return EngineArguments(
        model=str(args["model"]),
        digest=str(args["digest"]),
        task=str(args["task"]),
        manifest=parse_manifest(args["manifest"]),
        files_url=str(args["files_url"]),
        token=str(args["token"]),
        cache_dir=Path(str(args["cache_dir"])),
        options=parse_options(args.get("engine") or {}),
    )


def parse_options(engine: Mapping[str, Any]) -> EngineOptions:
    """Check the `engine` part. Unknown options are refused: a misspelt one would silently do nothing."""
    unknown = sorted(set(engine) - set(OURS))
    if unknown:
        raise EngineError(f"engine option {unknown[0]!r} is unknown; known are {', '.join(OURS)}")
    dtype = engine.get("dtype") or "auto"
    if dtype not in DTYPES:
        raise EngineError(f"engine option 'dtype' is {dtype!r}; choose one of {', '.join(DTYPES)}")
    return EngineOptions(
        max_model_len=_positive(engine, "max_model_len"),
        dtype=dtype,
        max_concurrency=_positive(engine, "max_concurrency") or EngineOptions.max_concurrency,
        threads=_positive(engine, "threads"),
    )


def parse_vllm_options(engine: Mapping[str, Any]) -> EngineOptions:
    """The same of vLLM, whose own arguments may stand beside ours: but for those by which other bytes would be loaded than
    the digest names, or code be run."""
    for name in sorted(set(engine) - set(OURS)):
        if _FOREIGN.search(name.replace("-", "_").lower()):
            raise EngineError(
                f"engine option {name!r} is not allowed: what runs here is the registered version's files and nothing else"
            )
    return parse_options({name: engine[name] for name in OURS if name in engine})


def _positive(engine: Mapping[str, Any], name: str) -> int | None:
    value = engine.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise EngineError(f"engine option {name!r} is {value!r}; it must be a whole number of at least 1")
    return value
