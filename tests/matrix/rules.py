"""The words in which the table of expectations is written, and what each means for each caller."""

from dataclasses import dataclass, field, replace
from typing import Any

from accounts.roles import ROLE_PERMISSIONS, Permission, Role
from tests.matrix.world import OWN, Caller

P = Permission
LOGIN, UNKNOWN, UNSEEN, REFUSED, FOREIGN, IN = "sign in", "401", "unseen", "refused", "foreign", "in"


@dataclass(frozen=True)
class Rule:
    """Who is let in by one method of one route, and a call that is in order.

    `kind`: 'public' | 'account' (whoever is signed in; lists show each their own) | 'object' (one team's thing: `see` decides
    between 404 and 403, `need` between 403 and in) | 'current' (acts in the caller's own team) | 'anywhere' (`need` on any
    team) | 'mine' (those in `also` alone: to everybody else it is not there) | 'site' (site administrators).
    """

    kind: str
    need: Permission | None = None
    see: Permission | None = None
    body: Any = None
    query: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    # Statuses of a call that was let in; empty: those of a success.
    ok: tuple[int, ...] = ()
    # Status for those who may not see it, and for those who see it and may not do it.
    unseen: int = 404
    refused: int = 403
    # 'anywhere': status where the permission is held, but in another team than the thing's; 0: let in, to its own things.
    foreign: int = 0
    # Who is let in (or kept out, whatever roles say) besides: callers by name, and why.
    also: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    # Whoever sends the happy call of tests/matrix/test_events.py; empty: the first who is let in.
    happy: str = ""
    # A changing method that changes nothing, or nothing that is governed: why there is no event.
    quiet: str = ""
    # The event that a GET writes, since it is an act worth knowing; empty: it writes nothing.
    records: str = ""
    # By which of a caller's two clients; empty: the key for REST, the session for pages.
    door: str = ""

    def but(self, **changes: Any) -> "Rule":
        return replace(self, **changes)


def public(**more: Any) -> Rule:
    return Rule("public", **more)


def account(body: Any = None, **more: Any) -> Rule:
    return Rule("account", body=body, **more)


def sees(see: Permission, **more: Any) -> Rule:
    """Reading one thing: it is there for whoever sees it, and not there for anybody else."""
    return Rule("object", need=see, see=see, **more)


def may(need: Permission, body: Any = None, *, see: Permission = P.ASSET_VIEW, **more: Any) -> Rule:
    return Rule("object", need=need, see=see, body=body, **more)


def current(need: Permission, body: Any = None, **more: Any) -> Rule:
    return Rule("current", need=need, body=body, **more)


def anywhere(need: Permission, body: Any = None, **more: Any) -> Rule:
    return Rule("anywhere", need=need, body=body, **more)


def site(body: Any = None, **more: Any) -> Rule:
    return Rule("site", body=body, **more)


def verdict(rule: Rule, caller: Caller, *, rest: bool) -> str:
    """What the rule says this caller gets: LOGIN, UNKNOWN (401), UNSEEN, REFUSED, FOREIGN or IN."""
    if rule.kind == "public" or caller.name in rule.also:
        return IN
    if caller.user is None:
        return UNKNOWN if rest else LOGIN
    if caller.name in rule.never:
        return REFUSED
    if rule.kind == "mine":
        return UNSEEN
    if rule.kind == "account" or caller.site_admin:
        return IN if _admin_may(rule, caller) else REFUSED
    if rule.kind == "site":
        return REFUSED
    if caller.role is None:
        return REFUSED if rule.kind == "anywhere" else UNSEEN
    allowed = ROLE_PERMISSIONS[Role(caller.role)]
    if rule.kind == "object" and (caller.team != OWN or rule.see not in allowed):
        return UNSEEN
    if rule.need not in allowed:
        return REFUSED
    return FOREIGN if rule.foreign and caller.team != OWN else IN


def _admin_may(rule: Rule, caller: Caller) -> bool:
    """A site administrator is an administrator of every team, and nothing more."""
    return rule.kind != "object" or rule.need in ROLE_PERMISSIONS[Role.ADMIN]


Table = dict[str, dict[str, Rule]]
TEAM, ASSET, DEPLOYMENT = P.TEAM_VIEW, P.ASSET_VIEW, P.DEPLOYMENT_VIEW
NO_CHANGE = "it computes an answer and changes nothing"
