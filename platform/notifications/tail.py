"""Following the ledger: each event once, in commit order. What follows from it (deliveries, notices, e-mails to send) and
the new position commit together, so that whoever dies, nothing is lost and nothing comes twice."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from governance.ledger import commits
from governance.ledger.actions import Action
from governance.ledger.models import AuditEvent
from notifications import mailer, mlflow, wake
from notifications.audiences import Told, told_of
from notifications.kinds import ABOUT, Kind
from notifications.models import Delivery, Endpoint, Notice, Position, Preference

NAME = "ledger"
BATCH = 200
STEPS = (Kind.DECISION, Kind.DISCUSSION)
# Of what is older than this (as after a long stop) people are not told by e-mail any more.
STALE = timedelta(days=7)


def follow(*, batches: int = 50) -> int:
    """Take in the events that have come since the last time; how many. 0 also when another worker is at it."""
    Position.objects.get_or_create(name=NAME)
    total = 0
    for _ in range(batches):
        taken = _follow_once()
        total += taken
        if taken < BATCH:
            break
    return total


@transaction.atomic
def _follow_once() -> int:
    position = Position.objects.select_for_update(skip_locked=True).filter(name=NAME).first()
    if position is None:
        return 0
    events = commits.committed_after(commits.Position(position.xid, position.event_id), BATCH)
    if not events:
        return 0
    deliveries = _deliveries(events)
    notices = _notices(events)
    Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    Notice.objects.bulk_create(notices, ignore_conflicts=True)
    position.xid, position.event_id = events[-1].xid, events[-1].pk
    position.save(update_fields=["xid", "event_id"])
    if deliveries:
        wake.after_commit("notifications.tasks.deliver")
    if any(event.action == Action.PERSONAL_DATA_ERASED for event in events):
        wake.after_commit("notifications.tasks.forget_erased")
    if any(notice.mail for notice in notices):
        wake.after_commit("notifications.tasks.send_mail")
    return len(events)


def wants(endpoint: Endpoint, event: AuditEvent) -> bool:
    """Whether an endpoint is to hear of an event: not of what befalls itself, which would go round in circles."""
    if event.target_kind == "webhook" and event.target_id == str(endpoint.pk):
        return False
    if endpoint.wording == mlflow.WORDING and not mlflow.tells_of(event):
        return False
    noun = event.action.partition(".")[0]
    return not {"*", f"{noun}.*", event.action}.isdisjoint(endpoint.events)


def _deliveries(events: Sequence[AuditEvent]) -> list[Delivery]:
    teams = {event.team for event in events if event.team}
    endpoints: dict[str, list[Endpoint]] = {}
    rows = Endpoint.objects.filter(team__name__in=teams, enabled=True, removed_at=None).select_related("team")
    for endpoint in rows:
        endpoints.setdefault(endpoint.team.name, []).append(endpoint)
    return [
        Delivery(endpoint=endpoint, event_id=event.pk, type=event.action)
        for event in events
        for endpoint in endpoints.get(event.team, [])
        # What was done before somebody asked to be told of it is not sent.
        if event.at >= endpoint.created_at and wants(endpoint, event)
    ]


def _notices(events: Sequence[AuditEvent]) -> list[Notice]:
    told = [(event, one) for event in events for one in told_of(event)]
    told = _without_steps(told)
    if not told:
        return []
    chosen = preferences({one.user_id for _, one in told})
    can_mail, now = mailer.configured(), timezone.now()
    notices = []
    for event, one in told:
        on_page, by_mail = chosen.get((one.user_id, one.kind), (ABOUT[one.kind].on_page, ABOUT[one.kind].by_mail))
        mail = by_mail and can_mail and now - event.at < STALE
        if on_page or mail:
            notices.append(_notice(event, one, on_page=on_page, mail=mail))
    return notices


def _without_steps(told: list[tuple[AuditEvent, Told]]) -> list[tuple[AuditEvent, Told]]:
    """Of several steps of one request in one transaction (reviewed, approved and applied at once) a person hears the last,
    and of several askings for one review that are taken in together the first."""
    last: dict[tuple[int, int, str], int] = {}
    first: dict[tuple[int, str], int] = {}
    for place, (event, one) in enumerate(told):
        if one.kind in STEPS:
            last[event.xid, one.user_id, event.target_id] = place
        elif one.kind == Kind.REVIEW_WANTED:
            first.setdefault((one.user_id, one.link), place)
    kept = {*last.values(), *first.values()}
    return [
        (event, one)
        for place, (event, one) in enumerate(told)
        if place in kept or one.kind not in (*STEPS, Kind.REVIEW_WANTED)
    ]


def preferences(user_ids: Iterable[int]) -> dict[tuple[int, str], tuple[bool, bool]]:
    """(on the page, by e-mail) by person and kind, where somebody chose."""
    rows = Preference.objects.filter(user_id__in=list(user_ids))
    return {
        (user, kind): (page, mail)
        for user, kind, page, mail in rows.values_list("user_id", "kind", "on_page", "by_mail")
    }


def _notice(event: AuditEvent, one: Told, *, on_page: bool, mail: bool) -> Notice:
    return Notice(
        user_id=one.user_id,
        kind=one.kind,
        event_id=event.pk,
        team=event.team,
        title=one.title,
        body=one.body,
        link=one.link,
        shown=on_page,
        mail=Notice.Mail.WAITING if mail else Notice.Mail.NONE,
        mail_next_at=timezone.now() if mail else None,
    )


def known_types() -> dict[str, list[str]]:
    """Every type of event by its noun, for those who choose."""
    nouns: dict[str, list[str]] = {}
    for action in Action:
        nouns.setdefault(action.value.partition(".")[0], []).append(action.value)
    return dict(sorted(nouns.items()))
