"""What came back for a case, and what an assertion says of it. Pure."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Answered:
    """One answer. `expected` is the case's; numbers are None where the engine did not say."""

    output: str
    expected: str = ""
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    latency_ms: float | None = None
    tokens: int | None = None  # of the prompt and of the answer
    cost: Decimal | None = None
    question: str = ""  # what was sent, as a text, for a judge to read


@dataclass(frozen=True)
class Verdict:
    """`reason` says what was found, whether it passed or not; `score` where there is one, 0 to 1."""

    type: str
    title: str
    passed: bool
    reason: str
    score: float | None = None

    def as_json(self) -> dict[str, Any]:
        found = {"type": self.type, "title": self.title, "passed": self.passed, "reason": self.reason}
        return found if self.score is None else {**found, "score": round(self.score, 4)}
