"""Every route and method × every caller: let in or kept out as the table says, and kept out means that nothing changed and
nothing leaked."""

import re

import pytest
from django.urls import get_resolver

from accounts.roles import ROLE_PERMISSIONS, Role
from tests.matrix.calls import Answer, call
from tests.matrix.expectations import TABLE
from tests.matrix.governed import is_governed
from tests.matrix.journal import LEDGER
from tests.matrix.routes import Route, routes
from tests.matrix.rules import FOREIGN, IN, LOGIN, REFUSED, UNKNOWN, UNSEEN, Rule, verdict
from tests.matrix.world import Caller

ROUTES = {route.name: route for route in routes()}
CALLERS = [*(f"{side}:{role.value}" for side in ("own", "other") for role in Role), "nobody", "root", "anonymous"]
SUCCESS = {
    "GET": (200,),
    "PUT": (200, 201, 302),
    "PATCH": (200,),
    "DELETE": (200, 204),
    "POST": (200, 201, 202, 204, 302),
}
HOW = """
Add it to a table in tests/matrix/expectations.py, under its name and method, with who may call it and a body that is in
order, such as {line}. If it changes something and writes no event of its own, say why in `quiet`."""


def test_every_route_has_an_expectation():
    missing = [
        f"{name} {method} (/{route.path})"
        for name, route in ROUTES.items()
        for method in route.methods
        if method not in TABLE.get(name, {})
    ]
    line = '"api-widget": {"GET": sees(P.ASSET_VIEW), "PATCH": may(P.ASSET_EDIT, {"title": "new"})}'
    assert not missing, "No expectation for\n  " + "\n  ".join(missing) + HOW.format(line=line)


ROLES = """
viewer       team.view asset.view deployment.view model.invoke
downloader   team.view asset.view file.download
contributor  team.view asset.view deployment.view model.invoke asset.create asset.edit file.download alias.move run.create evaluation.run
             request.create production.set
reviewer     team.view asset.view deployment.view model.invoke request.review delegation.create
deployer     team.view asset.view deployment.view model.invoke file.download deployment.manage production.set
auditor      team.view asset.view deployment.view ledger.view ledger.export
admin        team.view asset.view deployment.view model.invoke asset.create asset.edit file.download alias.move run.create evaluation.run
             request.create production.set deployment.manage team.manage policy.edit webhook.manage ledger.view ledger.export
             glass.break
"""


def test_the_roles_are_what_the_table_of_expectations_was_written_for():
    """The expectations follow the roles, so a role that quietly grew would pass: here it does not."""
    written: dict[str, set[str]] = {}
    for line in ROLES.strip().splitlines():
        role, *permissions = line.split() if not line.startswith(" ") else [list(written)[-1], *line.split()]
        written.setdefault(role, set()).update(permissions)
    assert {role.value: set(map(str, allowed)) for role, allowed in ROLE_PERMISSIONS.items()} == written


def test_every_expectation_has_a_route():
    assert sorted(set(TABLE) - set(ROUTES)) == [], "routes that are gone: take their lines out"


def test_a_route_without_an_expectation_is_found(monkeypatch):
    from django.http import HttpResponse
    from django.urls import path

    added = path("api/v1/backdoor/<int:widget_id>", lambda request, widget_id: HttpResponse(), name="api-backdoor")
    monkeypatch.setattr(get_resolver(), "url_patterns", [*get_resolver().url_patterns, added])
    found = {route.name: route for route in routes()}["api-backdoor"]
    assert (found.methods, found.parameters) == (("GET", "POST"), ("widget_id",))
    assert "api-backdoor" not in TABLE


CELLS = [(name, method) for name, route in ROUTES.items() for method in route.methods if method in TABLE.get(name, {})]


@pytest.mark.parametrize(("name", "method"), CELLS)
def test_who_is_let_in(name, method, world):
    route, rule = ROUTES[name], TABLE[name][method]
    wrong = []
    for who in CALLERS:
        caller = world.callers[who]
        answer = call(route, method, rule, caller, world.own)
        expected = verdict(rule, caller, rest=route.is_rest)
        said = judge(route, method, rule, caller, expected, answer)
        if said:
            wrong.append(f"{who}: {said} (expected: {expected})")
    assert not wrong, f"{method} /{route.path}\n  " + "\n  ".join(wrong)


def judge(route: Route, method: str, rule: Rule, caller: Caller, expected: str, answer: Answer) -> str:
    """What is wrong with an answer; empty when nothing is."""
    status = answer.status
    if expected == LOGIN:
        if status != 302 or "/accounts/login/" not in answer.location:
            return f"{status} {answer.location}, where a stranger is asked to sign in"
    else:
        right = {
            UNKNOWN: (401,),
            UNSEEN: (rule.unseen,),
            REFUSED: (rule.refused,),
            FOREIGN: (rule.foreign,),
            IN: rule.ok or SUCCESS[method],
        }[expected]
        if status not in right:
            return f"{status}, not {' or '.join(map(str, right))}: {gist(answer.text)}"
    reading = expected == IN and method == "GET" and not rule.records
    if (expected != IN or reading) and (changed := traces(answer, only_governed=reading)):
        return f"{expected}, and yet it wrote {changed}"
    if leaked := leaks(rule, caller, answer):
        return f"shows what is another team's: {leaked}"
    return ""


def gist(text: str) -> str:
    """What an answer says, without the page around it."""
    body = re.sub(r"(?s)^.*<main[^>]*>|<(script|style).*?</\1>|<[^>]+>", " ", text)
    return " ".join(body.split())[:160]


# What a refused call may write: sessions, when a key was used last, and the event that says that it was refused.
_OWN_TRACE = {"django_session", "accounts_keyaddress", "usersessions_usersession", "ledger_eventtext"}


def traces(answer: Answer, *, only_governed: bool) -> list[str]:
    return [
        f"{write.verb} {write.table} {sorted(write.columns)}"
        for write in answer.journal.writes
        if (is_governed(write) or write.table == LEDGER or not only_governed)
        and write.table not in _OWN_TRACE
        and not (write.table == "accounts_apikey" and write.columns <= {"last_used_at", "last_used_from"})
        and not (write.table == LEDGER and "access.refused" in write.values)
    ]


def leaks(rule: Rule, caller: Caller, answer: Answer) -> str:
    """A passage with another team's word in it, but for what the caller sent themselves."""
    text = answer.text.lower()
    for value in (*rule.values.values(), "viewer@sesame.example", "robot-sesame+acme@service.invalid"):
        text = text.replace(str(value).lower(), "")
    for word in caller.strange_words():
        if (place := text.find(word)) >= 0:
            return repr(answer.text[max(0, place - 80) : place + 80])
    return ""
