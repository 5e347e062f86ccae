"""Lists of prompts with 100 and with 100,000 of whatever they list: prompts, and one prompt's versions, moves of labels and uses; over REST and
as pages, for people who see them by different grants.

Through Django's own client, on the PostgreSQL of the tests: what is measured is the reading, its permissions and what is made of it, not the
HTTP server. What counts is the processors' time (this process's and PostgreSQL's), which a busy machine stretches less than the wall's.
"""

import gc
import os
import statistics
import time
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from tests.benchmarks.conftest import Report
from tests.benchmarks.test_9_registry_search import processor_ms
from tests.benchmarks.test_13_prompts import TEXT, fill

pytestmark = [pytest.mark.timeout(3600), pytest.mark.django_db(transaction=True)]
FEW, MANY = 100, int(os.environ.get("PROMPTS", "100000").split(",")[-1])
TIMES = int(os.environ.get("PROMPT_LIST_TIMES", "7"))
ONE = "acme/one"

# Of the prompt 'one': versions, moves of its labels and uses, number {first} to {last}; uses of the ten newest, over thirty days.
_DEEPEN = """
INSERT INTO prompts_promptversion SELECT (jsonb_populate_record(v, jsonb_build_object(
    'id', nextval(pg_get_serial_sequence('prompts_promptversion', 'id')), 'number', n))).*
FROM prompts_promptversion v JOIN prompts_prompt p ON p.id = v.prompt_id AND p.name = 'one', generate_series({first}, {last}) n
WHERE v.number = 1;
INSERT INTO prompts_labelmove (prompt_id, name, before_id, after_id, reason, moved_at, moved_by_id)
SELECT v.prompt_id, CASE WHEN v.number % 10 = 0 THEN 'eu' ELSE 'live' END, v.id, v.id, 'why', now(), v.created_by_id
FROM prompts_promptversion v JOIN prompts_prompt p ON p.id = v.prompt_id AND p.name = 'one'
WHERE v.number BETWEEN {first} AND {last};
INSERT INTO prompts_promptuse (version_id, consumer_id, key_id, label, day, fetches, last_at)
SELECT v.id, u.id, 'csk' || n / 1500, 'live', now()::date - n / 10 % 30, n, now() - n * interval '1 second'
FROM generate_series({first}, {last}) n CROSS JOIN LATERAL (SELECT id FROM accounts_user ORDER BY id OFFSET n / 300 % 5 LIMIT 1) u
JOIN prompts_prompt p ON p.name = 'one' JOIN prompts_promptversion v ON v.prompt_id = p.id AND v.number = 1 + n % 10;
UPDATE prompts_prompt SET last_number = {last} WHERE name = 'one'
"""
# What search knows of a prompt, a label and a tag that few have, far down the list.
_FINISH = """
UPDATE prompts_prompt SET updated_at = '2026-01-01'::timestamptz + id * interval '1 second';
INSERT INTO prompts_promptsearch (prompt_id, name_words, words, refreshed_at)
SELECT p.id, array_to_tsvector(named), array_to_tsvector(named || ARRAY['answer', 'customers', 'shop']), now()
FROM prompts_prompt p CROSS JOIN LATERAL (
    SELECT array_agg(DISTINCT word) AS named FROM regexp_split_to_table(p.name, '[ /-]') word) words ON CONFLICT DO NOTHING;
INSERT INTO prompts_label (prompt_id, name, version_id, updated_at, updated_by_id)
SELECT l.prompt_id, 'canary', l.version_id, now(), l.updated_by_id FROM prompts_label l JOIN prompts_prompt p ON p.id = l.prompt_id
WHERE p.name ~ '^folder-1?[0-9]/prompt 1?[0-9]$' ON CONFLICT DO NOTHING;
INSERT INTO prompts_prompttag (prompt_id, key, value) SELECT prompt_id, 'rare', '' FROM prompts_label WHERE name = 'canary'
ON CONFLICT DO NOTHING
"""


def grow(database: psycopg.Connection, cast: SimpleNamespace, first: int, last: int) -> None:
    fill(cast, first, last)
    database.execute("SET session_replication_role = replica")
    for statement in [*_DEEPEN.format(first=max(first, 2), last=last).split(";\n"), *_FINISH.split(";\n")]:
        database.execute(statement)
    database.execute("VACUUM ANALYZE")


def share(database: psycopg.Connection, cast: SimpleNamespace) -> None:
    """Mallory sees twenty single prompts, the oldest."""
    database.execute(
        "INSERT INTO accounts_grant (object_pk, content_type_id, permission_id, user_id, team_id, role, prefix, kind, stage, reason, "
        "granted_at) SELECT a.id::text, y.id, p.id, %s, a.team_id, 'viewer', '', '', '', 'bench', now() "
        "FROM (SELECT * FROM prompts_prompt ORDER BY id LIMIT 20) a, django_content_type y, auth_permission p "
        "WHERE y.app_label = 'prompts' AND y.model = 'prompt' AND p.content_type_id = y.id AND p.codename = 'role_viewer'",
        [cast.mallory.pk],
    )


