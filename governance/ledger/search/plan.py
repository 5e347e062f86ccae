"""A filter put into terms: what each of its parts names, and the exact condition that a found event must meet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q

import governance.ledger.search.lookups  # noqa: F401  registers subjects__any_of
from governance.ledger.actions import Action
from governance.ledger.commits import Position
from governance.ledger.filters import Filter
from governance.ledger.search.names import actors_named, things_named
from governance.ledger.search.terms import term

OUT_OF_BAND = "out_of_band"
_DIGITS = 19


@dataclass
class Plan:
    """groups: each a choice of terms, all of which must be met; `where` says the same, and more, exactly."""

    where: Q = field(default_factory=Q)
    groups: list[list[int]] = field(default_factory=list)
    after: datetime | None = None
    before: datetime | None = None
    nothing: bool = False

    def one_of(self, kind: str, column: str, values: Iterable[object]) -> None:
        """The column holds one of these values; none of them: nothing is found."""
        chosen = list(values)
        self.nothing = self.nothing or not chosen
        known = [value for value in chosen if value not in (None, "")]
        where = Q(**{f"{column}__in": known})
        if None in chosen:
            where |= Q(**{f"{column}__isnull": True})
        if "" in chosen:
            where |= Q(**{column: ""})
        self.where &= where
        self.groups.append([term(kind, value) for value in chosen])


def plan_of(chosen: Filter, teams: Iterable[str] | None, since: Position) -> Plan:
    """since: where the tail begins; teams: those whose events may be read; None: all, and events without a team."""
    made = Plan(after=chosen.after, before=chosen.before)
    if teams is not None:
        made.one_of("team", "team", [team for team in teams if not chosen.team or team == chosen.team])
    elif chosen.team:
        made.one_of("team", "team", [chosen.team])
    if chosen.action:
        made.one_of("action", "action", actions_of(chosen.action))
    if chosen.flagged:
        made.one_of("action", "action", [a.value for a in Action if a.value.startswith(OUT_OF_BAND)])
    for kind, column, value in (
        ("door", "via", chosen.door),
        ("key", "key_id", chosen.key),
        ("request", "request_id", chosen.request),
    ):
        if value:
            made.one_of(kind, column, [value])
    if chosen.about:
        _about(made, chosen.about)
    if chosen.actor:
        _actor(made, chosen.actor, since)
    if chosen.asset:
        _asset(made, chosen.asset, since)
    if chosen.after:
        made.where &= Q(at__gte=chosen.after)
    if chosen.before:
        made.where &= Q(at__lt=chosen.before)
    return made


def actions_of(text: str) -> list[str]:
    """The action of this name, those of this noun, or those that begin so."""
    names = [action.value for action in Action]
    if text in names:
        return [text]
    return [n for n in names if n.split(".")[0] == text] or [n for n in names if n.startswith(text)]


def _about(plan: Plan, subjects: Sequence[str]) -> None:
    """Events that name one of these; those that a person among them did, or that were done with a key among them."""
    group = [term("about", subject) for subject in subjects]
    where = Q(subjects__any_of=list(subjects))
    for kind, _, key in (subject.partition(":") for subject in subjects):
        if kind == "user" and key.isdecimal() and len(key) < _DIGITS:
            where |= Q(actor_id=int(key))
            group.append(term("actor", int(key)))
        elif kind == "key":
            where |= Q(key_id=key)
            group.append(term("key", key))
    plan.where &= where
    plan.groups.append(group)


def _actor(plan: Plan, text: str, since: Position) -> None:
    known = actors_named(text, since)
    if known is None:
        plan.where &= Q(text__actor_name__icontains=text) | Q(text__actor_email__icontains=text)
    else:
        plan.one_of("actor", "actor_id", known)


def _asset(plan: Plan, text: str, since: Position) -> None:
    if text.startswith("sha256:"):
        plan.one_of("digest", "target_digest", [text])
        return
    known = things_named(text, since)
    if known is None:
        plan.where &= Q(text__target_label__icontains=text)
    elif known:
        plan.where &= Q(subjects__any_of=sorted(known))
        plan.groups.append([term("about", subject) for subject in sorted(known)])
    else:
        plan.nothing = True
