"""Tokens used, read off an answer without taking it apart: it is in the last kilobytes, as `"usage": {...}`."""

import json
from dataclasses import dataclass

TAIL_BYTES = 8 * 1024


@dataclass(frozen=True)
class Usage:
    prompt_tokens: int = 0
    completion_tokens: int = 0


def of_answer(body: bytes) -> Usage | None:
    """The usage of a plain answer."""
    place = body.rfind(b'"usage"')
    if place < 0:
        return None
    colon = body.find(b":", place)
    text = body[colon + 1 :].decode("utf-8", "replace").lstrip()
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return None
    return _read(value)


class Tail:
    """Keeps the end of a stream that passes by."""

    def __init__(self) -> None:
        self._kept = b""

    def add(self, chunk: bytes) -> None:
        self._kept = (self._kept + chunk)[-TAIL_BYTES:] if len(chunk) < TAIL_BYTES else chunk[-TAIL_BYTES:]

    @property
    def usage(self) -> Usage | None:
        """Of the last chunk that has any; chunks before it carry null."""
        for line in reversed(self._kept.split(b"\n")):
            if line.startswith(b"data:") and b'"usage"' in line and (usage := of_answer(line)):
                return usage
        return None


def _read(value: object) -> Usage | None:
    if not isinstance(value, dict):
        return None
    counts = [value.get(name) for name in ("prompt_tokens", "completion_tokens")]
    prompt, completion = (count if isinstance(count, int) and count >= 0 else 0 for count in counts)
    return Usage(prompt, completion)
