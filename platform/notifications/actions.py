"""Changes to webhooks, deliveries, preferences and notices."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from accounts.access import Actor
from accounts.errors import Conflict, Forbidden, Invalid, NotFound
from accounts.models import Team, User
from governance.ledger.actions import Action, Target, record
from notifications import guard, mlflow, signing, vault, wake
from notifications.deliveries import LEASE, compose, fail_waiting, settle, shown, target_of
from notifications.kinds import ABOUT, Kind
from notifications.models import Delivery, Endpoint, Notice, Preference
from notifications.policies import MAX_ENDPOINTS, checked_description, checked_events, require_manage
from notifications.reads import choices_of, notices_of
from notifications.wire import Outcome, Wire

DELIVER = "notifications.tasks.deliver"
OVERLAP = timedelta(hours=24)
MAX_OVERLAP = timedelta(days=7)
TEST_TYPE = "webhook.test"
State = Delivery.State


def create_webhook(
    *,
    team: Team,
    url: str,
    events: Sequence[str],
    by: Actor,
    description: str = "",
    enabled: bool = True,
    secret: str | None = None,
    foreign: Mapping[str, Any] | None = None,
) -> tuple[Endpoint, str]:
    """A webhook of a team, and its secret: the only time that the secret is shown. `foreign`: what MLflow's client says of it, which
    brings a `secret` of its own ('' : none) and is told in MLflow's words."""
    require_manage(by, team)
    chosen, description = checked_events(events), checked_description(description)
    # Before the transaction: a name server may take its time, and a refusal is an event that stays.
    url = _checked_url(url, team=team, target=None, by=by)
    secret = signing.new_secret() if secret is None else secret
    with transaction.atomic():
        Team.objects.select_for_update().get(pk=team.pk)
        if Endpoint.objects.filter(team=team, removed_at=None).count() >= MAX_ENDPOINTS:
            raise Conflict(f"A team has at most {MAX_ENDPOINTS} webhooks. Remove one that nobody needs.")
        endpoint = Endpoint.objects.create(
            team=team,
            url=url,
            description=description,
            events=chosen,
            enabled=enabled,
            secret=vault.lock(secret),
            wording=mlflow.WORDING if foreign is not None else "",
            foreign=dict(foreign or {}),
            created_by=by.user,
        )
        record(Action.WEBHOOK_CREATED, by=by, team=team.name, target=target_of(endpoint), after=shown(endpoint))
    return endpoint, secret


def change_webhook(
    *,
    webhook: Endpoint,
    by: Actor,
    url: str | None = None,
    events: Sequence[str] | None = None,
    description: str | None = None,
    enabled: bool | None = None,
    foreign: Mapping[str, Any] | None = None,
) -> Endpoint:
    """Change what is given. Switched on again it counts as well until it fails; switched off, what waits for it has failed."""
    require_manage(by, webhook.team)
    if url is not None and url != webhook.url:
        url = _checked_url(url, team=webhook.team, target=target_of(webhook), by=by)
    with transaction.atomic():
        endpoint = _lock(webhook)
        before = shown(endpoint)
        endpoint.url = url if url is not None else endpoint.url
        endpoint.events = checked_events(events) if events is not None else endpoint.events
        endpoint.description = checked_description(description) if description is not None else endpoint.description
        endpoint.foreign = {**endpoint.foreign, **(foreign or {})}
        if enabled is not None and enabled != endpoint.enabled:
            endpoint.enabled, endpoint.disabled_reason = enabled, ""
            if enabled:
                endpoint.failing_since = endpoint.refused_at = None
            else:
                fail_waiting(endpoint, timezone.now())
        after = shown(endpoint)
        if before == after:
            return endpoint
        endpoint.changed_at = timezone.now()
        endpoint.save(
            update_fields=[
                "url", "events", "description", "enabled", "disabled_reason", "failing_since", "refused_at", "foreign",
                "changed_at",
            ]
        )  # fmt: skip
        record(
            Action.WEBHOOK_CHANGED,
            by=by,
            team=endpoint.team.name,
            target=target_of(endpoint),
            before={key: before[key] for key in before if before[key] != after[key]},
            after={key: after[key] for key in after if before[key] != after[key]},
        )
    return endpoint


