"""Search with 100 and with 100,000 versions: the first page of twenty-odd kinds of question over REST, for people who see by different grants.

Through Django's own client, on the PostgreSQL of the tests: what is measured is the search, its permissions and its JSON, not the HTTP
server. Beside the wall's time stands the processors' (this process and PostgreSQL's), which a busy machine stretches less.
"""

import gc
import json
import os
import random
import statistics
import time
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from django.db import connection

from registry import search
from tests.benchmarks.conftest import Report

pytestmark = [pytest.mark.timeout(3600), pytest.mark.django_db(transaction=True)]
FEW, MANY, GRANTS = 100, int(os.environ.get("SEARCH_VERSIONS", "100000")), 1_000
TIMES = int(os.environ.get("SEARCH_TIMES", "15"))
SYLLABLES = [a + b for a in "bdfgklmnprstv" for b in "aeio"]
FAMILIES = ["llama", "mistral", "qwen", "gemma", "phi", "falcon", "bert", "gpt", "whisper", "dates"]
_R = random.Random(7)
WORDS = ["".join(_R.choices(SYLLABLES, k=_R.randint(2, 5))) for _ in range(20_000)]


def fill(database: psycopg.Connection, cast: SimpleNamespace, first: int, last: int) -> None:
    """Models number `first` to `last` of acme with a version each, by COPY, and what search knows of them, by its own task."""
    dice = random.Random(first)
    admin, made = cast.admin.pk, "2026-01-01"
    database.execute("SET session_replication_role = replica")
    columns = (
        "team_id, kind, name, description, task, restricted, gated, visibility, created_by_id, created_at, updated_at, "
        "updated_by_id, last_number"
    )
    with database.cursor() as cursor, cursor.copy(f"COPY registry_asset ({columns}) FROM STDIN") as rows:
        for number in range(first, last + 1):
            name = f"{FAMILIES[number % 10]}-{dice.choice(WORDS)}-{dice.choice(['1b', '7b', '70b'])}-{number:06d}"
            told = f"A {dice.choice(WORDS)} model for {dice.choice(WORDS)}"
            rows.write_row(
                (
                    cast.team.pk,
                    "model",
                    name,
                    told,
                    "text-generation",
                    False,
                    False,
                    "team",
                    admin,
                    made,
                    made,
                    admin,
                    1,
                )
            )
    database.execute("UPDATE registry_asset SET updated_at = '2026-01-01'::timestamptz + id * interval '1 second'")
    ids = database.execute(
        "SELECT id FROM registry_asset a WHERE NOT EXISTS (SELECT 1 FROM registry_version v WHERE v.asset_id = a.id) ORDER BY id"
    ).fetchall()
    columns = (
        "asset_id, number, state, digest, message, facts, card, row_index, size, branch, commit, source, description, "
        "created_by_id, created_at, registered_at, updated_at"
    )
    with database.cursor() as cursor, cursor.copy(f"COPY registry_version ({columns}) FROM STDIN") as rows:
        for (asset,) in ids:
            card = {
                "license": dice.choice(["apache-2.0", "mit", "cc-by-4.0", "llama3", "other"]),
                "language": dice.sample(["en", "de", "fr", "es", "zh", "ja", "it", "pt"], 2),
                "library_name": dice.choice(["transformers", "gguf", "onnx"]),
                "tags": dice.sample(WORDS[:200], 3),
            }
            facts = {
                "architecture": "LlamaForCausalLM",
                "parameters": dice.choice([6 * 10**7, 7 * 10**9, 2 * 10**11]),
                "card": card,
            }
            text = f"# Card\n{' '.join(dice.choices(WORDS, k=60))} medieval"
            digest, commit = f"sha256:{dice.getrandbits(256):064x}", f"{dice.getrandbits(160):040x}"
            rows.write_row(
                (
                    asset,
                    1,
                    "registered",
                    digest,
                    "m",
                    json.dumps(facts),
                    text,
                    "{}",
                    1,
                    "main",
                    commit,
                    "",
                    "",
                    admin,
                    made,
                    made,
                    made,
                )
            )
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    search.refresh_many(search.stale())
    database.execute("VACUUM ANALYZE")


