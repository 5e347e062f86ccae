"""One writer of the ledger benchmark: commits inserts for some seconds and prints how many. Run as a process of its own."""

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


def main(url: str, statement: str, begin: float, seconds: float) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT 1")
        time.sleep(max(0, begin - time.time()))
        count = 0
        while time.time() < begin + seconds:
            connection.execute(statement, VALUES)
            count += 1
    print(count)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
