"""What a run tests: a version of a prompt, or a text that is none yet. Renders it for each case."""

from __future__ import annotations

from typing import Any

from accounts.access import Actor
from accounts.errors import Invalid, Problem
from governance.pointers import Name
from prompt_tests.asking import Question
from prompt_tests.models import SuiteRun
from prompt_tests.units import Unit
from prompts import rendering
from prompts.checks import Content, check_content
from prompts.composition import Edge
from prompts.models import PromptVersion


class Subject:
    """One thing to test, for one actor."""

    def __init__(self, source: PromptVersion | Content, by: Actor) -> None:
        self._source, self._by = source, by
        self._last: tuple[Any, rendering.Rendering] | None = None

    @classmethod
    def of(cls, run: SuiteRun, by: Actor) -> Subject:
        if run.version is not None:
            run.version.prompt = run.prompt
            return cls(run.version, by)
        fields: dict[str, Any] = run.content or {}
        return cls(check_content(**fields, team=run.team, prompt=run.prompt, by=by), by)

    @property
    def variables(self) -> list[str]:
        """Every name that it takes a value for, but placeholders of messages."""
        return [one.name for one in rendering.inputs_of(self._source) if one.type != "messages"]

    def question(self, unit: Unit) -> Question:
        """The test, rendered; with the reason where it can't be."""
        try:
            found = self._rendered(unit)
        except Problem as problem:
            return Question(unit, error=_in_words(problem))
        messages = found.messages if found.messages is not None else [{"role": "user", "content": found.text or ""}]
        includes = [_included(edge, version) for edge, version in found.through]
        return Question(unit, messages, found.tools, found.response_format, found.parameters, includes, found.borrowed)

    def _rendered(self, unit: Unit) -> rendering.Rendering:
        """Models and repeats of one case are rendered once."""
        given = (unit.variables, unit.placeholders)
        if self._last is None or self._last[0] != given:
            found = rendering.render_version(
                self._source, unit.variables, by=self._by, placeholders=unit.placeholders or None
            )
            self._last = (given, found)
        return self._last[1]


def _included(edge: Edge, version: PromptVersion) -> dict[str, Any]:
    """What stood there, and by which name: a label may move, a number does not."""
    if edge.number is not None:
        return {"name": edge.name, "version": version.number, "digest": version.digest}
    name = Name("prompt", edge.prompt.pk, str(edge.prompt), edge.label, edge.prompt.team_id)
    return name.at(version.number, version.digest)


def _in_words(problem: Problem) -> str:
    if not isinstance(problem, Invalid) or len(problem.errors) < 2:
        return problem.detail
    return " ".join(text for texts in problem.errors.values() for text in texts)
