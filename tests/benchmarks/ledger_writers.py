"""One writer of the ledger benchmark: commits inserts and prints how many in each slot. Run as a process of its own."""

import json
import sys
import time

import psycopg

PLAIN = """
WITH event AS (
    INSERT INTO bench_event (team, actor_id, via, key_id, request_id, action, target_kind, target_id, target_digest, subjects, at, xid)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, statement_timestamp(), pg_current_xact_id()::text::bigint)
    RETURNING id, at, xid
), texts AS (
    INSERT INTO bench_text (event_id, actor_name, actor_email, address, target_label, before, after, reason)
    SELECT event.id, %s, %s, %s, %s, %s::jsonb, %s::jsonb, %s FROM event
)
SELECT id, at, xid FROM event
"""
VALUES = [
    "acme", 7, "api", "k1234567890", "req-0123456789abcdef", "alias.moved", "model", "11", "sha256:" + "a" * 64,
    ["model:11", "version:12", "request:13"],
    "Alice Example", "alice@example.com", "192.0.2.17", "acme/date-normaliser",
    json.dumps({"version": 1, "digest": "sha256:" + "b" * 64}), json.dumps({"version": 2, "digest": "sha256:" + "c" * 64}),
    "Better on dates.",
]  # fmt: skip


def main(url: str, begin: float, slots: int, slot_s: float, statements: list[str]) -> None:
    """In slots of wall-clock time that all writers share, the statements take turns: a, b, b, a, a, b, b, a..."""
    counts = []
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement, VALUES)
        time.sleep(max(0, begin - time.time()))
        for slot in range(slots):
            statement = statements[((slot + 1) // 2) % len(statements)]
            count, end = 0, begin + (slot + 1) * slot_s
            while time.time() < end:
                connection.execute(statement, VALUES)
                count += 1
            counts.append(count)
    print(json.dumps(counts))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5:])