@transaction.atomic
def rotate_secret(*, webhook: Endpoint, by: Actor, overlap: timedelta = OVERLAP) -> str:
    """A new secret, shown this once. For `overlap` messages carry a signature by the old one too."""
    require_manage(by, webhook.team)
    if not timedelta(0) <= overlap <= MAX_OVERLAP:
        raise Invalid("overlap_s", f"Use a number of seconds from 0 to {int(MAX_OVERLAP.total_seconds())} (7 days).")
    endpoint = _lock(webhook)
    secret = signing.new_secret()
    endpoint.previous_secret = endpoint.secret if overlap else ""
    endpoint.previous_until = timezone.now() + overlap if overlap else None
    endpoint.secret = vault.lock(secret)
    endpoint.save(update_fields=["secret", "previous_secret", "previous_until"])
    record(
        Action.WEBHOOK_SECRET_ROTATED,
        by=by,
        team=endpoint.team.name,
        target=target_of(endpoint),
        after={"old_secret_until": endpoint.previous_until.isoformat() if endpoint.previous_until else None},
    )
    return secret


@transaction.atomic
def set_secret(*, webhook: Endpoint, secret: str, by: Actor) -> None:
    """Sign with a secret that the client of another product brought; '' : not at all."""
    require_manage(by, webhook.team)
    endpoint = _lock(webhook)
    endpoint.secret, endpoint.previous_secret, endpoint.previous_until = vault.lock(secret), "", None
    endpoint.save(update_fields=["secret", "previous_secret", "previous_until"])
    record(
        Action.WEBHOOK_SECRET_ROTATED,
        by=by,
        team=endpoint.team.name,
        target=target_of(endpoint),
        after={"old_secret_until": None},
    )


@transaction.atomic
def remove_webhook(*, webhook: Endpoint, by: Actor) -> None:
    """Send nothing there any more, and forget its secrets."""
    require_manage(by, webhook.team)
    endpoint = _lock(webhook)
    before = shown(endpoint)
    now = timezone.now()
    endpoint.removed_at, endpoint.enabled = now, False
    endpoint.secret = endpoint.previous_secret = ""
    endpoint.save(update_fields=["removed_at", "enabled", "secret", "previous_secret"])
    fail_waiting(endpoint, now)
    record(Action.WEBHOOK_REMOVED, by=by, team=endpoint.team.name, target=target_of(endpoint), before=before)


@transaction.atomic
def send_test(*, webhook: Endpoint, by: Actor) -> Delivery:
    """Queue a message that says that it is a test."""
    require_manage(by, webhook.team)
    endpoint = _lock(webhook)
    _require_enabled(endpoint)
    delivery = Delivery.objects.create(endpoint=endpoint, type=TEST_TYPE)
    record(
        Action.WEBHOOK_TESTED,
        by=by,
        team=endpoint.team.name,
        target=target_of(endpoint),
        after={"message": delivery.message_id},
    )
    wake.after_commit(DELIVER)
    return delivery


def test_now(*, webhook: Endpoint, type: str, by: Actor) -> Outcome:
    """Send a test while the caller waits, and say what came of it. `type`: what it is an example of."""
    require_manage(by, webhook.team)
    with transaction.atomic():
        endpoint = _lock(webhook)
        _require_enabled(endpoint)
        # Claimed from the beginning, so that no worker takes it as well.
        delivery = Delivery.objects.create(
            endpoint=endpoint, type=type, claim=secrets.token_hex(12), next_at=timezone.now() + LEASE
        )
        record(
            Action.WEBHOOK_TESTED,
            by=by,
            team=endpoint.team.name,
            target=target_of(endpoint),
            after={"message": delivery.message_id},
        )
    message = compose(delivery)
    if isinstance(message, Outcome):
        outcome, headers = message, None
    else:
        headers = message.headers
        with Wire() as wire:
            outcome = wire.send(message).result()
    settle(delivery, outcome, headers)
    return outcome


@transaction.atomic
def resend(*, delivery: Delivery, by: Actor) -> Delivery:
    """Send a message again now, under its old id; the schedule of retries begins anew."""
    require_manage(by, delivery.endpoint.team)
    endpoint = _lock(delivery.endpoint)
    _require_enabled(endpoint)
    row = Delivery.objects.select_for_update().get(pk=delivery.pk)
    before = {"state": row.state, "tries": row.tries}
    _queue_again(Delivery.objects.filter(pk=row.pk))
    record(
        Action.DELIVERY_REPLAYED,
        by=by,
        team=endpoint.team.name,
        target=Target("delivery", row.pk, row.message_id),
        also=[target_of(endpoint)],
        before=before,
        after={"state": State.WAITING.value, "event": row.event_id, "type": row.type},
    )
    wake.after_commit(DELIVER)
    row.refresh_from_db()
    return row


