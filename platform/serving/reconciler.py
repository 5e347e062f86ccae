"""Brings Ray Serve to what PostgreSQL says, and PostgreSQL to what Ray Serve shows.

A pass reads both, writes what it saw, then tells Serve where it differs. It keeps nothing in memory, so it may die at
any line and the next pass goes on; of several workers one runs at a time.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.access import SYSTEM
from governance.ledger.actions import Action, record
from serving import cluster, planning
from serving.actions.events import also_about, target_of
from serving.applications import application
from serving.models import Deployment, Revision

log = logging.getLogger(__name__)
LOCK_KEY = 0x5E7_0001  # of PostgreSQL's advisory locks: any number that nobody else takes
# Serve's own processes take memory that nobody needs while nothing runs, but seconds to come back.
IDLE_BEFORE_SHUTDOWN = timedelta(seconds=60)
EVENTFUL = {Deployment.State.RUNNING, Deployment.State.FAILED}
State = Deployment.State


def reconcile() -> bool:
    """One pass; False when another worker is at it."""
    with _alone() as alone:
        if alone:
            _pass()
        return alone


@contextmanager
def _alone() -> Iterator[bool]:
    """A lock of this database session: it goes with the process or the connection, whichever ends first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK_KEY])
        (taken,) = cursor.fetchone()
    try:
        yield taken
    finally:
        if taken and connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK_KEY])


def _pass() -> None:
    now = timezone.now()
    rows = list(
        Deployment.objects.with_revision()
        .exclude(desired=Deployment.Desired.STOPPED, state=State.STOPPED)
        .order_by("pk")
    )
    try:
        seen = cluster.observe()
    except cluster.RayDown:
        for row in rows:
            _ray_is_down(row, now)
        return
    except cluster.RayError as error:
        # Slow, restarting or half up: what runs is unknown, so nothing is said about it.
        log.warning("Deployments are not reconciled: %s", error)
        return
    wanted: list[dict[str, Any]] = []
    for row in rows:
        verdict = planning.decide(_wanted(row, now), seen.apps)
        if _write(row, verdict, now):
            wanted.extend(verdict.applications)
        else:
            # Somebody changed it in this moment. Leave its applications as they are; the next pass sees to them.
            wanted.extend(_as_they_are(row, seen))
    _tell(wanted, seen, now)


def _wanted(row: Deployment, now: datetime) -> planning.Wanted:
    revision = _revision(row)
    older = row.active if row.active_id != row.revision_id else None
    if not row.wants_to_run:
        wish = planning.Wish.STOP
    elif row.retry_at and row.retry_at > now:
        wish = planning.Wish.WAIT
    else:
        wish = planning.Wish.RUN
    return planning.Wanted(
        wish=wish,
        replicas=row.replicas,
        number=revision.number,
        config=application(row, revision),
        older_number=older.number if older else 0,
        older_config=application(row, older) if older else None,
        failures=row.failures,
        message=row.message,
        detail=row.detail,
    )


def _revision(row: Deployment) -> Revision:
    if row.revision is None:
        raise RuntimeError(f"{row} has no revision")  # actions make both in one transaction
    return row.revision


def _as_they_are(row: Deployment, seen: cluster.Observed) -> list[dict[str, Any]]:
    names = {revision.application for revision in (row.revision, row.active) if revision}
    return [app.config for name, app in seen.apps.items() if name in names and app.config and app.status != "DELETING"]


def _tell(wanted: list[dict[str, Any]], seen: cluster.Observed, now: datetime) -> None:
    if not wanted and not seen.apps:
        if seen.serve_is_up and _idle_since(now - IDLE_BEFORE_SHUTDOWN):
            log.info("Nothing has run for a while: Serve's own processes end.")
            cluster.shut_down_serve()
        return
    elsewhere = seen.serve_is_up and seen.http not in (None, cluster.serve_address())
    if not elsewhere and not planning.differs(wanted, seen.apps):
        return
    if elsewhere:
        log.info("Serve listens at %s instead of %s: it is started anew.", seen.http, cluster.serve_address())
        cluster.shut_down_serve()
    log.info("Serve is told to run %s.", ", ".join(config["name"] for config in wanted) or "nothing")
    try:
        cluster.deploy(wanted)
    except cluster.RayError as error:
        log.warning("Serve was not told: %s", error)


