"""The assertions. Each is a value that reads itself out of JSON (every mistake named), writes itself back, and says what it asks in
one sentence. All but a judge and a similarity by embeddings are decided here; those two ask a model (prompt_tests.asking)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from governance.rules.reading import Errors, Reader
from prompt_tests.assertions import schemas
from prompt_tests.assertions.answers import Answered, Verdict
from prompt_tests.assertions.patterns import PatternTooSlow, compiled, search, wrong_with
from prompt_tests.assertions.similarity import edit_similarity

MAX_TEXT = 20_000
MAX_PATTERN = 1_000
MODEL = r"[a-z0-9._-]{1,96}/[a-z0-9._-]{1,96}"
MODEL_HELP = "Name a deployment as team/name."
_SHORT = 80


def short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


def _text(read: Reader, name: str, help_text: str, *, most: int = MAX_TEXT, needed: bool = False) -> str:
    value = read.value(name, "")
    if not isinstance(value, str):
        read.fail(name, help_text)
        return ""
    if "\0" in value or len(value) > most:
        read.fail(name, f"At most {most:,} characters, none of them NUL.")
    elif needed and not value.strip():
        read.fail(name, help_text)
    return value


@dataclass(frozen=True)
class Contains:
    """The output contains a text; without one, what the case expects."""

    type: ClassVar[str] = "contains"
    value: str = ""
    ignore_case: bool = False
    wanted: ClassVar[bool] = True

    @property
    def title(self) -> str:
        what = f"“{short(self.value)}”" if self.value else "what is expected"
        return f"Contains {what}{', in any case' if self.ignore_case else ''}"

    def as_json(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"type": self.type}
        return (
            entry | ({"value": self.value} if self.value else {}) | ({"ignore_case": True} if self.ignore_case else {})
        )

    @classmethod
    def read(cls, read: Reader) -> Contains:
        value = _text(read, "value", "Give the text that it contains, or leave it out for what the case expects.")
        return cls(value, read.flag("ignore_case", default=False))

    def decide(self, answer: Answered) -> tuple[bool, str]:
        value, output = self.value or answer.expected, answer.output
        if not value:
            return False, "The case expects nothing: give the assertion a text of its own, or the case one."
        there = value.casefold() in output.casefold() if self.ignore_case else value in output
        return there == self.wanted, f"“{short(value)}” {'is' if there else 'is not'} in the output."


@dataclass(frozen=True)
class NotContains(Contains):
    """The output does not contain a text."""

    type: ClassVar[str] = "not_contains"
    wanted: ClassVar[bool] = False

    @property
    def title(self) -> str:
        return f"Does not contain “{short(self.value)}”{', in any case' if self.ignore_case else ''}"

    @classmethod
    def read(cls, read: Reader) -> NotContains:
        value = _text(read, "value", "Give the text that must not be in it.", needed=True)
        return cls(value, read.flag("ignore_case", default=False))


@dataclass(frozen=True)
class Equals:
    """The output is a text, white space around it aside; without one, what the case expects."""

    type: ClassVar[str] = "equals"
    value: str = ""
    ignore_case: bool = False

    @property
    def title(self) -> str:
        what = f"“{short(self.value)}”" if self.value else "what is expected"
        return f"Is {what}{', in any case' if self.ignore_case else ''}"

    def as_json(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"type": self.type}
        return (
            entry | ({"value": self.value} if self.value else {}) | ({"ignore_case": True} if self.ignore_case else {})
        )

    @classmethod
    def read(cls, read: Reader) -> Equals:
        value = _text(read, "value", "Give the text that it is, or leave it out for what the case expects.")
        return cls(value, read.flag("ignore_case", default=False))

    def decide(self, answer: Answered) -> tuple[bool, str]:
        value, output = (self.value or answer.expected).strip(), answer.output.strip()
        same = value.casefold() == output.casefold() if self.ignore_case else value == output
        return same, "It is the same text." if same else f"It is “{short(output)}”, not “{short(value)}”."


@dataclass(frozen=True)
class Regex:
    """A regular expression is found in the output. It has a second to be found in."""

    type: ClassVar[str] = "regex"
    pattern: str

    @property
    def title(self) -> str:
        return f"Matches {short(self.pattern)}"

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "pattern": self.pattern}

    @classmethod
    def read(cls, read: Reader) -> Regex:
        pattern = _text(read, "pattern", "Give a regular expression.", most=MAX_PATTERN, needed=True)
        if pattern and not read.failed and (why := wrong_with(pattern)):
            read.fail("pattern", why)
        return cls(pattern)

    def decide(self, answer: Answered) -> tuple[bool, str]:
        try:
            found = search(compiled(self.pattern), answer.output)
        except PatternTooSlow as slow:
            return False, str(slow)
        return (
            found is not None,
            f"It matches “{short(found)}”." if found is not None else "Nothing in the output matches.",
        )


@dataclass(frozen=True)
class Json:
    """The output is JSON; with a schema, valid by it. A fence of three backticks around it is passed over."""

    type: ClassVar[str] = "json"
    schema: Any = None  # a JSON schema, draft 2020-12

    @property
    def title(self) -> str:
        return "Is valid JSON" if self.schema is None else "Is JSON by the schema"

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type} | ({} if self.schema is None else {"schema": self.schema})

    @classmethod
    def read(cls, read: Reader) -> Json:
        schema = read.value("schema")
        if schema is not None and (why := schemas.wrong_with(schema)):
            read.fail("schema", why)
        return cls(schema)

    def decide(self, answer: Answered) -> tuple[bool, str]:
        return schemas.decide(answer.output, self.schema)


@dataclass(frozen=True)
class Similarity:
    """How near the output is to what is expected: by the embeddings of a model (cosine), or without one by edits of characters."""

    type: ClassVar[str] = "similarity"
    minimum: float
    model: str = ""

    @property
    def title(self) -> str:
        how = f"by {self.model}" if self.model else "by edits of characters"
        return f"Similarity to what is expected at least {self.minimum:g} ({how})"

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "minimum": self.minimum} | ({"model": self.model} if self.model else {})

    @classmethod
    def read(cls, read: Reader) -> Similarity:
        return cls(_share(read, "minimum", 0.8), read.text("model", MODEL, MODEL_HELP))

    def decide(self, answer: Answered) -> tuple[bool, str]:
        score = edit_similarity(answer.output, answer.expected)
        return score >= self.minimum, f"{score:.3f}: as many of the characters stay when one is edited into the other."


@dataclass(frozen=True)
class Judge:
    """A served model grades the output by a rubric, 0 to 1. Model and rubric are part of the suite's revision."""

    type: ClassVar[str] = "judge"
    rubric: str
    model: str
    minimum: float = 0.5

    @property
    def title(self) -> str:
        return f"{self.model} gives at least {self.minimum:g} by: {short(self.rubric)}"

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "rubric": self.rubric, "model": self.model, "minimum": self.minimum}

    @classmethod
    def read(cls, read: Reader) -> Judge:
        rubric = _text(read, "rubric", "Say what a good answer is: the judge grades by it.", needed=True)
        model = read.text("model", MODEL, MODEL_HELP)
        if not model and not read.failed:
            read.fail("model", f"Which model judges? {MODEL_HELP}")
        return cls(rubric, model, _share(read, "minimum", 0.5))


