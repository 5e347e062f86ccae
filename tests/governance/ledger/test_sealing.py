"""Sealing in commit order, the tree against RFC 9162 written out plainly, proofs over REST."""

import base64
import hashlib
import json
import threading

import psycopg
import pytest
import rfc8785
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from accounts.access import Actor
from governance.ledger import keys, notes, proofs, sealer, tree
from governance.ledger.actions import Action, Target, record
from governance.ledger.canonical import canonical
from governance.ledger.models import AuditEvent, Checkpoint, Leaf, SigningKey, Subtree
from tests.conftest import SUPERUSER_URL

pytestmark = pytest.mark.django_db(transaction=True)


def plain_root(leaves):
    """MTH as section 2.1.1 of the RFC says it."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + plain_root(leaves[:k]) + plain_root(leaves[k:])).digest()


def verify_inclusion(leaf, index, size, path, root):
    """Section 2.1.3.2 of the RFC."""
    assert index < size
    fn, sn, r = index, size - 1, leaf
    for p in path:
        assert sn != 0
        if fn & 1 or fn == sn:
            r = hashlib.sha256(b"\x01" + p + r).digest()
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = hashlib.sha256(b"\x01" + r + p).digest()
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    return r == root


def verify_consistency(first, second, first_root, second_root, path):
    """Section 2.1.4.2 of the RFC."""
    if first == second:
        return not path and first_root == second_root
    path = list(path)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = hashlib.sha256(b"\x01" + c + fr).digest(), hashlib.sha256(b"\x01" + c + sr).digest()
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = hashlib.sha256(b"\x01" + sr + c).digest()
        fn, sn = fn >> 1, sn >> 1
    return fr == first_root and sr == second_root and sn == 0


def events(cast, count, **fields):
    return [
        record(Action.TEAM_CREATED, by=Actor(cast.alice), target=Target("team", n, f"team {n}"), team="acme", **fields)
        for n in range(count)
    ]


def leaves():
    return [bytes(one) for one in Leaf.objects.order_by("index").values_list("hash", flat=True)]


def test_every_event_is_sealed_once_and_the_checkpoint_is_signed_over_the_tree_of_the_rfc(cast):
    events(cast, 30)
    assert sealer.seal(batch=7) == AuditEvent.objects.count()
    assert sealer.seal() == 0
    hashes = leaves()
    assert len(hashes) == len(set(hashes)) == AuditEvent.objects.count()
    for checkpoint in Checkpoint.objects.all():
        assert bytes(checkpoint.root) == plain_root(hashes[: checkpoint.tree_size])
        origin, size, root = checkpoint.note.split("\n")[:3]
        assert (int(size), base64.b64decode(root)) == (checkpoint.tree_size, bytes(checkpoint.root))
        assert origin.endswith("/ledger")
        assert notes.is_signed(checkpoint.note, keys.public(SigningKey.objects.get()))
    assert [*Leaf.objects.order_by("index").values_list("event_id", flat=True)] == [
        *AuditEvent.objects.order_by("xid", "id").values_list("id", flat=True)
    ]


def test_what_is_committed_late_is_sealed_later_and_nothing_is_skipped(cast):
    sealer.seal()
    began, end = threading.Event(), threading.Event()

    def slow():
        with psycopg.connect(SUPERUSER_URL) as other:
            other.execute(
                "INSERT INTO ledger_auditevent (team, via, key_id, request_id, action, target_kind, target_id, "
                "target_digest, subjects) VALUES ('acme', 'ui', '', '', 'team.created', 'team', 'slow', '', '{}')"
            )
            began.set()
            end.wait(20)

    writer = threading.Thread(target=slow)
    writer.start()
    began.wait(20)
    events(cast, 3)  # younger than the open transaction: they wait for it
    assert sealer.seal() == 0
    assert sealer.lag_s() > 0
    end.set()
    writer.join()
    assert sealer.seal() == 4
    assert sealer.lag_s() == 0
    assert AuditEvent.objects.get(target_id="slow").leaf.index == Leaf.objects.count() - 4


def test_two_sealers_at_once_seal_each_event_once(cast):
    events(cast, 40)

    def run():
        try:
            sealer.seal(batch=5)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sealer.seal()
    assert Leaf.objects.count() == AuditEvent.objects.count()
    assert bytes(Checkpoint.objects.order_by("-tree_size")[0].root) == plain_root(leaves())


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 700])
def test_inclusion_and_consistency_proofs_hold_as_the_rfc_checks_them(db, superuser_connection, size):
    hashes = [hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(size)]
    frontier = tree.Frontier(0, [])
    for one in hashes:
        frontier.append(one)
    Leaf.objects.bulk_create(Leaf(index=n, event_id=n, hash=one, commitments=b"") for n, one in enumerate(hashes))
    Subtree.objects.bulk_create(Subtree(height=h, index=i, hash=one) for h, i, one in frontier.completed)
    assert [h for h, _, _ in frontier.completed] == [8] * (size // 256)
    root = plain_root(hashes)
    assert frontier.root() == root
    some = sorted({0, 1, size // 2, size - 1, 255, 256} & set(range(size)))
    for index, path in proofs.inclusion_paths(some, size).items():
        assert verify_inclusion(hashes[index], index, size, path, root)
        assert not verify_inclusion(hashes[index], index, size, path[::-1], root) or len(path) < 2
    for old in {1, 2, 128, 255, 256, 300, size} & set(range(1, size + 1)):
        path = proofs.consistency_path(old, size)
        assert verify_consistency(old, size, plain_root(hashes[:old]), root, path)


def test_a_proof_over_rest_verifies_with_nothing_but_hashlib(cast, api):
    event = events(cast, 5, after={"ünïcode": 1.5, "n": 10**20, "ok": True, "list": [None]}, reason="because")[2]
    carol = api(cast.carol)
    early = carol.get(f"/api/v1/ledger/events/{event.pk}/proof")
    assert early.status_code == 409 and early.json()["type"].endswith("not_sealed")
    sealer.seal()
    answer = carol.get(f"/api/v1/ledger/events/{event.pk}/proof")
    assert answer.status_code == 200, answer.content
    proof = answer.json()
    leaf = proof["leaf"].encode()
    origin, size, root, *_ = proof["checkpoint"].split("\n")
    path = [base64.b64decode(one) for one in proof["path"]]
    hashed = hashlib.sha256(b"\x00" + leaf).digest()
    assert verify_inclusion(hashed, proof["leaf_index"], proof["tree_size"], path, base64.b64decode(root))
    facts = json.loads(leaf)
    assert rfc8785.dumps(facts) == leaf
    assert (facts["id"], facts["action"], facts["actor_id"]) == (event.pk, "team.created", cast.alice.pk)
    for name, opening in proof["openings"].items():
        salt, value = bytes.fromhex(opening["salt"]), canonical(opening["value"]).encode()
        assert len(salt) == 16
        assert hashlib.sha256(salt + value).hexdigest() == facts["commitments"][name]
    key = proof["keys"][0]
    assert base64.b64decode(key["public_key"]) == notes.public_bytes(keys.signing_key())
    assert notes.is_signed(proof["checkpoint"], notes.Key(key["name"], base64.b64decode(key["public_key"])))
    assert int(size) == proof["tree_size"] and origin == key["name"]


def test_checkpoints_keys_and_consistency_over_rest(cast, api):
    victor, carol = api(cast.victor), api(cast.carol)
    carol.get("/api/v1/me")  # its first use is an event, to be sealed with the others
    assert victor.get("/api/v1/ledger/checkpoint").status_code == 404
    sealer.seal()
    first = Checkpoint.objects.get()
    events(cast, 9)
    sealer.seal()
    note = victor.get("/api/v1/ledger/checkpoint")
    assert note["Content-Type"].startswith("text/plain")
    last = Checkpoint.objects.order_by("-tree_size")[0]
    assert note.content.decode() == last.note
    listed = victor.get("/api/v1/ledger/checkpoints").json()["results"]
    assert [one["tree_size"] for one in listed] == [last.tree_size, first.tree_size]
    text = b"".join(victor.get("/api/v1/ledger/checkpoints.txt").streaming_content).decode()
    assert text == first.note + last.note
    path = victor.get(f"/api/v1/ledger/consistency?from={first.tree_size}&to={last.tree_size}").json()["path"]
    assert verify_consistency(
        first.tree_size, last.tree_size, bytes(first.root), bytes(last.root), [base64.b64decode(one) for one in path]
    )
    for query in ("from=3", "from=9&to=3", "from=x&to=4", f"from=1&to={last.tree_size + 1}"):
        assert victor.get(f"/api/v1/ledger/consistency?{query}").status_code == 400
    assert victor.get("/api/v1/ledger/keys").json()[0]["retired_at"] is None
    status = carol.get("/api/v1/ledger/status").json()
    assert (status["tree_size"], status["lag_s"], status["problem"]) == (last.tree_size, 0, "")
    assert api(None).get("/api/v1/ledger/checkpoint").status_code == 401


def test_who_may_have_a_proof(cast, api):
    from accounts.actions import create_team

    other = create_team(name="other", title="Other", by=Actor(cast.admin))
    sealer.seal()
    ours = AuditEvent.objects.filter(team="acme").first().pk
    theirs = AuditEvent.objects.get(action="team.created", target_id=str(other.pk)).pk
    assert api(cast.carol).get(f"/api/v1/ledger/events/{ours}/proof").status_code == 200
    assert api(cast.carol).get(f"/api/v1/ledger/events/{theirs}/proof").status_code == 404
    assert api(cast.victor).get(f"/api/v1/ledger/events/{ours}/proof").status_code == 403
    assert api(cast.admin).get(f"/api/v1/ledger/events/{theirs}/proof").status_code == 200


def test_a_ledger_that_was_moved_to_a_server_with_younger_transactions_is_sealed_on(cast, superuser_connection):
    events(cast, 3)
    sealer.seal()
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute("UPDATE ledger_auditevent SET xid = xid + 1000000000")
    left = events(cast, 1)[0]
    superuser_connection.execute("UPDATE ledger_auditevent SET xid = xid + 1000000000 WHERE id = %s", [left.pk])
    new = events(cast, 2)
    assert sealer.seal() == 1  # what the old server had not sealed
    assert sealer.seal() == 2  # what came since
    late = events(cast, 1)
    assert sealer.seal() == 1
    order = list(Leaf.objects.order_by("-index").values_list("event_id", flat=True)[:4])
    assert order == [late[0].pk, new[1].pk, new[0].pk, left.pk]


def test_nothing_is_signed_on_top_of_a_changed_tree(cast, superuser_connection, api):
    events(cast, 3)
    sealer.seal()
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute("UPDATE ledger_leaf SET hash = sha256('x') WHERE index = 0")
    events(cast, 1)
    with pytest.raises(tree.TreeDamaged, match="does not have the root that was signed"):
        sealer.seal()
    assert "does not have the root" in api(cast.carol).get("/api/v1/ledger/status").json()["problem"]
    superuser_connection.execute("DELETE FROM ledger_leaf WHERE index = 0")
    superuser_connection.execute("DELETE FROM ledger_leaf WHERE index = (SELECT max(index) FROM ledger_leaf)")
    with pytest.raises(tree.TreeDamaged, match="taken away"):
        sealer.seal()


def test_an_event_that_raw_sql_wrote_badly_does_not_stop_the_sealer(cast):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_auditevent (team, via, key_id, request_id, action, target_kind, target_id, target_digest, "
            "subjects) VALUES ('', 'x', '', '', 'x', 'x', 'x', '', ARRAY[NULL]) RETURNING id"
        )
        pk = cursor.fetchone()[0]
        cursor.execute("INSERT INTO ledger_eventtext (event_id, after) VALUES (%s, %s)", [pk, "[" * 3000 + "]" * 3000])
        cursor.execute(
            "INSERT INTO ledger_auditevent (team, via, key_id, request_id, action, target_kind, target_id, target_digest, "
            "subjects) VALUES ('', 'x', '', '', 'x', 'x', 'x', '', '{}')"
        )
    sealer.seal()
    assert Leaf.objects.count() == AuditEvent.objects.count()
    assert proofs.proof_of(pk)["openings"]["after"]["value"].startswith("[[[")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_the_canonical_form_is_that_of_rfc_8785(value):
    try:
        expected = rfc8785.dumps(value).decode()
    except rfc8785.IntegerDomainError:
        expected = rfc8785.dumps(json.loads(json.dumps(value), parse_int=lambda n: float(n) if len(n) > 15 else int(n)))
        assert json.loads(canonical(value)) == json.loads(expected)
    except UnicodeEncodeError:
        return  # a lone surrogate: PostgreSQL holds none
    else:
        assert canonical(value) == expected
