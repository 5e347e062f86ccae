"""Delivering: taking what is due, sending it, and writing down what came of it. Any of it may run twice or die half-way."""

import hashlib
import logging
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.db import connection, transaction
from django.utils import timezone
from rest_framework.renderers import JSONRenderer

from accounts.access import SYSTEM
from accounts.errors import Unavailable
from governance.ledger.actions import Action, Target, record
from governance.ledger.models import AuditEvent
from governance.serializers import AuditEventSerializer
from notifications import mlflow, signing, vault
from notifications.models import Attempt, Delivery, Endpoint
from notifications.wire import Message, Outcome, Wire

log = logging.getLogger(__name__)
LOCK_KEY = 0x5E7_0010  # of PostgreSQL's advisory locks
# After the first try: over more than three days, each with up to a fifth more or less.
PAUSES = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
)  # fmt: skip
JITTER = 0.2
# Longer than an attempt can take; after it another worker tries.
LEASE = timedelta(seconds=60)
MOST_AT_ONCE = 100
MOST_PER_ENDPOINT = 4  # one that fails gets one at a time
DISABLE_AFTER = timedelta(days=5)
STOP_S = 4.0  # less than the supervisor gives a worker
State = Delivery.State
stopping = threading.Event()  # set when the worker is told to stop


