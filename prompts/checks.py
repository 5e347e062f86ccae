"""What a version's template, parameters and labels must be; Invalid names the field and the remedy."""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts.access import Actor
from accounts.errors import Invalid
from accounts.models import NAME_HELP, NAME_PATTERN, Team
from governance.digests import digest_of
from prompts import composition, inputs, parts, schemas, syntax
from prompts.composition import CompositionProblem, Edge, Tree
from prompts.composition.edges import find
from prompts.composition.rules import check_tree, own_text_problem
from prompts.findings import MAX_BYTES, Findings, text_problem
from prompts.inputs import MAX_NAME
from prompts.models import Prompt, PromptVersion
from prompts.parts import MAX_MESSAGES, ROLES
from prompts.references import LATEST

__all__ = [
    "LATEST",
    "MAX_BYTES",
    "MAX_MESSAGES",
    "MAX_NAME",
    "ROLES",
    "Content",
    "check_content",
    "check_label",
    "check_note",
    "check_template",
    "examine",
]


def check_template(kind: str, template: Any, format: str = PromptVersion.Format.JINJA) -> list[str]:
    """Raise unless this is a template of this type that stands alone; returns its variables, sorted."""
    return check_content(type=kind, template=template, format=format).variables


def check_label(label: str) -> None:
    """Raise for a name that a label can't have."""
    if label == LATEST:
        raise Invalid("label", "'latest' is always the newest version and can't be moved.")
    if not re.fullmatch(NAME_PATTERN, label):
        raise Invalid("label", NAME_HELP)
    if label.isdecimal():
        raise Invalid("label", "A label of digits only would look like a version's number. Add a letter.")


def check_note(field: str, text: str, limit: int = 2_000) -> str:
    """A message, reason or description, without the space around it."""
    text = text.strip()
    if len(text) > limit:
        raise Invalid(field, f"At most {limit:,} characters, here {len(text):,}.")
    if wrong := text_problem(text):
        raise Invalid(field, wrong)
    return text


@dataclass(frozen=True)
class Content:
    """What a version says, checked: the fields of its row, and what follows from them."""

    fields: dict[str, Any]
    variables: list[str]
    includes: list[Edge] = field(default_factory=list)
    # Digests of the versions that it includes by number: they are part of what is approved.
    pins: Mapping[str, str] = field(default_factory=dict)
    team: Team | None = None

    @property
    def digest(self) -> str:
        """What an approval of a version binds to."""
        return digest_of({**self.fields, "includes": dict(self.pins)} if self.pins else self.fields)


def check_content(
    *,
    type: str,
    template: Any,
    format: str = PromptVersion.Format.JINJA,
    inputs: Any = None,
    tools: Any = None,
    response_format: Any = None,
    model: Any = "",
    parameters: Any = None,
    team: Team | None = None,
    prompt: Prompt | None = None,
    by: Actor | None = None,
) -> Content:
    """Raise Invalid, naming each field that is wrong, unless this is what a version may say. `team`: the one that it belongs to,
    in which names of included prompts are looked up, as far as `by` sees them."""
    fields = {
        "type": type, "format": format, "template": template, "inputs": inputs, "tools": tools,
        "response_format": response_format, "model": model, "parameters": parameters,
    }  # fmt: skip
    content, findings = examine(fields, team=team, prompt=prompt, by=by)
    findings.refuse()
    return content


def examine(
    given: Mapping[str, Any], *, team: Team | None = None, prompt: Prompt | None = None, by: Actor | None = None
) -> tuple[Content, Findings]:
    """The content as far as it makes sense, and all that is wrong with it or looks so."""
    findings = Findings()
    kind, form = given.get("type") or "text", given.get("format") or PromptVersion.Format.JINJA.value
    if kind not in set(PromptVersion.Type):
        findings.add("type", f"Use {' or '.join(PromptVersion.Type)}.")
    if form not in set(PromptVersion.Format):
        findings.add("format", f"Use {' or '.join(PromptVersion.Format)}.")
    known = not findings.errors
    fields = {
        "type": str(kind),
        "format": str(form),
        "template": given.get("template"),
        "inputs": inputs.check(given.get("inputs"), findings),
        "tools": schemas.check_tools(given.get("tools"), findings),
        "response_format": schemas.check_response_format(given.get("response_format"), findings),
        "model": schemas.check_model(given.get("model"), findings),
        "parameters": schemas.check_parameters(given.get("parameters"), findings),
    }
    if fields["inputs"]:
        schemas.check_kept("inputs", fields["inputs"], findings)
    if not known or not parts.check(str(kind), fields["template"], findings):
        return Content(fields, [], team=team), findings
    if isinstance(fields["template"], list):
        schemas.check_kept("template", fields["template"], findings)
    own, found = _read(fields, findings)
    edges, tree = _included(found, team or (prompt.team if prompt else None), prompt, by, findings)
    variables = own.union(*(version.variables for version in tree.versions.values()))
    _compare(fields, own, variables, findings)
    pins = {e.written: v.digest for e in edges if e.number is not None and (v := tree.follow(e))}
    return Content(fields, sorted(variables), edges, pins, team), findings


