"""What an evaluation is run with, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from accounts.errors import Invalid

MAX_EXAMPLES = 100_000
MAX_FIELD = 200


@dataclass(frozen=True)
class Parameters:
    """`endpoint`: 'chat' or 'completions', found out from the model's files. `limit`: only the first so many rows."""

    max_tokens: int = 64
    temperature: float = 0.0
    seed: int = 0
    input_field: str = "input"
    expected_field: str = "expected"
    limit: int | None = None
    endpoint: str = "chat"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def stored(cls, value: Mapping[str, Any]) -> Parameters:
        """Out of a row's `parameters`; names that a later release gave up are passed over."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: given for name, given in value.items() if name in known})


def parse(given: Mapping[str, Any], *, endpoint: str) -> Parameters:
    """Check what a caller asked for; Invalid names the field."""
    known = [field.name for field in fields(Parameters) if field.name != "endpoint"]
    if unknown := sorted(set(given) - set(known)):
        raise Invalid("parameters", f"Unknown: {', '.join(unknown)}. Use {', '.join(known)}.")
    values = {name: value for name, value in given.items() if value is not None}
    _whole(values, "max_tokens", 1, 32_768)
    _whole(values, "seed", 0, 2**31 - 1)
    _whole(values, "limit", 1, MAX_EXAMPLES)
    temperature = values.get("temperature", 0)
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not 0 <= temperature <= 2:
        raise Invalid("parameters.temperature", "Use a number from 0 (always the likeliest token) to 2.")
    for name in ("input_field", "expected_field"):
        text = values.get(name, "x")
        if not isinstance(text, str) or not text or len(text) > MAX_FIELD or "\0" in text:
            raise Invalid(f"parameters.{name}", "Name a field of the dataset's rows.")
    found = Parameters(**values, endpoint=endpoint)
    if found.input_field == found.expected_field:
        raise Invalid(
            "parameters.expected_field", "The expected text can't be the input itself: the answer would be given away."
        )
    return found


def _whole(values: Mapping[str, Any], name: str, lowest: int, highest: int) -> None:
    value = values.get(name, lowest)
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise Invalid(f"parameters.{name}", f"Use a whole number from {lowest} to {highest}.")
