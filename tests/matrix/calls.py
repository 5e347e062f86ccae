"""Sending the call of one cell and undoing it."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.cookies import SimpleCookie
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.utils import timezone

from governance.ledger.models import AuditEvent
from tests.matrix.journal import LEDGER, Journal, journal
from tests.matrix.routes import Route
from tests.matrix.rules import Rule
from tests.matrix.world import Caller


@dataclass
class Answer:
    status: int
    text: str
    location: str
    journal: Journal
    events: list[AuditEvent]


@contextmanager
def undone() -> Iterator[None]:
    """A transaction that is taken back, and that the code inside takes for none."""
    outer = transaction.atomic()
    outer._from_testcase = True  # type: ignore[attr-defined]
    with outer:
        yield
        transaction.set_rollback(True)


def call(route: Route, method: str, rule: Rule, caller: Caller, things: SimpleNamespace) -> Answer:
    """The call that the rule describes, about `things`, as this caller."""
    values = values_of(rule, things)
    client = caller.rest if (rule.door or ("rest" if route.is_rest else "page")) == "rest" else caller.page
    data, content_type = encoded(rule.body, values, as_json=route.is_rest)
    headers = {name: value.format(**values) for name, value in rule.headers.items()}
    if isinstance(rule.body, bytes):
        headers["content-length"] = str(len(rule.body))
    cookies = {name: morsel.value for name, morsel in client.cookies.items()}
    before = AuditEvent.objects.values_list("id", flat=True).first() or 0
    with undone(), journal() as written:
        client.raise_request_exception = False
        where = address(route, rule, values)
        response = client.generic(method, where, data, content_type=content_type, headers=headers)
        body = b"".join(response) if response.streaming else response.content
        written.stop()
        events = list(AuditEvent.objects.filter(pk__gt=before).order_by("pk")) if written.wrote(LEDGER) else []
    client.cookies = SimpleCookie(cookies)  # signing out is undone too
    return Answer(
        response.status_code, body.decode("utf-8", "replace"), response.headers.get("Location", ""), written, events
    )


def values_of(rule: Rule, things: SimpleNamespace) -> dict[str, Any]:
    now = timezone.now()
    times = {"soon": (now + timedelta(hours=1)).isoformat(), "later": (now + timedelta(days=1)).isoformat()}
    found = {**things.values, **times, "token": things.token, "robot": things.robot.email}
    return {**found, **{name: filled(value, found) for name, value in rule.values.items()}}


def address(route: Route, rule: Rule, values: dict[str, Any]) -> str:
    def fill(match: re.Match[str]) -> str:
        return quote(str(values.get(match[1], "x")), safe="@/")

    path = re.sub(r"<(?:\w+:)?(\w+)>", fill, re.sub(r"\^|\$|\(\?P(<\w+>)[^)]*\)", r"\1", route.path))
    return f"/{path}" + (f"?{rule.query.format(**values)}" if rule.query else "")


def filled(value: Any, values: dict[str, Any]) -> Any:
    """Placeholders in texts, filled in; deep."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda m: str(values.get(m[1], m[0])), value)
    if isinstance(value, dict):
        return {key: filled(item, values) for key, item in value.items()}
    return [filled(item, values) for item in value] if isinstance(value, list) else value


def encoded(body: Any, values: dict[str, Any], *, as_json: bool) -> tuple[bytes, str]:
    if isinstance(body, bytes):
        return body, "application/octet-stream"
    if as_json:
        return (b"" if body is None else json.dumps(filled(body, values)).encode()), "application/json"
    fields = {
        name: SimpleUploadedFile("new.txt", value) if isinstance(value, bytes) else value
        for name, value in filled(body or {}, values).items()
    }
    return encode_multipart(BOUNDARY, fields), MULTIPART_CONTENT
