"""Pictures and sounds in a conversation: they come along with the request, or from a host that the operator allows.

A model's engine fetches an address itself, from where it stands behind the gateway, where whoever calls has no business: the site's
own network, a cloud's metadata, files."""

from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import urlsplit

from gateway.errors import ApiError


def refuse_addresses(asked: dict[str, Any], hosts: Collection[str]) -> None:
    """Raise for a part of a message that names an address (`image_url`, `audio_url`, `video_url`, ...) which is neither `data:` nor
    `https:` at one of the hosts."""
    for where, url in _addresses(asked.get("messages")):
        if not (isinstance(url, str) and (url.startswith("data:") or _is_at(url, hosts))):
            raise ApiError(
                400,
                f"'{where}' names an address that models don't fetch from here. Send the content itself, as "
                "'data:image/png;base64,...', or have an operator allow its host (GATEWAY_MEDIA_HOSTS).",
                param=where,
                code="address_refused",
            )


def _addresses(messages: Any) -> Iterator[tuple[str, Any]]:
    """Where an address stands, and what stands there."""
    for number, message in enumerate(messages if isinstance(messages, list) else ()):
        parts = message.get("content") if isinstance(message, dict) else None
        for place, part in enumerate(parts if isinstance(parts, list) else ()):
            for name, value in part.items() if isinstance(part, dict) else ():
                where = f"messages[{number}].content[{place}].{name}"
                if isinstance(value, dict) and "url" in value:
                    yield f"{where}.url", value["url"]
                elif name.endswith("_url") and not isinstance(value, dict):
                    yield where, value


def _is_at(url: str, hosts: Collection[str]) -> bool:
    """Whether every reader of the address would go to one of the hosts: what browsers and libraries read differently is nobody's."""
    if not url.isascii() or not url.isprintable() or any(sign in url for sign in "\\@ "):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and parts.port in (None, 443) and parts.hostname in hosts
    except ValueError:
        return False
