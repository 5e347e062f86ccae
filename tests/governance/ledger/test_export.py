"""Exports: what is in them, who may have them, going on where one was cut off; and the erasure of personal data."""

import csv
import io
import json

import pytest

from accounts.access import Actor
from accounts.actions import create_team
from governance.ledger import sealer
from governance.ledger.actions import Action, Target, record
from governance.ledger.models import AuditEvent, EventText, Leaf
from governance.ledger.ocsf import class_of

pytestmark = pytest.mark.django_db(transaction=True)

# schema.ocsf.io, 1.4: what each class requires, beside what every event does.
BASE = {"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"}
REQUIRED = {
    3001: {"user"}, 3002: {"user"}, 3004: {"entity"}, 3005: {"user", "privileges"}, 6003: {"actor", "api", "src_endpoint"},
}  # fmt: skip


def streamed(client, query):
    answer = client.get(f"/api/v1/ledger/export?{query}")
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content)


def test_a_filtered_export_proves_each_of_its_events(sealed, offline):
    done = offline(query="format=jsonl&action=alias.moved")
    assert done.status == 0, done.said
    assert "each of the 15 events" in done.said


def test_a_filtered_export_with_an_altered_event_names_it(sealed, offline, forge):
    event = Leaf.objects.order_by("-index")[0].event_id
    forge("UPDATE ledger_eventtext SET reason = 'x' WHERE event_id = %s", [event])
    done = offline(query="format=jsonl&action=alias.moved")
    assert done.status == 1
    assert f"event {event} " in done.said and "its reason is not" in done.said


def test_an_auditor_exports_the_events_of_their_team_alone(sealed, cast, api):
    create_team(name="other", title="Other", by=Actor(cast.admin))
    record(Action.ASSET_CREATED, by=Actor(cast.admin), target=Target("model", 1, "other/m"), team="other")
    sealer.seal()
    lines = [json.loads(line) for line in streamed(api(cast.carol), "format=jsonl").splitlines()]
    assert {line["leaf"]["team"] for line in lines[1:-1]} == {"acme"}
    assert lines[0]["complete"] is False
    assert api(cast.victor).get("/api/v1/ledger/export").status_code == 403
    assert api(cast.mallory).get("/api/v1/ledger/export").status_code == 403
    assert api(None).get("/api/v1/ledger/export").status_code == 401


def test_an_export_is_an_event(sealed, cast, api):
    streamed(api(cast.carol), "format=csv&action=alias.moved&from_index=3")
    event = AuditEvent.objects.get(action="ledger.exported")
    assert event.actor_name == "Carol" and event.team == "acme"
    assert event.after["format"] == "csv" and event.after["from_index"] == 3
    assert event.after["filter"] == {"action": "alias.moved"}


@pytest.mark.parametrize("query", ["format=xml", "from_index=-1", "from_index=x", "after=yesterday"])
def test_what_no_export_can_be_is_refused_without_an_event(sealed, cast, api, query):
    assert api(cast.carol).get(f"/api/v1/ledger/export?{query}").status_code == 400
    assert not AuditEvent.objects.filter(action="ledger.exported").exists()


