"""Ten million events that look like years of a busy company's, written by the superuser in one statement per million. Their transactions lie in the past, so that all of them are committed for
whoever reads in commit order."""

import psycopg

ROWS = """
WITH made AS MATERIALIZED (
    SELECT g, CASE WHEN r1 < 0.1 THEN NULL ELSE 1 + (r2 * r2 * 500)::int END AS actor, 1 + floor(r3 * 5)::int AS door,
        'team-' || (r4 * r4 * 40)::int AS team, (r4 * r4 * 40)::int * 200 + (r5 * r5 * 200)::int AS model,
        ((r4 * r4 * 40)::int * 200 + (r5 * r5 * 200)::int) * 40 + (r6 * 40)::int AS version,
        (ARRAY['version.created','file.uploaded','alias.moved','request.opened','request.reviewed','request.approved',
            'evaluation.finished','deployment.state_changed','user.signed_in','role.granted'])[1 + floor(r7 * r7 * 10)::int]
            AS action
    FROM (SELECT g, random() r1, random() r2, random() r3, random() r4, random() r5, random() r6, random() r7
          FROM generate_series(%(first)s::bigint, %(last)s::bigint) g ) drawn
), facts AS (
    INSERT INTO ledger_auditevent (id, at, xid, team, actor_id, via, key_id, request_id, action, target_kind, target_id,
        target_digest, subjects)
    SELECT g, now() - (%(all)s - g) * interval '6 seconds', 3 + g / 20000, team, actor,
        (ARRAY['ui','api','api','task','mlflow'])[door],
        CASE door WHEN 2 THEN 'key' || lpad((coalesce(actor, 0) %% 300)::text, 5, '0') ELSE '' END,
        'req-' || md5((g / 2)::text), action, 'version', version,
        'sha256:' || md5(version::text) || md5(version::text), ARRAY['version:' || version, 'model:' || model]
    FROM made
)
INSERT INTO ledger_eventtext (event_id, actor_name, actor_email, address, target_label, before, after, reason)
SELECT g, coalesce('Person ' || actor, 'system'), coalesce('person' || actor || '@example.com', ''),
    coalesce('10.0.0.' || (actor %% 250), ''), team || '/model-' || model || ' version ' || version %% 40,
    NULL, jsonb_build_object('version', version %% 40, 'slot', 'production'), ''
FROM made
"""


def fill(connection: psycopg.Connection, count: int) -> None:
    """The ledger then holds `count` events, ids from 1."""
    connection.execute("SELECT setseed(0.5)")
    while connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()[0] <= 4 + count // 20000:  # type: ignore[index]
        pass  # each statement is a transaction of its own
    step = 1_000_000
    for first in range(1, count + 1, step):
        connection.execute(ROWS, {"first": first, "last": min(first + step - 1, count), "all": count})
    connection.execute("SELECT setval('ledger_auditevent_id_seq', %s)", [count])
    connection.execute("VACUUM (ANALYZE) ledger_auditevent, ledger_eventtext")