@dataclass(frozen=True)
class Latency:
    """The whole answer came within so many milliseconds."""

    type: ClassVar[str] = "latency"
    maximum_ms: int

    @property
    def title(self) -> str:
        return f"Answers within {self.maximum_ms:,} ms"

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "maximum_ms": self.maximum_ms}

    @classmethod
    def read(cls, read: Reader) -> Latency:
        return cls(_needed(read, "maximum_ms", 3_600_000, "milliseconds"))

    def decide(self, answer: Answered) -> tuple[bool, str]:
        took = answer.latency_ms or 0.0
        return took <= self.maximum_ms, f"It took {took:,.0f} ms."


@dataclass(frozen=True)
class Tokens:
    """Prompt and answer together have at most so many tokens, as the engine counts them."""

    type: ClassVar[str] = "tokens"
    maximum: int

    @property
    def title(self) -> str:
        return f"At most {self.maximum:,} tokens"

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "maximum": self.maximum}

    @classmethod
    def read(cls, read: Reader) -> Tokens:
        return cls(_needed(read, "maximum", 100_000_000, "tokens"))

    def decide(self, answer: Answered) -> tuple[bool, str]:
        if answer.tokens is None:
            return False, "The engine did not say how many tokens it used."
        return answer.tokens <= self.maximum, f"{answer.tokens:,} tokens."


