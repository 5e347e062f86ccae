"""Background work: what time does to requests and approvals. Every task may run twice, and beside itself."""

import logging

from celery import shared_task

from accounts.errors import Problem
from governance import renewals
from governance.actions.requests import keeping

log = logging.getLogger(__name__)


@shared_task
def keep_requests() -> None:
    """End requests whose time is over; hold the others against their policies as they are now."""
    for pk in keeping.expired_requests():
        keeping.expire(pk)
    for pk in keeping.live_requests():
        try:
            keeping.look_again(pk)
        except Problem as refused:  # one request that can't be judged does not hold up the others
            log.warning("request %d: %s", pk, refused.detail)


@shared_task
def lapse_approvals() -> None:
    """Approvals whose shelf life has ended, by date or because their evidence is outdated, lapse and come back as renewals."""
    for pk in keeping.ended_approvals():
        keeping.lapse(pk, "its time has passed")
    for pk, reason in renewals.outdated_approvals():
        keeping.lapse(pk, reason)
