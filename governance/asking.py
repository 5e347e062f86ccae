"""The auditor's filter as it stands in an address, and the page that it finds: the same for pages, REST and exports."""

from collections.abc import Mapping
from datetime import datetime

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import get_current_timezone, is_naive, make_aware

from accounts.errors import Invalid
from accounts.rest import PAGE, Cursor, not_a_cursor
from governance.ledger.filters import Filter
from governance.ledger.reads import Found, find

# name -> what it asks for, as REST documents it and as chips say it.
FIELDS = {
    "actor": "E-mail, or a part of the name, of who acted.",
    "asset": "A part of the label of what was acted on, or its digest (sha256:…).",
    "action": "An action, or the beginning of one: 'request' or 'request.opened'.",
    "after": "At or after this time.",
    "before": "Before this time.",
    "team": "The name of a team.",
    "door": "By which door: ui, api, task, …",
    "key": "The id of an API key.",
    "request": "The id of an HTTP request (X-Request-ID).",
    "about": "One thing's life, as kind:id, such as model:7; of user:7 and key:… also what they did.",
    "flag": "'out_of_band': only changes that were made behind the application's back.",
}
_LONGEST = 300


def read_time(field: str, text: str) -> datetime | None:
    """A time or day of a filter, UTC unless it says otherwise; Invalid names the field."""
    if not text:
        return None
    try:
        moment = parse_datetime(text) if "T" in text or " " in text else None
        if moment is None and (day := parse_date(text)):
            moment = datetime(day.year, day.month, day.day)  # noqa: DTZ001  made aware below
    except ValueError:
        moment = None
    if moment is None:
        raise Invalid(field, "Use a time such as 2026-05-03 or 2026-05-03T14:00:00Z.")
    try:
        return make_aware(moment, get_current_timezone()) if is_naive(moment) else moment
    except (ValueError, OverflowError):
        raise Invalid(field, "Use a time such as 2026-05-03 or 2026-05-03T14:00:00Z.") from None


def filter_of(values: Mapping[str, str]) -> Filter:
    """The filter that these texts ask for; Invalid names the one that can't be read."""
    given = {name: str(values.get(name, "")).strip() for name in FIELDS}
    for name, text in given.items():
        if "\0" in text or len(text) > _LONGEST:
            raise Invalid(name, f"Use at most {_LONGEST} characters, and no NUL among them.")
    if given["flag"] not in ("", "out_of_band"):
        raise Invalid("flag", "Use 'out_of_band', or leave it out.")
    if given["about"] and ":" not in given["about"]:
        raise Invalid("about", "Name one thing as kind:id, such as model:7.")
    after, before = read_time("after", given["after"]), read_time("before", given["before"])
    if after and before and after >= before:
        raise Invalid("before", "The end of the time lies before its beginning.")
    return Filter(
        actor=given["actor"],
        asset=given["asset"],
        action=given["action"],
        after=after,
        before=before,
        team=given["team"],
        door=given["door"],
        key=given["key"],
        request=given["request"],
        about=(given["about"],) if given["about"] else (),
        flagged=bool(given["flag"]),
    )


def found_page(
    chosen: Filter, *, teams: list[str] | None, cursor: str, limit: int = PAGE, ascending: bool = False
) -> tuple[Found, str | None]:
    """One page of a search and the next page's cursor, which every list of events understands."""
    (after_id,) = Cursor.read(cursor, 1) if cursor else (None,)
    if after_id is not None and (not isinstance(after_id, int) or isinstance(after_id, bool) or abs(after_id) >= 2**63):
        raise not_a_cursor()
    found = find(chosen, teams=teams, after_id=after_id, limit=limit, ascending=ascending)
    return found, None if found.next_id is None else Cursor.write([found.next_id])
