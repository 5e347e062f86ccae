"""Where the platform's own calls of models go: to the gateway, with a ticket, so that what a call must pass is asked in one place."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

from accounts.access import Actor
from accounts.errors import Forbidden
from accounts.tickets import Ticket, secret_of, written

if TYPE_CHECKING:
    from serving.models import Deployment

# A ticket is for calls that begin soon: turns of jobs are seconds long, and write themselves new ones.
LASTS_S = 600


@dataclass(frozen=True)
class Door:
    """Where to send a request for a deployment: below `address`, with these headers."""

    address: str
    headers: dict[str, str] = field(default_factory=dict)


def door(deployment: Deployment, by: Actor) -> Door:
    """The way to a deployment for this person. The gateway asks whether they may; here nothing is decided."""
    if by.user is None:
        raise Forbidden("Models are called for somebody who is signed in.")
    ticket = Ticket(by.user.pk, by.key.pk if by.key else 0, deployment.pk, int(time.time()) + LASTS_S)
    return Door(settings.GATEWAY_INTERNAL_URL, {"Authorization": written(ticket, _secret(settings.SECRET_KEY))})


@cache
def _secret(site_secret: str) -> bytes:
    return secret_of(site_secret)