API, PAGE = "/api/v1/prompts", "/prompts/"
LISTS = {
    "REST: all": f"{API}?team=acme",
    "REST: a folder": f"{API}?team=acme&folder=folder-7",
    "REST: by name": f"{API}?team=acme&sort=name",
    "REST: a label that all have": f"{API}?team=acme&label=live",
    "REST: a label that few have": f"{API}?team=acme&label=canary",
    "REST: a tag that few have": f"{API}?team=acme&tag=rare",
    "REST: a word that all have": f"{API}?team=acme&q=customers",
    "REST: a word that one has": f"{API}?team=acme&q=42",
    "REST: a slip": f"{API}?team=acme&q=custmoers",
    "page: the top with its folders": PAGE,
    "page: a folder": f"{PAGE}?folder=folder-7",
    "page: words": f"{PAGE}?q=shop",
}
OF_ONE = {
    "REST: versions": f"{API}/{ONE}/versions",
    "REST: labels": f"{API}/{ONE}/labels",
    "REST: a label's history": f"{API}/{ONE}/labels/live/history",
    "REST: labels at a moment": f"{API}/{ONE}/labels?at=2099-01-01",
    "page: versions": f"{PAGE}{ONE}",
    "page: a version": f"{PAGE}{ONE}/versions/7",
    "page: labels": f"{PAGE}{ONE}/labels",
    "page: branches": f"{PAGE}{ONE}/branches",
}

# Sums over the prompt's own uses of the last thirty days: they grow with those, and with nothing else.
USAGE = {
    "REST: usage": f"{API}/{ONE}/usage",
    "REST: usage of a version": f"{API}/{ONE}/usage?version=3",
    "page: usage": f"{PAGE}{ONE}/usage",
}


def measure(rest: Any, browser: Any, questions: dict[str, str]) -> dict[str, tuple[float, float]]:
    """Kind of question -> median milliseconds of the wall and mean of the processors."""
    found = {}
    for kind, address in questions.items():
        client = rest if kind.startswith("REST") else browser
        client.get(address)
        gc.collect()
        times, spent = [], processor_ms()
        for _ in range(TIMES):
            start = time.perf_counter()
            answer = client.get(address)
            times.append((time.perf_counter() - start) * 1e3)
            assert answer.status_code == 200, (kind, answer.content[:500])
        found[kind] = (statistics.median(times), (processor_ms() - spent) / TIMES)
    return found


def test_lists_cost_the_same_with_many(cast, api, client_of, superuser_connection: psycopg.Connection, report: Report):
    from accounts.access import Actor
    from prompts import actions

    by = Actor(cast.alice)
    for name in ("template", "one"):
        prompt = actions.create_prompt(team=cast.team, name=name, by=by)
        version = actions.create_version(prompt=prompt, type="text", template=TEXT, by=by)
        actions.move_label(prompt=prompt, label="live", version=version, by=by)
    # She is in no team: what she sees is listed over all teams.
    hers = {
        kind: address.replace("team=acme&", "").replace("team=acme", "")
        for kind, address in LISTS.items()
        if "page" not in kind
    }
    questions = {"role in the team": {**LISTS, **OF_ONE, **USAGE}, "20 single prompts": hers}
    seen: dict[int, dict[str, dict[str, tuple[float, float]]]] = {}
    people = {"role in the team": cast.victor, "20 single prompts": cast.mallory}
    clients = {who: (api(user), client_of(user)) for who, user in people.items()}
    for first, last in ((1, FEW), (FEW + 1, MANY)):
        grow(superuser_connection, cast, first, last)
        if first == 1:
            share(superuser_connection, cast)
        seen[last] = {who: measure(*clients[who], asked) for who, asked in questions.items()}
    worst = {}
    for who in people:
        ratios = {
            kind: seen[MANY][who][kind][1] / seen[FEW][who][kind][1] for kind in seen[FEW][who] if kind not in USAGE
        }
        worst |= {f"{kind}, {who}": ratio for kind, ratio in ratios.items() if ratio >= 2}
        slowest = max(ratios, key=lambda kind: ratios[kind])
        report.add(
            f"lists of prompts, {MANY:,} / {FEW}, {len(ratios)} kinds of question, by {who}",
            figure=f"median {statistics.median(ratios.values()):.2f}, worst {ratios[slowest]:.2f} ({slowest})",
            aim="each under 2", met=max(ratios.values()) < 2, load=os.getloadavg()[0],
            wall_and_processor_ms={
                kind: [[round(one, 1) for one in seen[size][who][kind]] for size in (FEW, MANY)] for kind in ratios
            },
        )  # fmt: skip
    used = {kind: seen[MANY]["role in the team"][kind] for kind in USAGE}
    report.add(
        f"usage of a prompt with {MANY:,} rows of it in thirty days, processor's time",
        figure=", ".join(f"{kind} {processor:.0f} ms" for kind, (_, processor) in used.items()),
        aim="none", met=True, load=os.getloadavg()[0],
    )  # fmt: skip
    assert not worst, worst
