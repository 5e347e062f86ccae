"""Somebody with every right on the database changes the ledger; the offline verifier names what they did."""

import hashlib
import json

import pytest

from governance.ledger import countersign_verify, proofs, sealer, tree
from governance.ledger.models import AuditEvent, Checkpoint, Leaf, Subtree

pytestmark = pytest.mark.django_db(transaction=True)
TABLES = ("auditevent", "eventtext", "leaf", "subtree", "checkpoint")


def leaf_of(index):
    return Leaf.objects.get(index=index)


def reseal(forge, index):
    """Make a leaf's commitments and hash fit what its row says now, as a thorough forger would."""
    found = proofs.sealed_events("WHERE l.index = %s", [index])[0]
    commitments = found.row.commitments()
    hashed = tree.leaf_hash(found.row.leaf(commitments))
    forge("UPDATE ledger_leaf SET hash = %s, commitments = %s WHERE index = %s", [hashed, b"".join(commitments), index])


def test_an_untouched_ledger_is_intact(sealed, offline):
    done = offline()
    assert done.status == 0, done.said
    assert done.said.startswith(f"INTACT: {Leaf.objects.count()} events")


def test_a_changed_fact_is_named(sealed, offline, forge):
    event = leaf_of(7).event_id
    forge("UPDATE ledger_auditevent SET actor_id = 999 WHERE id = %s", [event])
    done = offline()
    assert done.status == 1
    assert f"index 7: event {event} " in done.said and "was altered: its facts" in done.said


@pytest.mark.parametrize("column", ["reason", "actor_name", "target_label", "address", "actor_email"])
def test_a_changed_text_is_named_with_its_field(sealed, offline, forge, column):
    event = leaf_of(18).event_id
    forge(f"UPDATE ledger_eventtext SET {column} = 'nothing of the kind' WHERE event_id = %s", [event])
    done = offline()
    assert done.status == 1
    assert f"index 18: event {event} " in done.said and f"its {column} is not what was sealed" in done.said


def test_a_changed_before_and_after_is_named(sealed, offline, forge):
    event = leaf_of(18).event_id
    forge("UPDATE ledger_eventtext SET after = '{\"version\": 3}' WHERE event_id = %s", [event])
    assert f"event {event} " in offline().said


def test_a_change_with_its_hashes_made_to_fit_is_narrowed_to_one_checkpoint(sealed, offline, forge):
    index = Checkpoint.objects.order_by("tree_size")[2].tree_size + 1
    event = leaf_of(index).event_id
    forge("UPDATE ledger_eventtext SET reason = 'another' WHERE event_id = %s", [event])
    reseal(forge, index)
    done = offline()
    sizes = list(Checkpoint.objects.order_by("tree_size").values_list("tree_size", flat=True))
    assert done.status == 1
    assert f"between index {sizes[2]} and {sizes[3] - 1}" in done.said
    first, last = leaf_of(sizes[2]).event_id, leaf_of(sizes[3] - 1).event_id
    assert f"(events {first} to {last})" in done.said and first <= event <= last


def test_a_dropped_row_is_named(sealed, offline, forge):
    event = leaf_of(9).event_id
    forge("DELETE FROM ledger_auditevent WHERE id = %s", [event])
    done = offline()
    assert done.status == 1
    assert f"index 9: event {event} was dropped" in done.said


def test_a_row_that_was_dropped_with_its_leaf_is_named(sealed, offline, forge):
    event = leaf_of(9).event_id
    for table, column in (("auditevent", "id"), ("eventtext", "event_id"), ("leaf", "event_id")):
        forge(f"DELETE FROM ledger_{table} WHERE {column} = %s", [event])
    done = offline()
    assert done.status == 1
    assert "index 9: the event before index 10 was dropped" in done.said


def test_the_last_events_dropped_are_named(sealed, offline, forge):
    size = Leaf.objects.count()
    forge("DELETE FROM ledger_leaf WHERE index >= %s", [size - 2])
    done = offline()
    assert done.status == 1
    assert f"index {size - 2}: the events from here on were dropped" in done.said


def test_rows_that_changed_places_are_named(sealed, offline, forge):
    one, two = leaf_of(11).event_id, leaf_of(12).event_id
    forge("UPDATE ledger_auditevent SET id = -1 WHERE id = %s", [one])
    forge("UPDATE ledger_auditevent SET id = %s WHERE id = %s", [one, two])
    forge("UPDATE ledger_auditevent SET id = %s WHERE id = -1", [two])
    done = offline()
    assert done.status == 1
    assert f"index 11: event {one} " in done.said


def test_leaves_that_changed_places_are_named_as_reordered(sealed, offline, forge):
    first = Checkpoint.objects.order_by("tree_size")[3].tree_size
    one, two = leaf_of(first).event_id, leaf_of(first + 3).event_id
    forge("UPDATE ledger_leaf SET index = -1 WHERE index = %s", [first])
    forge("UPDATE ledger_leaf SET index = %s WHERE index = %s", [first, first + 3])
    forge("UPDATE ledger_leaf SET index = %s WHERE index = -1", [first + 3])
    done = offline()
    assert done.status == 1
    assert f"index {first}: event {two} was reordered: it and event {one}" in done.said


def test_a_row_that_was_inserted_behind_the_sealer_is_named(sealed, offline, forge, act):
    before = AuditEvent.objects.get(pk=leaf_of(6).event_id)
    event = act()[0]
    forge("UPDATE ledger_auditevent SET xid = %s, at = %s WHERE id = %s", [before.xid - 1, before.at, event.pk])
    act()
    sealer.seal()
    done = offline()
    assert done.status == 1
    assert f"event {event.pk} was inserted behind the sealer's back" in done.said


