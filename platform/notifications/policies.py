"""Who may do what with webhooks, and what an endpoint may say."""

from collections.abc import Sequence

from accounts.access import Actor, can, require
from accounts.errors import Invalid
from accounts.models import Team
from accounts.roles import Permission
from governance.ledger.actions import Action

# Whoever manages webhooks decides where the team's events go, and so reads them.
MANAGE = Permission.WEBHOOK_MANAGE
MAX_ENDPOINTS = 20
MAX_DESCRIPTION = 200
NOUNS = {action.value.partition(".")[0] for action in Action}


def may_manage(actor: Actor, team: Team) -> bool:
    return can(actor, MANAGE, team)


def require_manage(actor: Actor, team: Team) -> None:
    require(actor, MANAGE, team)


def checked_events(events: Sequence[str]) -> list[str]:
    """The types of events asked for, in order and each once; Invalid names the first that doesn't exist."""
    chosen = sorted(dict.fromkeys(str(text).strip() for text in events))
    if not chosen:
        raise Invalid(
            "events", "Choose at least one: '*' for all events, 'request.*' for all of a kind, or 'request.opened'."
        )
    for text in chosen:
        noun, _, verb = text.partition(".")
        known = text == "*" or (verb == "*" and noun in NOUNS) or text in set(Action)
        if not known:
            raise Invalid("events", f"There is no event '{text[:60]}'. GET /api/v1/webhooks/event-types lists them.")
    if "*" in chosen:
        return ["*"]
    whole = {text.partition(".")[0] for text in chosen if text.endswith(".*")}
    return [text for text in chosen if text.endswith(".*") or text.partition(".")[0] not in whole]


def checked_description(text: str) -> str:
    text = text.strip()
    if len(text) > MAX_DESCRIPTION or "\0" in text:
        raise Invalid("description", f"Use at most {MAX_DESCRIPTION} characters.")
    return text