_Places = list[tuple[str, syntax.Included]]


def _read(fields: Mapping[str, Any], findings: Findings) -> tuple[set[str], _Places]:
    """The names in the texts themselves, and what they include."""
    declared = [row.name for row in inputs.declared_in(fields["inputs"])]
    nested = inputs.nested_in(fields["inputs"])
    names = set(parts.placeholders_of(fields["template"]))
    found: _Places = []
    for part in parts.parts_of(fields["template"]):
        try:
            read = syntax.read(part.text, fields["format"], declared=declared, nested=nested)
        except syntax.SyntaxProblem as problem:
            findings.add(part.field, problem.message, problem.line, problem.column)
            continue
        names |= read.variables
        found += [(part.field, included) for included in read.includes]
        if long := next((name for name in read.variables if len(name) > MAX_NAME), None):
            findings.add(
                part.field, f"A variable's name has at most {MAX_NAME} characters: '{long[:40]}…' has {len(long)}."
            )
    return names, found


def _included(
    found: _Places, team: Team | None, prompt: Prompt | None, by: Actor | None, findings: Findings
) -> tuple[list[Edge], Tree]:
    """The prompts that are included, each checked where it is named."""
    if not found:
        return [], Tree([])
    if team is None or by is None:
        where, place = found[0]
        findings.add(where, "Includes need a team: save this as a prompt of one.", place.line, place.column)
        return [], Tree([])
    seen = find([place.reference for _, place in found], team, by)
    edges = list(seen.values())
    try:
        tree = composition.descend(edges)
    except CompositionProblem as problem:
        findings.add(found[0][0], problem.message, found[0][1].line, found[0][1].column)
        return edges, Tree(edges)
    for where, place in found:
        edge = seen.get(place.reference.written)
        if edge is None:
            wrong = f"There is no prompt '{place.reference.path}' that you can see, in {team} or named by its team."
        else:
            wrong = own_text_problem(edge, tree.follow(edge)) or _cycle(prompt, edge, tree)
        if wrong:
            findings.add(where, wrong, place.line, place.column)
    return edges, tree


def _cycle(prompt: Prompt | None, edge: Edge, tree: Tree) -> str:
    try:
        check_tree(prompt, Tree([edge], tree.versions, tree.below))
    except CompositionProblem as problem:
        return problem.message
    return ""


def _compare(fields: Mapping[str, Any], own: set[str], variables: set[str], findings: Findings) -> None:
    """Declared inputs beside the names that the texts use: warnings only."""
    rows = inputs.declared_in(fields["inputs"])
    declared = {row.name for row in rows}
    unused = declared - variables
    for index, row in enumerate(rows):
        if row.name in unused:
            findings.warn(f"inputs[{index}]", f"The template does not use '{row.name}'.")
    placed = {part.field: part.text for part in parts.parts_of(fields["template"])}
    placeholders = set(parts.placeholders_of(fields["template"]))
    unknown = sorted(own - declared - placeholders)
    every = sorted(variables)[:_MAX_NEAR]
    for name in unknown[:_MAX_WARNINGS]:  # each is held against all the others
        near = difflib.get_close_matches(name, sorted(declared), 1, 0.7)
        others = difflib.get_close_matches(name, [one for one in every if one != name], 1, 0.85) if not near else []
        if not near and not (declared and not others):
            continue
        hint = f": did you mean '{near[0]}'?" if near else "; without that it takes any value."
        where, line, column = _first_use(placed, name)
        findings.warn(where, f"'{name}' is not among the inputs{hint}", line, column)
    if declared and len(unknown) > _MAX_WARNINGS:
        findings.warn("template", f"{len(unknown) - _MAX_WARNINGS:,} more names are not among the inputs.")
    for index, row in enumerate(rows):
        if row.name in placeholders and row.type not in ("messages", "array"):
            findings.add(
                f"inputs[{index}].type", f"'{row.name}' is a placeholder for messages: its type is 'messages'."
            )


_MAX_WARNINGS, _MAX_NEAR = 20, 200
_ENDS = {"{{": "}}", "{%": "%}"}


def _tags(text: str) -> Iterator[tuple[int, int]]:
    """Where each tag begins and ends, in one pass however many are left open."""
    place, ends = 0, dict(_ENDS)
    while found := re.compile("|".join(re.escape(begin) for begin in ends)).search(text, place) if ends else None:
        end = text.find(ends[found[0]], found.end())
        if end < 0:
            del ends[found[0]]  # nor does any that begins later
            continue
        place = end + 2
        yield found.start(), place


def _first_use(placed: Mapping[str, str], name: str) -> tuple[str, int | None, int | None]:
    word = re.compile(rf"(?<![\w.]){re.escape(name)}(?!\w)")
    for where, text in placed.items():
        for start, end in _tags(text):
            if found := word.search(text, start, end):
                return where, *syntax.place_of(text, found.start())
    return next(iter(placed), "template"), None, None
