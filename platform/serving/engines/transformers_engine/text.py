"""From token ids to text, one token at a time, without ever splitting a character."""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# A character has at most four bytes, so tokens held back for longer will not complete one.
MAX_HELD_TOKENS = 8


@dataclass(frozen=True)
class Piece:
    """A token by itself. `text` shows an incomplete character as OpenAI does: `bytes:\\xe2`."""

    text: str
    raw: bytes


class Vocabulary:
    """What each token of a tokenizer stands for."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.special_ids = frozenset(tokenizer.all_special_ids)
        kinds = _decoder_kinds(tokenizer)
        self.is_byte_level = "ByteLevel" in kinds
        self._has_byte_fallback = "ByteFallback" in kinds
        self.piece = lru_cache(maxsize=65536)(self._piece)

    def raw_bytes(self, token_id: int) -> bytes:
        """The bytes of a token of a byte-level vocabulary."""
        token = self.tokenizer.convert_ids_to_tokens(token_id)
        if token is None:
            return b""
        try:
            return bytes(BYTE_OF[character] for character in token)
        except KeyError:  # an added token stands for itself
            return str(token).encode("utf-8", "replace")

    def decode(self, token_ids: list[int]) -> str:
        text: str = self.tokenizer.decode(token_ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    def _piece(self, token_id: int) -> Piece:
        if self.is_byte_level:
            raw = self.raw_bytes(token_id)
        else:
            token = self.tokenizer.convert_ids_to_tokens(token_id) or ""
            if self._has_byte_fallback and len(token) == 6 and token.startswith("<0x"):
                raw = bytes([int(token[3:5], 16)])
            elif token.startswith("\N{LOWER ONE EIGHTH BLOCK}"):  # sentencepiece's leading space
                raw = token.replace("\N{LOWER ONE EIGHTH BLOCK}", " ").encode("utf-8", "replace")
            else:
                raw = self.decode([token_id]).encode("utf-8", "replace")
        try:
            return Piece(raw.decode("utf-8"), raw)
        except UnicodeDecodeError:
            return Piece("bytes:" + "".join(f"\\x{byte:02x}" for byte in raw), raw)


class Detokenizer:
    """Text of a growing sequence. push() gives what became certain; flush() gives the rest."""

    def __init__(self, vocabulary: Vocabulary, *, keep_special: bool = False) -> None:
        self._vocabulary = vocabulary
        self._hidden = frozenset() if keep_special else vocabulary.special_ids
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._ids: list[int] = []
        self._start = 0  # decoding begins here: a window, so that the cost of a token does not grow
        self._read = 0  # ids up to here have been given out

    def push(self, token_id: int) -> str:
        if token_id in self._hidden:
            return ""
        if self._vocabulary.is_byte_level:
            return self._utf8.decode(self._vocabulary.raw_bytes(token_id))
        self._ids.append(token_id)
        return self._window(held=len(self._ids) - self._read < MAX_HELD_TOKENS)

    def flush(self) -> str:
        if self._vocabulary.is_byte_level:
            return self._utf8.decode(b"", final=True)
        return self._window(held=False)

    def _window(self, *, held: bool) -> str:
        before = self._vocabulary.decode(self._ids[self._start : self._read])
        after = self._vocabulary.decode(self._ids[self._start :])
        if len(after) <= len(before) or (held and after.endswith(REPLACEMENT)):
            return ""
        self._start, self._read = self._read, len(self._ids)
        return after[len(before) :]


class StopScanner:
    """Cuts text at the first stop string, holding back what may become the beginning of one."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self.held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """The text that is certain to come before any stop string."""
        if self.stopped:
            return ""
        self.held += text
        found = [at for stop in self._stops if (at := self.held.find(stop)) >= 0]
        if found:
            self.stopped = True
            certain, self.held = self.held[: min(found)], ""
            return certain
        hold = max((_overlap(self.held, stop) for stop in self._stops), default=0)
        cut = len(self.held) - hold
        certain, self.held = self.held[:cut], self.held[cut:]
        return certain

    def flush(self) -> str:
        certain, self.held = self.held, ""
        return certain


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` begin `stop`."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's printable alphabet for bytes, which byte-level vocabularies are written in."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    alphabet = {chr(byte): byte for byte in printable}
    others = [byte for byte in range(256) if byte not in set(printable)]
    return alphabet | {chr(256 + at): byte for at, byte in enumerate(others)}


BYTE_OF = _byte_alphabet()


def _decoder_kinds(tokenizer: Any) -> set[str]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or backend.decoder is None:
        return set()
    decoder = json.loads(backend.decoder.__getstate__())
    return {part["type"] for part in [decoder, *decoder.get("decoders", [])]}
