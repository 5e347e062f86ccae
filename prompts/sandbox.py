"""The sandbox that prompt templates run in; run as a program, it renders in a process of its own.

A sandbox keeps a template from reaching anything, but cannot keep it from computing for ever or filling the memory
(`[x, x]` forty times over is one short loop). So a template that loops or computes is rendered by
`python -I sandbox.py`, under the kernel's limits: JSON {"texts": [...], "library": {...}, "variables": {...}} on standard
input, JSON {"texts": [...]} or {"error": {"kind", "index", "line", "message"}} on standard output.
"""

import importlib.util
import json
import resource
import sys
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, TemplateError, UndefinedError, nodes, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

if TYPE_CHECKING or __name__ != "__main__":
    from prompts import mustache
else:  # isolated: nothing of ours can be imported but by its place
    _spec = importlib.util.spec_from_file_location("mustache", Path(__file__).with_name("mustache.py"))
    mustache = importlib.util.module_from_spec(_spec)
    sys.modules["mustache"] = mustache
    _spec.loader.exec_module(mustache)

MAX_OUTPUT = 1024 * 1024  # characters, of all messages together
MAX_RANGE = 10_000
CPU_S = 2
MEMORY_BYTES = 512 * 1024 * 1024


MUSTACHE = "mustache"
# A filter that no template can name: what an include becomes.
_INCLUDED = "what is included"


@dataclass(frozen=True)
class Text:
    """One template. `includes`: the library's key by what the template calls it; `name`: what errors call it."""

    source: str
    format: str = "jinja2"
    includes: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


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


def _include(written: str) -> str:
    job, text = _NOW.get()
    return job.included(text, written)


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
        self.filters[_INCLUDED] = _include


ENVIRONMENT = Sandbox()


def include_as_text(tree: nodes.Template) -> nodes.Template:
    """Each include becomes the text of the other prompt, which sees the call's variables and nothing of this template's."""

    def changed(node: nodes.Node) -> None:
        for name, value in node.iter_fields():
            if isinstance(value, list):
                setattr(node, name, [_as_text(child) for child in value])
                value = getattr(node, name)
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, nodes.Node):
                    changed(child)

    changed(tree)
    return tree


def _as_text(node: Any) -> Any:
    if not isinstance(node, nodes.Include):
        return node
    line = node.lineno
    called = nodes.Filter(node.template, _INCLUDED, [], [], None, None, lineno=line)
    return nodes.Output([called], lineno=line)


def _line(error: BaseException) -> int | None:
    """The template's line in a traceback that Jinja has rewritten."""
    found = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


class _Job:
    """One rendering: each included prompt is rendered once, when it is first needed."""

    def __init__(self, library: Mapping[str, Text], variables: Mapping[str, Any]) -> None:
        self.library, self.variables = library, variables
        self.done: dict[str, str] = {}
        self.index = 0

    def included(self, text: Text, written: str) -> str:
        key = text.includes[written.strip()]
        if key not in self.done:
            self.done[key] = self.write(self.library[key], MAX_OUTPUT)
        return self.done[key]

    def write(self, text: Text, left: int) -> str:
        """The text filled in, of at most `left` characters; RenderFailed says why not."""
        token = _NOW.set((self, text))
        try:
            parts: list[str] = []
            for part in self._mustache(text) if text.format == MUSTACHE else self._jinja(text):
                left -= len(part)
                if left < 0:
                    raise self._failed("output", text, None, f"The text is longer than {MAX_OUTPUT:,} characters.")
                parts.append(part)
            return "".join(parts)
        except UndefinedError as error:
            raise self._failed("undefined", text, _line(error), str(error)) from error
        except mustache.Missing as error:
            raise self._failed("undefined", text, text.source.count("\n", 0, error.offset) + 1, str(error)) from error
        except mustache.MustacheProblem as error:
            raise self._failed("template", text, None, error.message) from error
        except TemplateError as error:
            line = getattr(error, "lineno", None) or _line(error)
            raise self._failed("template", text, line, str(error)) from error
        except RecursionError as error:
            raise self._failed("template", text, _line(error), "it calls itself without end") from error
        except MemoryError as error:
            raise self._failed("template", text, None, "it needs more memory than a template may have") from error
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise self._failed("template", text, _line(error), str(error) or type(error).__name__) from error
        finally:
            _NOW.reset(token)

    def _jinja(self, text: Text) -> Any:
        source: str | nodes.Template = text.source
        if text.includes:
            source = include_as_text(ENVIRONMENT.parse(text.source))
        return ENVIRONMENT.from_string(source).generate(self.variables)

    def _mustache(self, text: Text) -> Any:
        def include(written: str) -> str:
            return self.included(text, written)

        return mustache.Renderer(self.variables, include, mustache.MAX_STEPS).render(mustache.parse(text.source))

    def _failed(self, kind: str, text: Text, line: int | None, message: str) -> RenderFailed:
        where = f"in {text.name}{f', line {line}' if line else ''}: " if text.name else ""
        return RenderFailed(kind, self.index, None if text.name else line, f"{where}{message}")


_NOW: ContextVar[tuple[_Job, Text]] = ContextVar("what is being rendered")


def render_here(texts: Sequence[Text], library: Mapping[str, Text], variables: Mapping[str, Any]) -> list[str]:
    """Render each text, in this process; RenderFailed says which one failed and why."""
    job = _Job(library, variables)
    done: list[str] = []
    left = MAX_OUTPUT
    for job.index, text in enumerate(texts):
        done.append(job.write(text, left))
        left -= len(done[-1])
    return done


def job_of(texts: Sequence[Text], library: Mapping[str, Text], variables: str) -> str:
    """What the program reads; `variables` is JSON already."""
    shown = {key: asdict(text) for key, text in library.items()}
    return f'{{"texts": {json.dumps([asdict(t) for t in texts])}, "library": {json.dumps(shown)}, "variables": {variables}}}'


def main() -> None:
    """Render what standard input says, under limits that only the kernel can hold to."""
    job = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        library = {key: Text(**text) for key, text in job["library"].items()}
        answer: dict[str, Any] = {"texts": render_here([Text(**t) for t in job["texts"]], library, job["variables"])}
    except RenderFailed as failed:
        answer = {"error": {"kind": failed.kind, "index": failed.index, "line": failed.line, "message": failed.message}}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
