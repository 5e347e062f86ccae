"""A message as people read it: its texts as text, its images named, everything else as JSON."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prompts.parts import is_placeholder


@dataclass(frozen=True)
class Said:
    """One piece of a message. kind: text, image (`href` where a browser may go there), messages (a placeholder's name), or json."""

    kind: str
    text: str
    href: str = ""


def said_of(message: Mapping[str, Any]) -> Iterator[Said]:
    """All that a message holds besides its role, in order."""
    if is_placeholder(message) and "name" in message:
        yield Said("messages", str(message["name"]))
        rest = {key: value for key, value in message.items() if key not in ("type", "name", "role")}
    else:
        content = message.get("content")
        for piece in content if isinstance(content, list) else []:
            yield from _piece(piece)
        if isinstance(content, str):
            yield Said("text", content)
        known = ("role", "content") if isinstance(content, str | list) or content is None else ("role",)
        rest = {key: value for key, value in message.items() if key not in known}
    if rest:
        yield Said("json", _json(rest))


def _piece(piece: Any) -> Iterator[Said]:
    """A part of a list of contents; what we don't know of it is shown as it is."""
    if not isinstance(piece, Mapping):
        yield Said("json", _json(piece))
        return
    rest = dict(piece)
    image = piece.get("image_url")
    if piece.get("type") == "text" and isinstance(piece.get("text"), str):
        yield Said("text", piece["text"])
        del rest["type"], rest["text"]
    elif piece.get("type") == "image_url" and isinstance(image, Mapping) and isinstance(image.get("url"), str):
        yield _image(image["url"])
        rest = {key: value for key, value in rest.items() if key not in ("type", "image_url")}
        rest |= {key: value for key, value in image.items() if key != "url"}
    if rest:
        yield Said("json", _json(rest))


def _image(url: str) -> Said:
    if not url.startswith("data:"):
        filled = url.startswith(("https://", "http://")) and "{{" not in url and "{%" not in url
        return Said("image", url, url if filled else "")
    # Bytes that stand in the prompt itself are no text to read: their hash says whether they are others.
    kind = url[5:].partition(",")[0].partition(";")[0] or "text/plain"
    digest = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
    return Said("image", f"{kind[:100]}, {len(url):,} characters, sha256 {digest[:12]}")


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


def text_of(message: Mapping[str, Any]) -> str:
    """The same as one text."""
    return "\n".join(f"[image] {one.text}" if one.kind == "image" else one.text for one in said_of(message))


def texts_of(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> tuple[str, str]:
    """Two messages as texts that are alike only where all that they hold besides their roles is."""
    first, second = (text_of(one) if one is not None else "" for one in (before, after))
    if first != second or before is None or after is None:
        return first, second
    one, other = (_json({key: value for key, value in side.items() if key != "role"}) for side in (before, after))
    return (first, second) if one == other else (one, other)
