"""The ledger: 16 writers against the same INSERTs into plain tables, sealing meanwhile, and the offline verifier's pace.

It needs a database and no instance, and uses the tests' own cluster."""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from governance.ledger import countersign_verify, export, sealer
from governance.ledger.actions import INSERT
from governance.ledger.filters import Filter
from governance.ledger.models import AuditEvent, Leaf, SigningKey
from tests.benchmarks.conftest import ROOT, Report
from tests.benchmarks.ledger_writers import PLAIN

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]
WRITERS = 16
# Many short pairs: on a busy machine the pairs differ more than the two sides do.
SLOTS, SLOT_S = int(os.environ.get("BENCH_LEDGER_SLOTS", "44")), 1.0
EVENTS = int(os.environ.get("BENCH_LEDGER_EVENTS", "300000"))
PLAIN_TABLES = """
DROP TABLE IF EXISTS bench_event, bench_text;
CREATE TABLE bench_event (LIKE ledger_auditevent INCLUDING IDENTITY);
ALTER TABLE bench_event ADD PRIMARY KEY (id);
CREATE TABLE bench_text (event_id bigint PRIMARY KEY, actor_name varchar(200), actor_email varchar(254), address varchar(64),
    target_label varchar(300), before jsonb, after jsonb, reason text);
GRANT SELECT, INSERT ON bench_event, bench_text TO countersign_app;
"""


def write(*statements: str, slots: int = SLOTS, slot_s: float = SLOT_S) -> list[int]:
    """Events of 16 processes at once in each slot; the statements take turns."""
    program = Path(__file__).with_name("ledger_writers.py")
    begin = time.time() + 8
    command = [
        sys.executable,
        str(program),
        os.environ["DATABASE_URL"],
        str(begin),
        str(slots),
        str(slot_s),
        *statements,
    ]
    writers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(WRITERS)]
    counts = [json.loads(writer.communicate(timeout=300)[0]) for writer in writers]
    return [sum(slot) for slot in zip(*counts, strict=True)]


def test_sixteen_writers_and_the_sealer_behind_them(report: Report, superuser_connection: psycopg.Connection):
    superuser_connection.execute(PLAIN_TABLES)
    stop, lags = threading.Event(), []

    def seal_on() -> None:
        """What beat does every two seconds; the lag is asked for right before, when it is at its longest."""
        while not stop.wait(2):
            lags.append(sealer.lag_s())
            sealer.seal()
        connection.close()

    found = write(PLAIN, INSERT)
    # Pairs of neighbours, either first as often; the first four slots warmed up.
    pairs = [(found[at], found[at + 1]) if at % 4 == 0 else (found[at + 1], found[at]) for at in range(4, SLOTS, 2)]
    ratio = statistics.median(ours / plain for plain, ours in pairs)
    report.add(
        f"events per second of {WRITERS} writers / the same INSERTs into plain tables",
        figure=f"{ratio:.2f}",
        aim="at least 0.8",
        met=ratio >= 0.8,
        plain_per_s=round(sum(plain for plain, _ in pairs) / len(pairs) / SLOT_S),
        ledger_per_s=round(sum(ours for _, ours in pairs) / len(pairs) / SLOT_S),
        ratios=sorted(round(ours / plain, 2) for plain, ours in pairs),
    )
    sealer.seal()
    thread = threading.Thread(target=seal_on)
    thread.start()
    rate = write(INSERT, slots=1, slot_s=20)[0] / 20
    stop.set()
    thread.join()
    sealer.seal()
    assert Leaf.objects.count() == AuditEvent.objects.count()
    report.add(
        "sealing lag meanwhile, at its longest",
        figure=f"{max(lags):.1f} s",
        aim="under 10 s",
        met=max(lags) < 10,
        events_per_s=round(rate),
        lags_s=[round(one, 2) for one in lags],
    )
    assert ratio >= 0.8 and max(lags) < 10


def test_the_verifiers_pace(report: Report, superuser_connection: psycopg.Connection, tmp_path: Path):
    from tests.benchmarks.ledger_rows import fill

    fill(superuser_connection, EVENTS)
    began = time.monotonic()
    sealer.seal()
    sealing = time.monotonic() - began
    files = tmp_path / "export.jsonl", tmp_path / "checkpoints.txt"
    began = time.monotonic()
    with files[0].open("wb") as out:
        out.writelines(export.as_jsonl(export.select(Filter(), teams=None, from_index=0)))
    exporting = time.monotonic() - began
    from governance.ledger import keys
    from governance.ledger.models import Checkpoint

    files[1].write_text("".join(Checkpoint.objects.order_by("tree_size").values_list("note", flat=True)))
    key = keys.public(SigningKey.objects.get()).text
    command = [sys.executable, "-I", countersign_verify.__file__, *map(str, files), "--key", key]
    taken = []
    for _ in range(3):
        before = os.times().children_user + os.times().children_system
        done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
        assert done.returncode == 0, done.stdout + done.stderr
        taken.append(os.times().children_user + os.times().children_system - before)
    ten_million_s = min(taken) / EVENTS * 10_000_000
    report.add(
        "offline verifier, 10 million events on one core (extrapolated)",
        figure=f"{ten_million_s:.0f} s",
        aim="under 120 s",
        met=ten_million_s < 120,
        events=EVENTS,
        processor_s=[round(one, 2) for one in taken],
        sealed_per_s=round(EVENTS / sealing),
        exported_per_s=round(EVENTS / exporting),
        bytes_per_event=round(Path(files[0]).stat().st_size / EVENTS),
    )
    assert ten_million_s < 120
