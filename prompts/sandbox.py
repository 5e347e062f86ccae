"""The sandbox that prompt templates run in; run as a program, it renders in a process of its own.

A sandbox keeps a template from reaching anything, but cannot keep it from computing for ever or filling the memory
(`[x, x]` forty times over is one short loop). So a template that loops or computes is rendered by
`python -I sandbox.py`, under the kernel's limits: JSON {"sources": [...], "variables": {...}} on standard input, JSON
{"texts": [...]} or {"error": {"kind", "index", "line", "message"}} on standard output.
"""

import json
import resource
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import StrictUndefined, TemplateError, UndefinedError, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_OUTPUT = 1024 * 1024  # characters, of all messages together
MAX_RANGE = 10_000
CPU_S = 2
MEMORY_BYTES = 512 * 1024 * 1024


class RenderFailed(Exception):
    """Why a template gives no text. kind: undefined, template, output."""

    def __init__(self, kind: str, index: int, line: int | None, message: str) -> None:
        super().__init__(message)
        self.kind, self.index, self.line, self.message = kind, index, line, message


def _range(*arguments: int) -> range:
    found = range(*arguments)
    if len(found) > MAX_RANGE:
        raise OverflowError(f"range() gives at most {MAX_RANGE} numbers here")
    return found


@pass_context
def _as_is(context: Context, value: Any) -> Any:
    return value


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja without files, escaping or a way out; a template is rendered to the letter, its last newline included."""

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined,
            autoescape=False,
            keep_trailing_newline=True,
            # Both keep the compiler from working out constants, such as 'x'|center(10000000000), while it reads.
            optimized=False,
            finalize=_as_is,
        )
        for name in ("lipsum", "cycler", "joiner"):
            del self.globals[name]
        self.globals["range"] = _range


ENVIRONMENT = Sandbox()


def _line(error: BaseException) -> int | None:
    """The template's line in a traceback that Jinja has rewritten."""
    found = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def render_here(sources: Sequence[str], variables: Mapping[str, Any]) -> list[str]:
    """Render each source, in this process; RenderFailed says which one failed and why."""
    texts: list[str] = []
    left = MAX_OUTPUT
    for index, source in enumerate(sources):
        parts: list[str] = []
        try:
            for part in ENVIRONMENT.from_string(source).generate(variables):
                left -= len(part)
                if left < 0:
                    raise RenderFailed("output", index, None, f"The text is longer than {MAX_OUTPUT:,} characters.")
                parts.append(part)
        except UndefinedError as error:
            raise RenderFailed("undefined", index, _line(error), str(error)) from error
        except TemplateError as error:
            raise RenderFailed("template", index, getattr(error, "lineno", None) or _line(error), str(error)) from error
        except RecursionError as error:
            raise RenderFailed("template", index, _line(error), "it calls itself without end") from error
        except MemoryError as error:
            raise RenderFailed("template", index, None, "it needs more memory than a template may have") from error
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise RenderFailed("template", index, _line(error), str(error) or type(error).__name__) from error
        texts.append("".join(parts))
    return texts


def main() -> None:
    """Render what standard input says, under limits that only the kernel can hold to."""
    job = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        answer: dict[str, Any] = {"texts": render_here(job["sources"], job["variables"])}
    except RenderFailed as failed:
        answer = {"error": {"kind": failed.kind, "index": failed.index, "line": failed.line, "message": failed.message}}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