@dataclass(frozen=True)
class Cost:
    """The answer costs at most so much, by the price of its deployment."""

    type: ClassVar[str] = "cost"
    maximum: float

    @property
    def title(self) -> str:
        return f"Costs at most {Decimal(repr(self.maximum)):f}"

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "maximum": self.maximum}

    @classmethod
    def read(cls, read: Reader) -> Cost:
        maximum = read.number("maximum")
        if maximum is None or not 0 <= maximum <= 1_000_000:
            read.fail("maximum", "Give a number from 0 to 1,000,000, in the currency of the prices.")
        return cls(maximum or 0.0)

    def decide(self, answer: Answered) -> tuple[bool, str]:
        if answer.cost is None:
            return False, "No price is known: a deployment's page takes it, per million tokens."
        return answer.cost <= Decimal(repr(self.maximum)), f"It cost {answer.cost.normalize():f}."


@dataclass(frozen=True)
class ToolCall:
    """A tool was called by this name, with at least these arguments."""

    type: ClassVar[str] = "tool_call"
    name: str
    arguments: dict[str, Any] | None = None

    @property
    def title(self) -> str:
        given = f" with {short(json.dumps(self.arguments, ensure_ascii=False))}" if self.arguments else ""
        return f"Calls {self.name}{given}"

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "name": self.name} | ({"arguments": self.arguments} if self.arguments else {})

    @classmethod
    def read(cls, read: Reader) -> ToolCall:
        name = read.text("name", r"[A-Za-z0-9_.-]{1,200}", "Name the tool by its letters, digits, '_', '-' and '.'.")
        if not name and not read.failed:
            read.fail("name", "Which tool is called?")
        arguments = read.value("arguments")
        if arguments is not None and not isinstance(arguments, dict):
            read.fail("arguments", 'Arguments are a JSON object, such as {"city": "Oslo"}.')
            arguments = None
        return cls(name, arguments)

    def decide(self, answer: Answered) -> tuple[bool, str]:
        called = [call for call in answer.tool_calls if _function(call).get("name") == self.name]
        if not called:
            names = ", ".join(str(_function(call).get("name")) for call in answer.tool_calls)
            return False, f"It called {names}." if names else "It called no tool."
        given = [schemas.parsed(_function(call).get("arguments", "")) for call in called]
        if any(_covers(arguments, self.arguments or {}) for arguments in given):
            return True, f"It called {self.name}."
        return False, f"It called {self.name} with {short(json.dumps(given[0], ensure_ascii=False))}."


def _function(call: Mapping[str, Any]) -> Mapping[str, Any]:
    found = call.get("function")
    return found if isinstance(found, Mapping) else {}


def _covers(given: Any, wanted: Any) -> bool:
    """Objects may have more keys than are wanted; everything else is the same."""
    if isinstance(wanted, dict):
        return isinstance(given, dict) and all(name in given and _covers(given[name], wanted[name]) for name in wanted)
    return bool(given == wanted and isinstance(given, bool) == isinstance(wanted, bool))


def _share(read: Reader, name: str, default: float) -> float:
    value = read.number(name)
    if value is not None and not 0 <= value <= 1:
        read.fail(name, "Use a number from 0 to 1.")
    return default if value is None else value


def _needed(read: Reader, name: str, most: int, what: str) -> int:
    value = read.whole(name, 1, most, what)
    if value is None and not read.failed:
        read.fail(name, f"How many {what} at most?")
    return value or 1


Assertion = (
    Contains | NotContains | Equals | Regex | Json | Similarity | Judge | Latency | Tokens | Cost | ToolCall
)  # fmt: skip
KINDS: dict[str, type[Assertion]] = {
    kind.type: kind
    for kind in (Contains, NotContains, Equals, Regex, Json, Similarity, Judge, Latency, Tokens, Cost, ToolCall)
}


def read_assertion(entry: Any, field: str, errors: Errors) -> Assertion | None:
    """One assertion out of JSON; None with its mistakes in `errors`."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("type"), str) or entry["type"] not in KINDS:
        errors[f"{field}.type"] = [f"Use one of {', '.join(KINDS)}."]
        return None
    read = Reader(entry, field, errors)
    read.read.add("type")
    found = KINDS[entry["type"]].read(read)
    return found if read.end() else None


def judge_here(assertion: Assertion, answer: Answered) -> Verdict:
    """The verdict of an assertion that asks no model."""
    if isinstance(assertion, Judge):
        raise TypeError("a judge is asked, not computed")
    passed, reason = assertion.decide(answer)
    score = None
    if isinstance(assertion, Similarity):
        score = edit_similarity(answer.output, answer.expected)
    return Verdict(assertion.type, assertion.title, passed, reason, score)
