"""What an actor may read of webhooks, deliveries and notices."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from accounts.access import Actor, get_team
from accounts.errors import NotFound
from accounts.models import Team
from notifications.kinds import ABOUT, About, Kind
from notifications.models import Delivery, Endpoint, Notice, Preference
from notifications.policies import require_manage

# A count beyond this is shown as '99+': it then costs the same however many there are.
COUNTED = 100


def webhooks_of(actor: Actor, team: Team) -> QuerySet[Endpoint]:
    """A team's webhooks, for whoever manages them."""
    require_manage(actor, team)
    return Endpoint.objects.filter(team=team, removed_at=None).select_related("team", "created_by")


def get_webhook(actor: Actor, webhook_id: int) -> Endpoint:
    """A webhook; NotFound for who is not in its team, Forbidden for who is and doesn't manage it."""
    row = Endpoint.objects.select_related("team", "created_by").filter(pk=webhook_id, removed_at=None).first()
    if row is not None:
        try:
            get_team(actor, row.team.name)
        except NotFound:
            row = None
    if row is None:
        raise NotFound("There is no such webhook that you can see.")
    require_manage(actor, row.team)
    return row


def deliveries_of(endpoint: Endpoint, *, state: str = "", since: datetime | None = None) -> QuerySet[Delivery]:
    """Deliveries to an endpoint, newest first."""
    rows = Delivery.objects.filter(endpoint=endpoint).select_related("endpoint__team").order_by("-id")
    if state:
        rows = rows.filter(state=state)
    return rows.filter(created_at__gte=since) if since else rows


def get_delivery(actor: Actor, delivery_id: int) -> Delivery:
    """A delivery, for whoever reaches its webhook."""
    row = Delivery.objects.filter(pk=delivery_id).first()
    if row is None:
        raise NotFound("There is no such delivery that you can see.")
    row.endpoint = get_webhook(actor, row.endpoint_id)
    return row


def notices_of(actor: Actor, *, unread: bool = False) -> QuerySet[Notice]:
    """One's own notices, newest first."""
    rows = Notice.objects.filter(user_id=actor.id or 0, shown=True).order_by("-id")
    return rows.filter(read_at=None) if unread else rows


def get_notice(actor: Actor, notice_id: int) -> Notice:
    row = notices_of(actor).filter(pk=notice_id).first()
    if row is None:
        raise NotFound("There is no such notice.")
    return row


def unread_count(actor: Actor) -> int:
    """How many notices one has not read, counted up to COUNTED."""
    return notices_of(actor, unread=True).order_by()[:COUNTED].count()


@dataclass(frozen=True)
class Choice:
    """One kind of notice, and how a person gets it."""

    kind: Kind
    about: About
    on_page: bool
    by_mail: bool


def choices_of(actor: Actor) -> list[Choice]:
    """How one wants each kind of notice, the defaults filled in."""
    chosen = {row.kind: row for row in Preference.objects.filter(user_id=actor.id or 0)}
    return [
        Choice(
            kind,
            about,
            chosen[kind].on_page if kind in chosen else about.on_page,
            chosen[kind].by_mail if kind in chosen else about.by_mail,
        )
        for kind, about in ABOUT.items()
    ]
