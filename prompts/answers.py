"""A version as JSON: the same bytes and ETag whether the quick door (prompts.hot) or the REST views answer."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.utils.encoders import JSONEncoder

from accounts import quick
from prompts.models import PromptVersion
from prompts.serializers import show_version

# `?resolve=1` of a version that includes no other prompt.
NOTHING_INCLUDED: Mapping[str, Any] = {"includes": {}, "included": {}}


def body_of(
    version: PromptVersion, labels: Sequence[str] | None = None, more: Mapping[str, Any] | None = None
) -> bytes:
    """`more`: fields beside the version's own, such as `resolved`."""
    shown = {**show_version(version, None if labels is None else list(labels)), **(more or {})}
    return json.dumps(shown, cls=JSONEncoder, ensure_ascii=False, separators=(",", ":")).encode()


def etag_of(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def events_link(team: str) -> str:
    """Where changes of a team's prompts are told as they happen (RFC 8288)."""
    return f'<{settings.GATEWAY_URL}/v1/prompts/events?team={quote(team)}>; rel="events"'


def tagged(request: HttpRequest, team: str, body: bytes, etag: str = "") -> HttpResponse:
    """The answer, or 304 to who has it; both say where to listen."""
    return quick.tagged(request, body, etag or etag_of(body), {"Link": events_link(team)})