def test_a_row_that_was_inserted_with_a_leaf_is_named(sealed, offline, forge, act):
    sizes = list(Checkpoint.objects.order_by("tree_size").values_list("tree_size", flat=True))
    index = sizes[2] + 1
    event = act()[0]
    forge("UPDATE ledger_leaf SET index = -index - 1 WHERE index >= %s", [index])
    forge("UPDATE ledger_leaf SET index = -index WHERE index < 0")
    forge("INSERT INTO ledger_leaf (index, event_id, hash, commitments) VALUES (%s, %s, '', '')", [index, event.pk])
    reseal(forge, index)
    done = offline()
    assert done.status == 1
    assert f"index {index}: event {event.pk} was inserted" in done.said


def copy_away(forge):
    for table in TABLES:
        forge(f"CREATE TEMP TABLE kept_{table} AS TABLE ledger_{table}")


def put_back(forge):
    for table in TABLES:
        forge(f"DELETE FROM ledger_{table}")
        forge(f"INSERT INTO ledger_{table} SELECT * FROM kept_{table}")


def test_an_old_backup_that_was_put_back_is_named_by_who_kept_a_checkpoint(sealed, offline, forge, act):
    copy_away(forge)
    act(4)
    sealer.seal()
    kept = offline.keep("kept.txt")
    size = Leaf.objects.count()
    put_back(forge)
    assert offline().status == 0, "without a checkpoint from outside nobody can tell"
    done = offline("--previous", kept)
    assert done.status == 1
    assert f"ROLLED BACK: you kept a checkpoint of {size} events" in done.said


def test_a_log_that_went_on_from_an_old_backup_is_named_as_forked(sealed, offline, forge, act):
    copy_away(forge)
    shared = Leaf.objects.count()
    act(4)
    sealer.seal()
    kept = offline.keep("kept.txt")
    put_back(forge)
    act(9, reason="another history")
    sealer.seal()
    assert offline().status == 0
    done = offline("--previous", kept)
    assert done.status == 1
    assert "FORKED" in done.said and f"between index {shared} and" in done.said


def test_a_log_that_was_rewritten_under_a_key_of_the_forger_is_trusted_by_nobody(sealed, offline, forge, settings):
    key = offline.body("keys")
    trusted = json.loads(key)[0]["text"]
    for table in ("leaf", "subtree", "checkpoint", "signingkey"):
        forge(f"DELETE FROM ledger_{table}")
    settings.SIGNING_SEED = "Zm9yZ2VkIGZvcmdlZCBmb3JnZWQgZm9yZ2VkIGZvciE="
    forge("UPDATE ledger_eventtext SET reason = 'another'")
    sealer.seal()
    assert offline().status == 0
    done = offline(key=trusted)
    assert done.status == 1
    assert "no key that you trust has signed it" in done.said


def test_an_altered_checkpoint_is_named(sealed, offline, forge):
    size = Checkpoint.objects.order_by("-tree_size")[0].tree_size
    forge("UPDATE ledger_checkpoint SET note = replace(note, E'ledger\\n' || %s, E'ledger\\n' || %s)", [size, size])
    assert offline().status == 0
    forge(
        "UPDATE ledger_checkpoint SET note = regexp_replace(note, E'— (.*) ....', E'— \\1 AAAA') WHERE tree_size = %s",
        [size],
    )
    done = offline()
    assert done.status == 1
    assert f"checkpoint of {size} events can't be trusted" in done.said


def test_lines_changed_in_the_file_itself_are_named(sealed, offline):
    def swap(data):
        lines = data.splitlines(keepends=True)
        lines[4], lines[5] = lines[5], lines[4]
        return b"".join(lines)

    assert "index 3: the event before index 4 was dropped" in offline(change=swap).said
    assert "cut short" in offline(change=lambda data: data[: data.rindex(b'{"end"')]).said
    assert offline(change=lambda data: data[: data.rindex(b'{"end"')]).status == 2
    assert offline(change=lambda data: data.replace(b'"acme/m1"', b'"acme/m2"', 1)).status == 1


def test_the_quick_check_accepts_nothing_that_the_slow_one_refuses(sealed, offline):
    lines = offline.body("export?format=jsonl").splitlines(keepends=True)[1:-1]
    index = 18
    line = lines[index]
    assert countersign_verify.quick_check(line, index) is not None
    for at in range(len(line)):
        changed = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        assert countersign_verify.quick_check(changed, index) is None, (at, changed)


def test_numbers_are_written_as_javascript_writes_them():
    for value, text in {
        1e21: "1e+21", 1e-7: "1e-7", 123456789012345680000.0: "123456789012345680000", 0.000001: "0.000001", -0.0: "0",
        1.5: "1.5", 100.0: "100", 5e-324: "5e-324", 1.7976931348623157e308: "1.7976931348623157e+308", 12.25e-9: "1.225e-8",
        -333333333.3333333: "-333333333.3333333", 1e23: "1e+23",
    }.items():  # fmt: skip
        assert countersign_verify.number(value) == text


def test_plain_python_verifies_the_signatures_of_rfc_8032():
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert countersign_verify.slow_ed25519_verify(public, b"\x72", signature)
    assert not countersign_verify.slow_ed25519_verify(public, b"\x73", signature)
    assert not countersign_verify.slow_ed25519_verify(public, b"\x72", signature[:-1] + b"\x01")
    assert not countersign_verify.slow_ed25519_verify(b"\xff" * 32, b"\x72", signature)


def test_a_subtree_that_was_changed_is_noticed_by_the_sealer(sealed, forge, act):
    act(300)
    sealer.seal()
    assert Subtree.objects.count() == 1
    forge("UPDATE ledger_subtree SET hash = %s", [hashlib.sha256().digest()])
    act()
    with pytest.raises(tree.TreeDamaged):
        sealer.seal()