def pause_after(tries: int) -> timedelta | None:
    """How long to wait after so many tries; None: no more."""
    if tries > len(PAUSES):
        return None
    return PAUSES[tries - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  to spread load, no secret


def deliver(*, budget_s: float = 1800.0) -> int:
    """Send what is due until nothing is, or for about `budget_s`; how many were sent. 0 when another worker is at it.

    It goes on while anything is under way, since at its end it waits for the slowest receiver and takes up nothing else."""
    with _alone() as alone:
        return _deliver(budget_s) if alone else 0


def _deliver(budget_s: float) -> int:
    claims = claim(MOST_AT_ONCE, busy=[])
    if not claims:
        return 0
    until, sent = time.monotonic() + budget_s, 0
    flying: dict[Future[Outcome], tuple[Delivery, Message]] = {}
    with Wire() as wire:
        while claims or flying:
            for taken in claims:
                message = compose(taken)
                if isinstance(message, Outcome):
                    settle(taken, message)
                else:
                    flying[wire.send(message)] = taken, message
            done, _ = wait(flying, timeout=1.0, return_when=FIRST_COMPLETED)
            for future in done:
                taken, message = flying.pop(future)
                settle(taken, future.result(), message.headers)
                sent += 1
            if stopping.is_set():
                until = min(until, time.monotonic())
                if time.monotonic() > until + STOP_S:
                    break  # what is still under way comes again when its lease has run out
            room = MOST_AT_ONCE - len(flying) if time.monotonic() < until else 0
            claims = claim(room, busy=_busy(delivery for delivery, _ in flying.values())) if room else []
    return sent


def _busy(flying: Iterable[Delivery]) -> list[int]:
    """Endpoints that have as many messages under way as they may."""
    deliveries = list(flying)
    counts = Counter(delivery.endpoint_id for delivery in deliveries)
    failing = {delivery.endpoint_id for delivery in deliveries if delivery.endpoint.failing_since}
    return [key for key, count in counts.items() if key in failing or count >= MOST_PER_ENDPOINT]


_CLAIM = """
UPDATE notifications_delivery AS delivery SET claim = %(claim)s, next_at = %(until)s
FROM (
    SELECT due.id FROM notifications_endpoint AS endpoint CROSS JOIN LATERAL (
        SELECT id, next_at FROM notifications_delivery
        WHERE endpoint_id = endpoint.id AND state = 'waiting' AND next_at <= %(now)s
        ORDER BY next_at, id LIMIT CASE WHEN endpoint.failing_since IS NULL THEN %(each)s ELSE 1 END
        FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE endpoint.enabled AND endpoint.removed_at IS NULL AND endpoint.id <> ALL(%(busy)s)
    ORDER BY due.next_at LIMIT %(limit)s
) AS chosen
WHERE delivery.id = chosen.id RETURNING delivery.id
"""


def claim(limit: int, *, busy: Sequence[int]) -> list[Delivery]:
    """Take deliveries that are due, a few of each endpoint, so that one with a thousand doesn't hold up the others."""
    now, token = timezone.now(), secrets.token_hex(12)
    values: dict[str, Any] = {
        "claim": token, "until": now + LEASE, "now": now, "busy": list(busy), "limit": limit, "each": MOST_PER_ENDPOINT,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        keys = [key for (key,) in cursor.fetchall()]
    if not keys:
        return []
    return list(Delivery.objects.filter(pk__in=keys, claim=token).select_related("endpoint__team").order_by("id"))


def body_of(delivery: Delivery) -> bytes | None:
    """The message's body; None when its event can't be read any more. The same bytes at each attempt unless texts of the
    event were erased meanwhile."""
    if delivery.event_id is None:
        content = {
            "type": delivery.type,
            "timestamp": delivery.created_at,
            "data": {"message": "A test of this webhook.", "team": delivery.endpoint.team.name},
        }
    else:
        event = AuditEvent.objects.filter(pk=delivery.event_id).first()
        if event is None:
            return None
        content = {"type": event.action, "timestamp": event.at, "data": AuditEventSerializer(event).data}
    rendered: bytes = JSONRenderer().render(content)
    return rendered


def secrets_of(endpoint: Endpoint, now: datetime) -> list[str]:
    """The secrets to sign with: the one in use and, while they overlap, the one before."""
    found = [vault.unlock(endpoint.secret)]
    if endpoint.previous_secret and endpoint.previous_until and endpoint.previous_until > now:
        found.append(vault.unlock(endpoint.previous_secret))
    return found


def compose(delivery: Delivery) -> Message | Outcome:
    """The signed message, or (as a failed outcome) why there is none."""
    now = timezone.now()
    body = mlflow.body_of(delivery) if delivery.endpoint.wording == mlflow.WORDING else body_of(delivery)
    if body is None:
        return Outcome(error="The event is not in the ledger.")
    try:
        if delivery.endpoint.wording == mlflow.WORDING:
            return mlflow.message(delivery, body, secrets_of(delivery.endpoint, now), int(now.timestamp()))
        signed = signing.headers(secrets_of(delivery.endpoint, now), delivery.message_id, int(now.timestamp()), body)
    except Unavailable as problem:
        return Outcome(error=problem.detail[:300])
    return Message(
        delivery.endpoint.url,
        body,
        {"Content-Type": "application/json", "User-Agent": "Countersign-Webhooks/1", **signed},
    )


@transaction.atomic
def settle(delivery: Delivery, outcome: Outcome, sent: Mapping[str, str] | None = None) -> None:
    """Write down what came of an attempt. Nothing happens when the delivery is somebody else's by now."""
    endpoint = Endpoint.objects.select_for_update().select_related(None).get(pk=delivery.endpoint_id)
    row = Delivery.objects.select_for_update().filter(pk=delivery.pk, claim=delivery.claim, state=State.WAITING).first()
    if row is None:
        return
    now = timezone.now()
    Attempt.objects.create(
        delivery=row,
        at=now - timedelta(milliseconds=outcome.duration_ms),
        duration_ms=outcome.duration_ms,
        address=outcome.address,
        request_headers=dict(sent or {}),
        status=outcome.status,
        response=outcome.response,
        error=outcome.error,
    )
    row.tries += 1
    row.claim = ""
    if outcome.delivered:
        row.state, row.ended_at = State.DELIVERED, now
    elif outcome.status == 410 or (pause := pause_after(row.tries)) is None:
        row.state, row.ended_at = State.FAILED, now
    else:
        asked = timedelta(seconds=outcome.retry_after_s or 0)
        row.next_at = now + max(pause, asked)
    row.save(update_fields=["tries", "claim", "state", "ended_at", "next_at"])
    _judge(endpoint, outcome, now)


def _judge(endpoint: Endpoint, outcome: Outcome, now: datetime) -> None:
    """What an attempt says of the endpoint itself."""
    if outcome.delivered:
        if endpoint.failing_since or endpoint.refused_at or not _recent(endpoint.last_success_at, now):
            endpoint.failing_since, endpoint.refused_at, endpoint.last_success_at = None, None, now
            endpoint.save(update_fields=["failing_since", "refused_at", "last_success_at"])
        return
    endpoint.failing_since = endpoint.failing_since or now
    first_refusal = outcome.refused and endpoint.refused_at is None
    if outcome.refused:
        endpoint.refused_at = endpoint.refused_at or now
    endpoint.save(update_fields=["failing_since", "refused_at"])
    if first_refusal:
        record(
            Action.WEBHOOK_REFUSED, by=SYSTEM, team=_team(endpoint), target=target_of(endpoint),
            after=shown(endpoint), reason=outcome.error,
        )  # fmt: skip
    if not endpoint.enabled or endpoint.removed_at:
        return
    if outcome.status == 410:
        disable(endpoint, "It answered 410 Gone: it wants no more messages.", now)
    elif now - endpoint.failing_since >= DISABLE_AFTER:
        disable(endpoint, f"Every attempt failed for {DISABLE_AFTER.days} days.", now)


def _recent(moment: datetime | None, now: datetime) -> bool:
    """A success is written down once a minute, so that a busy endpoint's row is not rewritten by every message."""
    return moment is not None and now - moment < timedelta(minutes=1)


def disable(endpoint: Endpoint, reason: str, now: datetime) -> None:
    """End deliveries to an endpoint that takes none; what waits for it has failed, and can be sent again later."""
    endpoint.enabled, endpoint.disabled_reason = False, reason
    endpoint.save(update_fields=["enabled", "disabled_reason"])
    fail_waiting(endpoint, now)
    record(
        Action.WEBHOOK_DISABLED, by=SYSTEM, team=_team(endpoint), target=target_of(endpoint),
        before={"enabled": True}, after={"enabled": False}, reason=reason,
    )  # fmt: skip


def fail_waiting(endpoint: Endpoint, now: datetime) -> None:
    endpoint.deliveries.filter(state=State.WAITING).update(state=State.FAILED, ended_at=now, claim="")


def target_of(endpoint: Endpoint) -> Target:
    return Target("webhook", endpoint.pk, str(endpoint)[:300])


def shown(endpoint: Endpoint) -> dict[str, Any]:
    """What the ledger says of an endpoint: no secret, and of its address (which may hold one) the host and a hash."""
    return {
        "host": urlsplit(endpoint.url).netloc,
        "url_sha256": hashlib.sha256(endpoint.url.encode()).hexdigest(),
        "description": endpoint.description,
        "events": list(endpoint.events),
        "enabled": endpoint.enabled,
        **({"foreign": endpoint.foreign} if endpoint.foreign else {}),
    }


def _team(endpoint: Endpoint) -> str:
    return endpoint.team.name


@contextmanager
def _alone() -> Iterator[bool]:
    """One worker delivers at a time (it has many messages under way). The lock goes with the process or its connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK_KEY])
        (taken,) = cursor.fetchone()
    try:
        yield taken
    finally:
        if taken and connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK_KEY])
