"""The MLflow door's quick ways and its ordinary ones, side by side: whoever calls is let in or kept out alike, and what is written down
of it is the same. A call that names the key's own team as the workspace goes the ordinary way."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import resolve

from accounts.access import Actor
from accounts.actions import create_key
from accounts.models import Team
from accounts.roles import Role
from doors.mlflow import hot, hot_runs, hot_writes
from governance.ledger.models import AuditEvent
from tests.matrix.calls import encoded, undone, values_of
from tests.matrix.expectations import TABLE

QUICK = [
    *(("GET", path) for path in hot._QUESTIONS),
    *hot_runs._QUESTIONS,
    *(("POST", path) for path in hot_writes._WRITES),
]
CALLERS = [f"{side}:{role.value}" for side in ("own", "other") for role in Role]
OWN_NUMBERS = {"run_id", "number", "digest"}


def said(before):
    found = []
    for event in AuditEvent.objects.select_related("text").filter(pk__gt=before).order_by("pk"):
        text, after = event.text, event.text.after or {}
        found.append((
            event.action, event.team, event.actor_id, event.via, event.key_id, event.target_kind,
            [subject.split(":")[0] for subject in event.subjects], text.actor_name, text.actor_email, text.address, text.before,
            {name: value for name, value in after.items() if name not in OWN_NUMBERS}, text.reason,
        ))  # fmt: skip
    return found


@pytest.mark.parametrize(("method", "path"), QUICK)
def test_the_quick_way_lets_in_whom_the_ordinary_one_does_and_says_the_same(method, path, world):
    rule = TABLE[resolve(path, "doors.mlflow.urls").url_name][method]
    values = values_of(rule, world.own)
    data, content_type = encoded(rule.body, values, as_json=True)
    address = path + (f"?{rule.query.format(**values)}" if rule.query else "")
    let_in = 0
    for who in CALLERS:
        caller = world.callers[who]
        with undone():
            _, key = create_key(name="quick", team=Team.objects.get(name=caller.team), by=Actor(caller.user))
            client = Client(headers={"authorization": f"Bearer {key}"}, raise_request_exception=False)
            client.get("/api/2.0/mlflow/registered-models/search")  # its first use from here is an event
            answers = []
            for headers in ({"x-mlflow-workspace": caller.team}, {}):
                cache.clear()  # of which refusals were written down a moment ago
                with undone(), CaptureQueriesContext(connection) as queries:
                    before = AuditEvent.objects.values_list("id", flat=True).first() or 0
                    answer = client.generic(method, address, data, content_type=content_type, headers=headers)
                    answers.append((answer.status_code, said(before)))
            assert answers[0] == answers[1], f"{who}: {method} {path}"
            nothing = "search" in path and answer.content == b"{}"  # perhaps because nobody may look
            if answers[1][0] == 200 and not nothing:
                let_in += 1
                assert not any("accounts_apikey" in query["sql"] for query in queries), f"{who} was not let in quickly"
    assert let_in or rule.ok != (200,), "nobody was let in: the test says nothing"
