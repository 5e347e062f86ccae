"""How a template names another prompt: 'name@label', 'team/name@label', 'name:3'."""

import re
from dataclasses import dataclass

from accounts.models import NAME_PATTERN
from prompts.names import problem_of

LATEST = "latest"
_REFERENCE = re.compile(r"(?P<path>[^@:]+)(?:@(?P<label>[^@:]+)|:(?P<number>[1-9][0-9]{0,8}))")
HELP = (
    'name what it includes as "name@label" or "name:3" ("name@latest" for the newest), '
    'and another team\'s as "team/name@label"'
)


class ReferenceProblem(Exception):
    """Text that names no prompt; the message says how to."""


@dataclass(frozen=True)
class Reference:
    """`path` as it is written, with or without a team; either a label or a number."""

    written: str
    path: str
    label: str = ""
    number: int | None = None

    @property
    def other_team(self) -> tuple[str, str]:
        """Team and name, if the path begins with a team's name."""
        team, _, name = self.path.partition("/")
        return team, name


def parse(written: str) -> Reference:
    """Raises ReferenceProblem, saying what is missing."""
    found = _REFERENCE.fullmatch(written.strip())
    if found is None:
        if not re.search(r"[@:]", written):
            raise ReferenceProblem(
                f"'{written[:100]}' says neither a label nor a number, so nobody could tell which text is meant: {HELP}"
            )
        raise ReferenceProblem(f"'{written[:100]}' is not the name of a prompt: {HELP}")
    path = found["path"].strip()
    label = (found["label"] or "").strip()
    bare = path.partition("/")[2] if "/" in path else path
    if problem_of(path) and problem_of(bare):
        raise ReferenceProblem(f"'{path[:100]}' is not the name of a prompt: {HELP}")
    if label and not re.fullmatch(NAME_PATTERN, label):
        raise ReferenceProblem(f"'{label[:100]}' is not a label: {HELP}")
    return Reference(written.strip(), path, label, int(found["number"]) if found["number"] else None)