@pytest.mark.parametrize("more", ["", "&action=alias.moved"])
def test_an_export_that_was_cut_off_goes_on_and_verifies_as_one(sealed, cast, api, offline, more):
    whole = streamed(api(cast.admin), f"format=jsonl{more}").splitlines(keepends=True)
    cut = whole[: len(whole) // 2]
    following = json.loads(cut[-1])["index"] + 1
    rest = streamed(api(cast.admin), f"format=jsonl{more}&from_index={following}")
    indexes = [json.loads(line).get("index") for line in [*cut, *rest.splitlines()]]
    wanted = [json.loads(line).get("index") for line in whole]
    assert [one for one in indexes if one is not None] == [one for one in wanted if one is not None]
    done = offline(query=f"format=jsonl{more}", change=lambda _: b"".join(cut) + rest)
    assert done.status == 0, done.said


def test_a_spreadsheet_takes_nothing_for_a_formula(sealed, cast, act, api):
    act(1, reason='=HYPERLINK("http://evil")', after={"a": 1})
    sealer.seal()
    rows = list(csv.DictReader(io.StringIO(streamed(api(cast.admin), "format=csv").decode())))
    assert len(rows) == Leaf.objects.count()
    last = rows[-1]
    assert last["reason"] == '\'=HYPERLINK("http://evil")'
    assert (last["actor_name"], last["after"], last["subjects"]) == ("Alice", '{"a":1}', "model:0")


def test_every_action_has_a_class_whose_required_attributes_are_there(cast, api):
    for action in Action:
        target = Target("user", cast.bob.pk, "Bob") if action.startswith(("user", "role")) else Target("model", 1, "m")
        record(action, by=Actor(cast.alice), target=target, team="acme", after={"role": "reviewer"})
    sealer.seal()
    events = [json.loads(line) for line in streamed(api(cast.admin), "format=ocsf").splitlines()]
    assert {event["activity_name"] for event in events} == {action.value for action in Action}
    for event in events:
        missing = (BASE | REQUIRED[event["class_uid"]]) - event.keys()
        assert not missing, (event["activity_name"], missing)
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert event["category_uid"] == event["class_uid"] // 1000
        assert event["metadata"]["product"]["vendor_name"] and event["metadata"]["version"] == "1.4.0"
        assert event["time"] > 1_700_000_000_000
    assert class_of("user.sign_in_failed") == (3002, 1)
    assert class_of("role.revoked") == (3005, 2)
    assert class_of("alias.moved") == (3004, 3)
    assert class_of("ledger.exported") == (6003, 2)


def test_the_verifier_is_served_as_it_is(cast, api):
    answer = api(cast.victor).get("/api/v1/ledger/verifier")
    assert answer.status_code == 200 and answer.content.startswith(b"#!/usr/bin/env python3")
    assert "countersign_verify.py" in answer["Content-Disposition"]
    compile(answer.content, "countersign_verify.py", "exec")


def test_a_persons_data_is_erased_and_everything_still_verifies(sealed, cast, api, offline):
    record(
        Action.USER_UPDATED, by=Actor(cast.admin), target=Target("user", cast.alice.pk, "alice@example.com"),
        before={"email": "alice@example.com"}, after={"email": "a@example.com"}, reason="asked",
    )  # fmt: skip
    record(Action.TEAM_CREATED, by=Actor(cast.bob), target=Target("team", 1, "x"), reason="for ALICE@example.com")
    sealer.seal()
    admin = api(cast.admin)
    sealer.seal()
    done = admin.post("/api/v1/ledger/erasures", {"email": "alice@example.com", "reason": "Asked on 3 May."})
    assert done.status_code == 201, done.content
    mine = AuditEvent.objects.filter(actor_id=cast.alice.pk)
    assert done.json()["events"] > mine.count() > 0
    for event in mine:
        assert (event.actor_name, event.actor_email) == ("(erased)", "(erased)")
        assert event.target_label != "(erased)" and "actor_name" in event.erased
    about = AuditEvent.objects.get(action="user.updated")
    assert (about.target_label, about.before, about.after, about.reason) == ("(erased)", None, None, "(erased)")
    assert about.actor_name == "Administrator"
    assert AuditEvent.objects.get(actor_id=cast.bob.pk).reason == "(erased)"
    texts = json.dumps([*EventText.objects.values_list(*EventText.FIELDS)]).lower()
    assert "alice@example.com" not in texts
    told = AuditEvent.objects.get(action="personal_data.erased")
    assert told.after["events"] == done.json()["events"] and told.reason == "Asked on 3 May."
    proof = admin.get(f"/api/v1/ledger/events/{about.pk}/proof").json()
    assert proof["openings"]["after"] is None and proof["openings"]["actor_name"]["value"] == "Administrator"
    verified = offline()
    assert verified.status == 0, verified.said
    assert "texts in them were erased" in verified.said
    again = admin.post("/api/v1/ledger/erasures", {"email": "alice@example.com", "reason": "Again."})
    assert again.status_code == 400


def test_who_may_not_erase_and_what_is_not_sealed_yet(sealed, cast, act, api):
    body = {"email": "alice@example.com", "reason": "x"}
    for person in (cast.carol, cast.alice, cast.dana):
        refused = api(person).post("/api/v1/ledger/erasures", body)
        assert refused.status_code == 403 and refused.json()["permission"] == "ledger.erase"
    act(1)
    assert api(cast.admin).post("/api/v1/ledger/erasures", body).status_code == 409
    for wrong in ({**body, "email": "nobody@example.com"}, {**body, "reason": " "}, {**body, "email": "%"}, {}):
        assert api(cast.admin).post("/api/v1/ledger/erasures", wrong).status_code == 400
    assert not AuditEvent.objects.filter(action="personal_data.erased").exists()
    assert not EventText.objects.filter(salt_actor_name=None).exists()
