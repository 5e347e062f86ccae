"""All that is wrong, or looks so, with a prompt while somebody writes it: for editors."""

from collections.abc import Mapping
from typing import Any

from accounts.access import Actor
from accounts.models import Team
from prompts.checks import examine
from prompts.findings import ERROR, WARNING, Problem
from prompts.models import Prompt

__all__ = ["ERROR", "WARNING", "Problem", "problems_of"]


def problems_of(
    fields: Mapping[str, Any], by: Actor, *, team: Team | None = None, prompt: Prompt | None = None
) -> list[Problem]:
    """Errors first, then warnings. `fields` are those of a version; includes are looked up in the prompt's team, or in `team`."""
    _, findings = examine(fields, team=team or (prompt.team if prompt else None), prompt=prompt, by=by)
    return sorted(findings.problems, key=lambda problem: problem.severity != ERROR)
