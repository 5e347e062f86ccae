"""What a file says of one version of a prompt, whoever's format it is in."""

from dataclasses import dataclass, field
from typing import Any


class Unreadable(Exception):
    """A file, or one prompt in it, that can't be understood. `where` names it, `field` the part of it."""

    def __init__(self, where: str, field: str, message: str) -> None:
        super().__init__(f"{where}: {field}: {message}" if field else f"{where}: {message}")
        self.where, self.field, self.message = where, field, message


@dataclass(frozen=True)
class Entry:
    """One version as a file has it. `fields` are those of `actions.create_version`."""

    where: str  # the file, and the place in it: what an error names
    name: str
    fields: dict[str, Any]
    message: str = ""
    description: str | None = None  # None: the file says nothing of it
    tags: dict[str, str] | None = None
    labels: list[str] = field(default_factory=list)
    base: int | None = None  # the version of ours that the file was written from
