"""Reading the ledger: by subject, and by the auditor's filters. Callers have checked `ledger.view`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from governance.ledger.actions import Target
from governance.ledger.models import AuditEvent


def events_about(*targets: Target) -> QuerySet[AuditEvent]:
    """Every event that names one of these, newest first: the life of a version, an asset, a request."""
    return AuditEvent.objects.filter(subjects__overlap=[target.subject for target in targets]).order_by("-id")


@dataclass(frozen=True)
class Filter:
    """The auditor's filter. actor: name or e-mail; asset: a part of the target's label; times with zone."""

    actor: str = ""
    asset: str = ""
    action: str = ""
    after: datetime | None = None
    before: datetime | None = None


def search(chosen: Filter, *, teams: Iterable[str] | None) -> QuerySet[AuditEvent]:
    """Events of these teams (None: of all, those without a team included), newest first."""
    events = AuditEvent.objects.order_by("-id")
    if teams is not None:
        events = events.filter(team__in=list(teams))
    if chosen.actor:
        events = events.filter(Q(actor_email__iexact=chosen.actor) | Q(actor_name__icontains=chosen.actor))
    if chosen.asset:
        events = events.filter(target_label__icontains=chosen.asset)
    if chosen.action:
        events = events.filter(action__startswith=chosen.action)
    if chosen.after:
        events = events.filter(at__gte=chosen.after)
    if chosen.before:
        events = events.filter(at__lt=chosen.before)
    return events
