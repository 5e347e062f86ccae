"""What is wrong with a prompt that somebody writes, collected: an editor shows all of it, an action refuses it."""

from dataclasses import dataclass, field
from typing import Any, Literal

from accounts.errors import Invalid, TooLarge

ERROR: Literal["error"] = "error"
WARNING: Literal["warning"] = "warning"
MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Problem:
    """`field`: template, template[2].content, inputs[0].type…; line and column count from 1, None where there is no place."""

    field: str
    line: int | None
    column: int | None
    message: str
    severity: Literal["error", "warning"] = ERROR

    @property
    def text(self) -> str:
        """The message with its place."""
        return self.message if self.line is None else f"line {self.line}, column {self.column}: {self.message}"


@dataclass
class Findings:
    """The problems found so far."""

    problems: list[Problem] = field(default_factory=list)
    size: int = 0

    def add(self, where: str, message: str, line: int | None = None, column: int | None = None) -> None:
        self.problems.append(Problem(where, line, column, message))

    def warn(self, where: str, message: str, line: int | None = None, column: int | None = None) -> None:
        self.problems.append(Problem(where, line, column, message, WARNING))

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.severity == ERROR]

    def refuse(self) -> None:
        """Raise what is wrong, each problem at its field; warnings refuse nothing."""
        if not self.errors:
            return
        if self.size > MAX_BYTES:
            raise TooLarge(
                f"A prompt is at most {MAX_BYTES:,} bytes; this one has {self.size:,}.",
                errors={"template": [problem.text for problem in self.errors if problem.field == "template"]},
            )
        first = self.errors[0]
        raised = Invalid(first.field, first.text, code="template_error" if first.line is not None else "")
        raised.errors = {}
        for problem in self.errors:
            raised.errors.setdefault(problem.field, []).append(problem.text)
        raise raised


def text_problem(text: str) -> str:
    """Why PostgreSQL could not keep this text; empty when it can."""
    if "\x00" in text:
        return "Take out the NUL character."
    try:
        text.encode()
    except UnicodeEncodeError as error:
        place = text.count("\n", 0, error.start) + 1
        return f"Line {place} holds half of a character (a lone surrogate): write the whole one."
    return ""


def said(value: Any) -> str:
    """What something is, in the words of JSON."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        shown = str(value) if not isinstance(value, int) or value.bit_length() < 200 else "a very large number"
        return f"the number {shown}"
    if isinstance(value, str):
        return f"the text '{value[:40]}{'…' if len(value) > 40 else ''}'"
    return f"a list of {len(value)}" if isinstance(value, list) else "an object"