@transaction.atomic
def resend_failed(*, webhook: Endpoint, since: datetime, by: Actor) -> int:
    """Send again all messages made since then that failed; how many."""
    require_manage(by, webhook.team)
    endpoint = _lock(webhook)
    _require_enabled(endpoint)
    if since > timezone.now():
        raise Invalid("since", "Use a time in the past.")
    count = _queue_again(Delivery.objects.filter(endpoint=endpoint, state=State.FAILED, created_at__gte=since))
    if count:
        record(
            Action.DELIVERY_REPLAYED,
            by=by,
            team=endpoint.team.name,
            target=target_of(endpoint),
            after={"since": since.isoformat(), "deliveries": count},
        )
        wake.after_commit(DELIVER)
    return count


@transaction.atomic
def choose_notices(*, choices: Mapping[str, Mapping[str, bool]], by: Actor) -> None:
    """Choose how one is told: {kind: {"on_page": bool, "by_mail": bool}}. Kinds that are left out stay as they are."""
    if by.user is None or by.user.kind != User.Kind.PERSON:
        raise Forbidden("A service account gets no notices.")
    for kind in choices:
        if kind not in ABOUT:
            raise Invalid("kind", f"There is no kind of notice '{kind[:40]}'. Use one of {', '.join(ABOUT)}.")
    User.objects.select_for_update().get(pk=by.user.pk)
    old = {choice.kind: choice for choice in choices_of(by)}
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for kind, chosen in choices.items():
        had = {"on_page": old[Kind(kind)].on_page, "by_mail": old[Kind(kind)].by_mail}
        wanted = {**had, **chosen}
        if wanted == had:
            continue
        before[kind], after[kind] = had, wanted
        Preference.objects.update_or_create(user=by.user, kind=kind, defaults=wanted)
    if after:
        record(
            Action.NOTICES_CHOSEN,
            by=by,
            target=Target("user", by.user.pk, by.user.email),
            before=before,
            after=after,
        )


def mark_read(*, by: Actor, notice_ids: Sequence[int] | None = None) -> int:
    """Mark one's notices as read (None: all); how many. No event: what somebody has looked at is their own business."""
    rows = notices_of(by, unread=True).order_by()
    if notice_ids is not None:
        rows = rows.filter(pk__in=list(notice_ids))
    return Notice.objects.filter(pk__in=rows.values("pk")).update(read_at=timezone.now())


def _checked_url(url: str, *, team: Team, target: Target | None, by: Actor) -> str:
    """An address that webhooks may go to; else Invalid and, for one that leads where none may go, an event."""
    url = url.strip()
    try:
        guard.check(url)
    except guard.Unresolved as problem:
        raise Invalid("url", str(problem)) from None
    except guard.Refused as refused:
        record(
            Action.WEBHOOK_REFUSED,
            by=by,
            team=team.name,
            target=target or Target("webhook", "new", _host(url)),
            after={"host": _host(url)},
            reason=str(refused),
        )
        raise Invalid("url", str(refused)) from None
    return url


def _host(url: str) -> str:
    """Host and port of what may be no address at all."""
    try:
        parts = urlsplit(url)
        return (parts.netloc.rpartition("@")[2] or "no address").replace("\0", "")[:200]
    except ValueError:
        return "no address"


def _lock(webhook: Endpoint) -> Endpoint:
    """The row, locked; NotFound when somebody removed it meanwhile."""
    rows = Endpoint.objects.select_for_update(of=("self",)).select_related("team")
    found = rows.filter(pk=webhook.pk, removed_at=None).first()
    if found is None:
        raise NotFound("This webhook has been removed.")
    return found


def _require_enabled(endpoint: Endpoint) -> None:
    if not endpoint.enabled:
        raise Conflict("This webhook is disabled. Enable it first.", link=f"/settings/webhooks/{endpoint.pk}/")


def _queue_again(rows: Any) -> int:
    count: int = rows.update(state=State.WAITING, tries=0, next_at=timezone.now(), ended_at=None, claim="")
    return count