def share(database: psycopg.Connection, cast: SimpleNamespace) -> None:
    """A thousand grants of Mallory's, each on one model, spread over all there are."""
    done = database.execute(
        "INSERT INTO accounts_grant (object_pk, content_type_id, permission_id, user_id, team_id, role, prefix, kind, "
        "stage, reason, granted_at) "
        "SELECT a.id::text, y.id, p.id, %s, a.team_id, 'viewer', '', '', '', 'bench', now() "
        "FROM (SELECT *, row_number() OVER (ORDER BY id) AS place FROM registry_asset) a, django_content_type y, auth_permission p "
        "WHERE y.app_label = 'registry' AND y.model = 'asset' AND p.content_type_id = y.id AND p.codename = 'role_viewer' "
        "AND a.place %% %s = 0",
        [cast.mallory.pk, MANY // GRANTS],
    )
    assert done.rowcount == GRANTS, done.rowcount


def questions(name: str) -> dict[str, str]:
    """Kind of question -> query string. `name`: of a model that is there."""
    word = name.split("-")[1]
    slip = word[:1] + word[2] + word[1] + word[3:]
    return {
        "everything": "",
        "an exact name": f"q={name}",
        "team/name": f"q=acme/{name}",
        "the beginning of a name": f"q={name[:9]}",
        "one letter": "q=l",
        "two letters": "q=ll",
        "a word of every tenth name": "q=llama",
        "a rare word": f"q={word}",
        "a common and a rare word": f"q=llama+{word}",
        "three words": f"q=llama+7b+{word[:4]}",
        "a word of every card": "q=medieval",
        "a slip": f"q={slip}",
        "a common word and a slip": f"q=llama+{slip}",
        "nothing there": "q=zzqqxxy",
        "a licence": "licence=mit",
        "a language and a size": "language=de&size=1b-10b",
        "a library": "library=onnx",
        "a tag": f"tag={WORDS[7]}",
        "words and two facets": "q=llama&licence=mit&language=fr",
        "words by name": "q=llama&sort=name",
        "the newest": "sort=created",
        "archived ones": "archived=1",
    }


def processor_ms() -> float:
    """This process's and its PostgreSQL backend's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    return time.process_time() * 1e3 + int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def measure(client: object, name: str, path: str = "/api/v1/models") -> dict[str, tuple[float, float]]:
    """Kind of question -> median milliseconds of the wall and mean of the processors."""
    found = {}
    for kind, query in questions(name).items():
        times = []
        client.get(f"{path}?{query}")  # type: ignore[attr-defined]
        gc.collect()
        spent = processor_ms()
        for _ in range(TIMES):
            start = time.perf_counter()
            answer = client.get(f"{path}?{query}")  # type: ignore[attr-defined]
            times.append((time.perf_counter() - start) * 1e3)
            assert answer.status_code == 200, answer.content
        found[kind] = (statistics.median(times), (processor_ms() - spent) / TIMES)
    return found


def test_search_stays_quick_with_many(cast, api, superuser_connection: psycopg.Connection, report: Report):
    fill(superuser_connection, cast, 1, FEW)
    client = api(cast.carol)
    name = client.get("/api/v1/models").json()["results"][0]["name"]
    few = measure(client, name)
    fill(superuser_connection, cast, FEW + 1, MANY)
    name = client.get("/api/v1/models").json()["results"][0]["name"]
    share(superuser_connection, cast)
    told = {
        "role in the team": measure(client, name),
        f"{GRANTS:,} grants on single models": measure(api(cast.mallory), name),
        "role in the team, facets": measure(client, name, "/api/v1/models/facets"),
    }
    for who, many in told.items():
        walls, processors = ([pair[place] for pair in many.values()] for place in (0, 1))
        slowest = max(many, key=lambda kind: many[kind][0])
        report.add(
            f"search of {MANY:,} versions, first page, {len(many)} kinds of question, by {who}",
            figure=f"median {statistics.median(walls):.0f} ms, worst {max(walls):.0f} ms ({slowest})",
            aim="worst under 50 ms",
            met=max(walls) < 50,
            processor_ms={"median": round(statistics.median(processors), 1), "worst": round(max(processors), 1)},
            each={kind: [round(wall, 1), round(spent, 1)] for kind, (wall, spent) in many.items()},
            few={kind: [round(wall, 1), round(spent, 1)] for kind, (wall, spent) in few.items()},
        )
    # The processors' time: the wall's depends on who else is at work here.
    ratio = statistics.median(told["role in the team"][kind][1] / few[kind][1] for kind in few)
    report.add(f"search, {MANY:,} / {FEW}", figure=f"{ratio:.2f}", aim="under 3", met=ratio < 3)
    assert ratio < 3, ratio
