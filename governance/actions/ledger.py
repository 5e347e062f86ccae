"""What people do to the ledger itself: take it away as an export, and have personal data erased from it."""

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from accounts.access import Actor
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.models import User
from accounts.roles import Permission
from governance.access import ledger_teams
from governance.ledger import erasure, export
from governance.ledger.actions import Action, Target, record
from governance.ledger.filters import Filter


@transaction.atomic
def begin_export(*, chosen: Filter, kind: str, from_index: int, by: Actor) -> export.Selection:
    """What the export holds, written down as an event before the first byte of it leaves."""
    if kind not in export.FORMATS:
        raise Invalid("format", f"Use one of {', '.join(export.FORMATS)}.")
    teams = ledger_teams(by, Permission.LEDGER_EXPORT)
    selection = export.select(chosen, teams=teams, from_index=from_index)
    asked = {name: str(value) for name, value in vars(chosen).items() if value}
    record(
        Action.LEDGER_EXPORTED,
        by=by,
        target=Target("ledger", "ledger", "the ledger" if teams is None else f"the ledger of {', '.join(teams)}"),
        team=teams[0] if teams and len(teams) == 1 else chosen.team,
        after={"format": kind, "filter": asked, "from_index": from_index, "tree_size": selection.tree_size},
    )
    return selection


@dataclass(frozen=True)
class Erased:
    """How many events lost texts."""

    events: int


@transaction.atomic
def erase_personal_data(
    *, email: str, reason: str, by: Actor, user_id: int | None = None, mentions: bool = True
) -> Erased:
    """Erase what the ledger says of one person: name, e-mail and address in the events that they caused, the texts of events
    about them, and, with `mentions`, each text in which the e-mail stands. What happened, and its proof, stay. The account itself
    is not touched."""
    if not (by.is_site_admin and by.in_scope(Permission.LEDGER_ERASE)):
        raise Forbidden(
            f"This needs the permission {Permission.LEDGER_ERASE.value}: site administrators have it.",
            permission=Permission.LEDGER_ERASE.value,
        )
    email = email.strip()
    try:
        validate_email(email)  # a whole address: a part of one would take other people's texts along
    except ValidationError:
        raise Invalid("email", "Give the whole e-mail address that the events name.") from None
    if not reason.strip():
        raise Invalid("reason", "Say why: who asked for it, and when.")
    known = User.objects.filter(email__iexact=email).values_list("pk", flat=True).first()
    person = user_id if user_id is not None else known
    if by.user is not None and (person == by.id or email.lower() == by.user.email.lower()):
        raise Conflict("Nobody erases what the ledger says of themselves: ask another site administrator.")
    found = erasure.find(email=email, user_id=person, mentions=mentions)
    if not found.events:
        raise Invalid("email", "No event in the ledger names this person, or their texts are erased already.")
    if unsealed := erasure.unsealed(found):
        raise Conflict(
            f"{unsealed} of the events are not sealed yet, which takes a few seconds. Try again in a moment."
        )
    erasure.erase(found, email=email, user_id=person)
    record(
        Action.PERSONAL_DATA_ERASED,
        by=by,
        target=Target("user", "-" if person is None else person, "a person's data"),
        after={"events": len(found.events), "texts": found.counts(), "mentions": mentions},
        reason=reason.strip(),
    )
    return Erased(len(found.events))
