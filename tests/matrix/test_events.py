"""Every door that changes something writes an event in the same transaction: each route's call that is in order, each
task and each command, found from the registries."""

import pytest

from tests.matrix.calls import Answer, call
from tests.matrix.expectations import TABLE
from tests.matrix.governed import is_governed, untold
from tests.matrix.rules import IN, Rule, verdict
from tests.matrix.test_matrix import CALLERS, ROUTES, SUCCESS, gist
from tests.matrix.world import Caller, World

CHANGING = [
    (name, method)
    for name, route in ROUTES.items()
    for method in route.methods
    if method != "GET" and method in TABLE.get(name, {})
]


def sender(name: str, rule: Rule, world: World) -> Caller:
    """Whoever is let in and has the fewest roles to thank for it."""
    order = [rule.happy] if rule.happy else ["own:contributor", *CALLERS]
    rest = ROUTES[name].is_rest
    return next(world.callers[who] for who in order if verdict(rule, world.callers[who], rest=rest) == IN)


@pytest.mark.parametrize(("name", "method"), CHANGING)
def test_a_change_through_a_route_is_told_in_its_own_transaction(name, method, world):
    rule, route = TABLE[name][method], ROUTES[name]
    caller = sender(name, rule, world)
    answer = call(route, method, rule, caller, world.own)
    assert answer.status in (rule.ok or SUCCESS[method]), f"{answer.status}: {gist(answer.text)}"
    assert untold(answer.journal) == [], "changed without an event in the same transaction"
    changed = [write for write in answer.journal.writes if is_governed(write)]
    if rule.quiet:
        assert not changed, f"it is said to be quiet: {rule.quiet}"
        return
    assert answer.events, "no event: if it changes nothing, say why in `quiet`"
    check_events(answer, caller, by_key=route.is_rest and not rule.door)


def check_events(answer: Answer, caller: Caller, *, by_key: bool) -> None:
    """Each event says who, by which door, from where and about what."""
    for event in answer.events:
        said = (event.actor_id, event.actor_email, event.address)
        assert caller.user is not None
        assert said == (caller.user.pk, caller.user.email, "127.0.0.1"), event
        assert event.key_id == (caller.key_id if by_key else ""), event
        assert event.via == ("api" if by_key else event.via) and event.via in ("api", "ui"), event
        assert event.target_kind and event.target_label and event.subjects and event.request_id, event
