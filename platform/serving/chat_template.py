"""A model's own chat template, filled in; run as a program only, since the template came with the model and is not to be trusted.

`python -I chat_template.py` reads JSON {"template", "messages", "bos_token", "eos_token"} and writes JSON {"text"} or {"error"},
under the kernel's limits.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

CPU_S = 2
MEMORY_BYTES = 512 * 1024 * 1024
TIMEOUT_S = 10.0


class TemplateRefused(Exception):
    """The template can't be filled in with these messages; the message says why."""


def fill(template: str, messages: Sequence[Any], *, bos_token: str = "", eos_token: str = "") -> str:
    """The messages as the model reads them. Raises TemplateRefused."""
    job = {"template": template, "messages": list(messages), "bos_token": bos_token, "eos_token": eos_token}
    try:
        done = subprocess.run(
            [sys.executable, "-I", __file__ if Path(__file__).is_absolute() else str(Path(__file__).resolve())],
            input=json.dumps(job),
            capture_output=True,
            encoding="utf-8",
            env={"PYTHONUTF8": "1"},
            timeout=TIMEOUT_S,
            check=False,
        )
        answer: dict[str, str] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        raise TemplateRefused("it takes too much time or memory") from None
    if "error" in answer:
        raise TemplateRefused(answer["error"])
    return answer["text"]


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)


def main() -> None:
    job = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda form: datetime.now(UTC).strftime(form)
    try:
        answer = {"text": environment.from_string(job.pop("template")).render(**job, add_generation_prompt=True)}
    except Exception as error:
        answer = {"error": str(error)[:300] or type(error).__name__}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
