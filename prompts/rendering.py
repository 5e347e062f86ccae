"""Rendering a prompt with variables: bounded in time, memory and length, every wrong name named."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accounts.access import Actor
from accounts.errors import Conflict, Forbidden, Invalid, Unavailable
from prompts import composition, inputs, parts, sandbox, syntax
from prompts.checks import Content
from prompts.composition import CompositionProblem, Edge, Tree
from prompts.inputs import Input
from prompts.models import Prompt, PromptVersion
from prompts.reads import unseen
from prompts.sandbox import RenderFailed, Text

TIMEOUT_S = 10.0
MAX_VARIABLES = 1024 * 1024  # characters of JSON


@dataclass(frozen=True)
class Rendering:
    """What a caller sends to a model. `used`: the included prompts and the versions that were taken; `through`: by which names.
    `borrowed`: ids of those of other teams; whoever reads what was rendered needs to see them, too (prompts.reads.withhold)."""

    type: str
    text: str | None
    messages: list[dict[str, Any]] | None
    tools: list[dict[str, Any]]
    response_format: dict[str, Any] | None
    model: str
    parameters: dict[str, Any]
    used: list[tuple[Prompt, PromptVersion]] = field(default_factory=list)
    through: list[tuple[Edge, PromptVersion]] = field(default_factory=list)
    borrowed: list[int] = field(default_factory=list)

    @property
    def rendered(self) -> str | list[dict[str, Any]]:
        return self.messages if self.text is None else self.text  # type: ignore[return-value]  # one of both is there


@dataclass
class _Read:
    """The texts of one rendering and what they name."""

    fields: list[str]  # where each text stands
    texts: list[Text]
    library: dict[str, Text]
    found: list[syntax.Syntax]
    rows: list[Input]
    placeholders: list[str]

    @property
    def known(self) -> frozenset[str]:
        return frozenset(self.placeholders).union(*(one.variables for one in self.found))

    @property
    def needed(self) -> frozenset[str]:
        return frozenset[str]().union(*(one.needed for one in self.found))

    @property
    def cheap_work(self) -> int:
        return min((one.cheap_work for one in self.found), default=0)


def render_version(
    version: PromptVersion | Content,
    variables: Mapping[str, Any],
    *,
    by: Actor | None,
    placeholders: Mapping[str, Any] | None = None,
) -> Rendering:
    """The text, or the messages, with variables and included prompts filled in. Raises Invalid at `variables.NAME` for one that is
    missing, unknown or of the wrong type, and at `template` for what fails there. Of other teams' prompts only those are included
    that the actor sees."""
    fields = version.fields if isinstance(version, Content) else _fields(version)
    tree = tree_of(version, by)
    read = _read(version, fields, tree)
    given = {**variables, **(placeholders or {})}
    _check_names(read, given)
    values, wrong = inputs.fill(read.rows, given)
    wrong |= dict.fromkeys(_broken(values), "It holds half of a character (a lone surrogate).")
    if wrong:
        raise _named({f"variables.{name}": text for name, text in wrong.items()})
    messages = _messages(read, values)
    for name in read.placeholders:
        if name not in read.needed:
            values.pop(name, None)
    texts = _fill(read, values, frozenset(_missing(read, values)))
    rendered = parts.filled(fields["template"], texts, messages)
    return Rendering(
        type=fields["type"],
        text=rendered if isinstance(rendered, str) else None,
        messages=None if isinstance(rendered, str) else rendered,
        tools=fields["tools"],
        response_format=fields["response_format"],
        model=fields["model"],
        parameters=fields["parameters"],
        used=[(held.prompt, held) for held in {one.pk: one for one in tree.versions.values()}.values()],
        through=tree.through,
        borrowed=sorted({one.prompt_id for one in tree.versions.values() if one.prompt.team_id != _team_of(version)}),
    )


def inputs_of(version: PromptVersion | Content) -> list[Input]:
    """Every value that the prompt takes, declared ones first: for forms."""
    fields = version.fields if isinstance(version, Content) else _fields(version)
    return inputs.all_inputs(fields["inputs"], version.variables, parts.placeholders_of(fields["template"]))


def _fields(version: PromptVersion) -> dict[str, Any]:
    names = ("type", "format", "template", "inputs", "tools", "response_format", "model", "parameters")
    return {name: getattr(version, name) for name in names}


def tree_of(version: PromptVersion | Content, by: Actor | None) -> Tree:
    """All that is included, there and to be seen."""
    team = _team_of(version)
    if isinstance(version, Content):
        edges, start = version.includes, "this prompt"
    else:
        # Most include nothing, and their text says so: no query.
        edges = composition.edges_of([version]).get(version.pk, []) if _may_include(version) else []
        start = str(version.prompt)
    if not edges:
        return Tree([])
    try:
        tree = composition.descend(edges)
        tree.check(start)
    except CompositionProblem as problem:
        raise Invalid("template", problem.message) from None
    held = {one.pk: one for one in tree.versions.values()}
    crossing = {edge.prompt.pk: edge for edge in edges if edge.prompt.team_id != team}
    for pk, below in tree.below.items():
        crossing |= {edge.prompt.pk: edge for edge in below if edge.prompt.team_id != held[pk].prompt.team_id}
    _check_seen(crossing, by)
    for edge in [*edges, *(edge for below in tree.below.values() for edge in below)]:
        if wrong := composition.own_text_problem(edge, tree.follow(edge)):
            raise Conflict(f"It includes {edge.name}, which is not there any more: {wrong}", code="include_missing")
    return tree


def _team_of(version: PromptVersion | Content) -> int:
    if isinstance(version, Content):
        return version.team.pk if version.team else 0
    return version.prompt.team_id


def _may_include(version: PromptVersion) -> bool:
    sign = "{{" if version.format == sandbox.MUSTACHE else "include"
    return any(sign in part.text for part in parts.parts_of(version.template))


def _check_seen(crossing: Mapping[int, Edge], by: Actor | None) -> None:
    for pk in sorted(unseen(by, crossing)) if by is not None else ():
        raise Forbidden(
            f"It includes a prompt of the team {crossing[pk].prompt.team}, where you may not see it. Ask there for asset.view.",
            permission="asset.view",
        )


def _read(version: PromptVersion | Content, fields: Mapping[str, Any], tree: Tree) -> _Read:
    """Everything that is to be rendered, parsed once."""
    placeholders = parts.placeholders_of(fields["template"])
    declared, seen = inputs.declared_in(fields["inputs"]), set()
    rows = [row for row in declared if not (row.name in seen or seen.add(row.name))]  # type: ignore[func-returns-value]
    for held in tree.versions.values():
        for row in inputs.declared_in(held.inputs):
            if row.name not in seen:
                seen.add(row.name)
                rows.append(row)
    nested = frozenset(row.name for row in rows if row.type in inputs.NESTED)
    library = {
        _key(held): _text(held.format, str(held.template), tree.below.get(held.pk, []), tree, f"the included {held}")
        for held in tree.versions.values()
    }
    places = parts.parts_of(fields["template"])
    own = [_text(fields["format"], part.text, tree.edges, tree, "") for part in places]
    found = [_syntax(text, seen, nested) for text in [*own, *library.values()]]
    rows += [Input(name, "messages", {}, implicit=True) for name in placeholders if name not in seen]
    return _Read([part.field for part in places], own, library, found, rows, placeholders)


def _key(version: PromptVersion) -> str:
    return f"{version.prompt_id}:{version.number}"


def _text(form: str, source: str, edges: Iterable[Edge], tree: Tree, name: str) -> Text:
    held = {edge.written: version for edge in edges if (version := tree.follow(edge))}
    return Text(source, form, {written: _key(version) for written, version in held.items()}, name)


def _syntax(text: Text, declared: Iterable[str], nested: frozenset[str]) -> syntax.Syntax:
    try:
        return syntax.read(text.source, text.format, declared=list(declared), nested=nested)
    except syntax.SyntaxProblem as problem:  # cannot happen to a stored version, only to a text being edited
        raise Invalid("template", str(problem), code="template_error") from None


def _check_names(read: _Read, given: Mapping[str, Any]) -> None:
    known = read.known | {row.name for row in read.rows}
    unknown = sorted(set(given) - known)
    if unknown:
        has = f"It has: {', '.join(sorted(known))}." if known else "It has none."
        raise _named({f"variables.{name}": f"This prompt has no variable '{name}'. {has}" for name in unknown})


def _named(errors: Mapping[str, str]) -> Invalid:
    problem = Invalid("variables", " ".join(errors.values()))
    problem.errors = {field: [text] for field, text in errors.items()}
    return problem


def _messages(read: _Read, values: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """What stands for each placeholder."""
    optional = {row.name for row in read.rows if not row.implicit and not row.required}
    missing = [name for name in read.placeholders if name not in values and name not in optional]
    if missing:
        raise _named({f"variables.{name}": f"Give the messages that stand for '{name}'." for name in missing})
    return {name: values.get(name, []) for name in read.placeholders}


def _broken(values: Mapping[str, Any]) -> list[str]:
    """The names of those that no UTF-8 can hold."""
    found = []
    for name, value in values.items():
        try:
            json.dumps([name, value], ensure_ascii=False, default=str).encode()
        except UnicodeEncodeError:
            found.append(name)
    return found


def _missing(read: _Read, values: Mapping[str, Any]) -> set[str]:
    return set(read.needed - values.keys())


def _fill(read: _Read, variables: Mapping[str, Any], missing: frozenset[str]) -> list[str]:
    try:
        values = json.dumps(dict(variables))
    except (TypeError, ValueError):
        raise Invalid("variables", "Values are JSON: text, numbers, true, false, null, lists and objects.") from None
    if len(values) > MAX_VARIABLES:
        raise Invalid("variables", f"At most {MAX_VARIABLES:,} characters of JSON, here {len(values):,}.")
    work = len(values) * sum(len(text.source) for text in [*read.texts, *read.library.values()])
    try:
        if work < read.cheap_work:
            return sandbox.render_here(read.texts, read.library, variables)
        return _render_apart(read.texts, read.library, values)
    except RenderFailed as failed:
        raise _explained(failed, missing, read) from None


def _explained(failed: RenderFailed, missing: frozenset[str], read: _Read) -> Invalid:
    """The failure in the words and at the field that its cause has."""
    if failed.kind == "undefined" and missing:
        return _named({f"variables.{name}": f"Give a value for '{name}'." for name in sorted(missing)})
    line = f"line {failed.line}: " if failed.line else ""
    return Invalid(read.fields[failed.index], f"{line}{failed.message}")


def _render_apart(texts: Sequence[Text], library: Mapping[str, Text], values: str) -> list[str]:
    """Render in a process of its own, which the kernel ends when it takes too long."""
    too_long = RenderFailed("template", 0, None, f"The template computes for longer than {sandbox.CPU_S} s.")
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(Path(sandbox.__file__))],
            input=sandbox.job_of(texts, library, values),
            capture_output=True,
            encoding="utf-8",
            env={"PYTHONUTF8": "1"},
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise too_long from None
    except OSError as error:
        raise Unavailable(f"No process to render in could be started: {error.strerror}. Try again.") from error
    if done.returncode < 0:
        raise too_long
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise RenderFailed("template", 0, None, "It needs more memory than a template may have.") from None
    if failure := answer.get("error"):
        raise RenderFailed(**failure)
    filled: list[str] = answer["texts"]
    return filled