def _idle_since(moment: datetime) -> bool:
    return not Deployment.objects.exclude(state=State.STOPPED, state_changed_at__lt=moment).exists()


def _write(row: Deployment, verdict: planning.Verdict, now: datetime) -> bool:
    """Write what was seen, unless the row has moved on meanwhile (False then)."""
    replicas = [_replica(number, replica) for number, replica in verdict.replicas]
    answering = _answering(row, verdict.answering)
    fields: dict[str, Any] = {
        "state": verdict.state,
        "message": verdict.message,
        "detail": verdict.detail,
        "failures": verdict.failures,
        "endpoint": answering.endpoint if answering and verdict.state in {State.RUNNING, State.UPDATING} else "",
        # A failed start's replicas are gone by the next pass, but their logs are what somebody wants to read.
        "observed_replicas": row.observed_replicas if not replicas and verdict.state == State.FAILED else replicas,
    }
    if verdict.failed_now:
        fields["retry_at"] = now + timedelta(seconds=planning.backoff_s(verdict.failures))
    elif not verdict.failures and row.retry_at:
        fields["retry_at"] = None
    if answering or verdict.state == State.STOPPED:
        fields["active"] = answering
    changed = {name: value for name, value in fields.items() if getattr(row, name) != value}
    return not changed or _save(row, changed, now, failed_now=verdict.failed_now)


def _save(row: Deployment, changed: dict[str, Any], now: datetime, *, failed_now: bool = False) -> bool:
    before = {"state": row.state, "revision": row.active.number if row.active else None}
    if "state" in changed:
        changed["state_changed_at"] = now
    with transaction.atomic():
        # The generation says whether people changed the row since it was read; observed fields have one writer, us.
        if not Deployment.objects.filter(pk=row.pk, generation=row.generation).update(**changed):
            return False
        for name, value in changed.items():
            setattr(row, name, value)
        moved = before["revision"] and row.active and before["revision"] != row.active.number
        if moved or failed_now or ("state" in changed and row.state in EVENTFUL):
            record(
                Action.DEPLOYMENT_STATE_CHANGED,
                by=SYSTEM,
                team=row.team.name,
                target=target_of(row),
                also=also_about(row),
                before=before,
                after={
                    "state": State.FAILED if failed_now else row.state,
                    "revision": _revision(row).number if failed_now or row.active is None else row.active.number,
                },
                reason=row.message,
            )
    return True


def _answering(row: Deployment, number: int) -> Revision | None:
    return next((revision for revision in (row.revision, row.active) if revision and revision.number == number), None)


def _ray_is_down(row: Deployment, now: datetime) -> None:
    """Nothing listens, so nothing runs: say so, and hand no request to it."""
    changed: dict[str, Any] = {}
    if row.endpoint or row.state in {State.RUNNING, State.UPDATING, State.STARTING, State.QUEUED}:
        changed = {
            "endpoint": "",
            "observed_replicas": [],
            "state": State.QUEUED,
            "message": "Ray isn't running. Replicas start as soon as it is back.",
        }
    elif not row.wants_to_run:
        changed = {"endpoint": "", "observed_replicas": [], "state": State.STOPPED, "message": "", "active": None}
    changed = {name: value for name, value in changed.items() if getattr(row, name) != value}
    if changed:
        _save(row, changed, now)


def _replica(number: int, replica: cluster.Replica) -> dict[str, Any]:
    started = datetime.fromtimestamp(replica.started_s, UTC).isoformat() if replica.started_s else None
    return {
        "id": replica.id,
        "revision": number,
        "state": replica.state,
        "node": replica.node,
        "node_id": replica.node_id,
        "worker_id": replica.worker_id,
        "pid": replica.pid,
        "started_at": started,
        "log": replica.log,
    }
