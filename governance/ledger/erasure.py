"""Finding what the ledger says of a person, and dropping it: texts and salts go, facts and tree stay."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from governance.ledger.canonical import FIELDS
from governance.ledger.search.names import forget

OWN = ("actor_email", "actor_name", "address")
# The address by itself, not as the end or the beginning of somebody else's; in JSON it may follow an escaped line break.
_WHOLE = r"(^|[^[:alnum:]._%+-]|\\[bfnrt]){}($|[^[:alnum:].-]|[.]($|[^[:alnum:]]))"
ABOUT = ("target_label", "before", "after", "reason")


@dataclass(frozen=True)
class Found:
    """Ids of events by the text that is to go."""

    by_field: Mapping[str, list[int]]

    @property
    def events(self) -> set[int]:
        return {one for ids in self.by_field.values() for one in ids}

    def counts(self) -> dict[str, int]:
        return {name: len(ids) for name, ids in self.by_field.items() if ids}


def find(*, email: str, user_id: int | None, mentions: bool) -> Found:
    """One walk over the ledger per field; texts that are erased already are left out."""
    pattern = _WHOLE.format(re.escape(email))
    subject = f"user:{user_id}"
    found = {}
    with connection.cursor() as cursor:
        for name in FIELDS:
            which: list[str] = []
            values: list[Any] = []
            if name in OWN:
                # Before an account is known (a failed sign-in), the e-mail alone says who it was.
                which.append(
                    "e.actor_id = %s OR e.id IN (SELECT event_id FROM ledger_eventtext WHERE lower(actor_email) = %s)"
                )
                values += [user_id, email.lower()]
            elif user_id is not None:
                which.append("(e.subjects @> %s AND e.action <> 'personal_data.erased')")
                values.append([subject])
            if mentions:
                which.append(f"t.{name}::text ~* %s")
                values.append(pattern)
            if not which:
                continue
            cursor.execute(
                "SELECT e.id FROM ledger_auditevent e JOIN ledger_eventtext t ON t.event_id = e.id "  # noqa: S608
                f"WHERE t.salt_{name} IS NOT NULL AND ({' OR '.join(which)})",
                values,
            )
            found[name] = [row[0] for row in cursor.fetchall()]
    return Found(found)


def unsealed(found: Found) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM unnest(%s::bigint[]) AS one WHERE NOT EXISTS "
            "(SELECT FROM ledger_leaf WHERE event_id = one)",
            [sorted(found.events)],
        )
        return int(cursor.fetchone()[0])


def erase(found: Found, *, email: str, user_id: int | None) -> None:
    """Drop them, and the names by which searching found them."""
    with connection.cursor() as cursor:
        for name, ids in found.by_field.items():
            if ids:
                cursor.execute("SELECT ledger_erase(%s, %s)", [ids, [name]])
    forget([] if user_id is None else [f"actor:{user_id}", f"user:{user_id}"], [email])
