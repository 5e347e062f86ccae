"""An answer as a row of a dataset: a new version of it, from the last one."""

import io
import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.access import Actor, require
from accounts.errors import Conflict, Invalid, Problem
from accounts.roles import Permission
from governance.ledger.actions import Action, Target, record
from playground.actions.common import person, run_target
from playground.models import Cell, KeptExample
from prompt_tests.actions import add_case
from prompt_tests.models import SuiteRevision
from prompts.models import Prompt
from registry import revisions, storage
from registry.actions.commits import Add, Stale, commit
from registry.models import Asset, Version

# A file of its own: the others stay as they are, whatever their format, and are not copied.
PATH = "playground.jsonl"
MAX_ROW = 1_000_000
_RETRIES = 5


def keep_example(*, cell: Cell, dataset: Asset, row: Mapping[str, Any], by: Actor) -> KeptExample:
    """Append the row to the dataset and register what comes of it as its next version."""
    require(by, Permission.ASSET_EDIT, dataset)
    user = person(by)
    if cell.state != Cell.State.DONE:
        raise Conflict("There is no answer to keep yet.")
    if dataset.kind != Asset.Kind.DATASET:
        raise Invalid("dataset", f"{dataset} is a model. Choose a dataset.")
    if dataset.team_id != cell.run.team_id:
        raise Invalid("dataset", f"Choose a dataset of {cell.run.team.name}: {dataset} belongs to another team.")
    line = _line(row)
    version = _committed(dataset, line, cell, by)
    with transaction.atomic():
        kept = KeptExample.objects.create(cell=cell, version=version, row=dict(row), by=user)
        record(
            Action.PLAYGROUND_KEPT, by=by, team=dataset.team.name, target=run_target(cell.run),
            also=[
                Target("version", version.pk, str(version), version.digest),
                Target(dataset.kind, dataset.pk, str(dataset)),
            ],
            after={"cell": cell.pk, "dataset": str(dataset), "version": version.number, "question": cell.digest},
        )  # fmt: skip
    return kept


def make_test(*, cell: Cell, expected: str, kind: str = "equals", by: Actor) -> SuiteRevision:
    """A case of the prompt's tests: the cell's values, and what is asserted of the answer."""
    require(by, Permission.ASSET_EDIT, cell.run)
    column = cell.run.columns[cell.column]
    prompt = Prompt.objects.visible_to(by).select_related("team").filter(pk=column["prompt_id"] or 0).first()
    if prompt is None:
        raise Conflict("Tests belong to prompts, and this column was written here: save it as a prompt first.")
    require(by, Permission.ASSET_EDIT, prompt)
    if cell.state != Cell.State.DONE or cell.turn:
        raise Conflict("A test is made of the first answer of a conversation.")
    if kind not in ("equals", "contains"):
        raise Invalid("kind", "Use equals or contains.")
    if not expected.strip():
        raise Invalid("expected", "Say what is expected of the answer.")
    values = cell.run.inputs.values_list("values", flat=True).get(index=cell.row)
    given = {name: value for name, value in values.items() if name in column["variables"]}
    assertion = {"type": "equals"} if kind == "equals" else {"type": "contains", "value": expected.strip()}
    return add_case(
        prompt=prompt,
        variables=given,
        expected=expected,
        assertions=[assertion],
        name=f"playground {cell.run_id}, row {cell.row + 1}",
        by=by,
    )


def _line(row: Mapping[str, Any]) -> bytes:
    if not isinstance(row, Mapping) or not row:
        raise Invalid("row", 'A row is an object of fields: {"input": "…", "expected": "…"}.')
    try:
        line = json.dumps(dict(row), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError, RecursionError):
        raise Invalid("row", "A row is JSON: text, numbers, true, false, null, lists and objects.") from None
    if b"\\u0000" in line:
        raise Invalid("row", "Take out the NUL character.")
    if len(line) > MAX_ROW:
        raise Invalid("row", f"At most {MAX_ROW:,} bytes, here {len(line):,}.")
    return line


def _committed(dataset: Asset, line: bytes, cell: Cell, by: Actor) -> Version:
    """Somebody else may keep one at the same moment: then theirs is read again and ours appended to it."""
    for _ in range(_RETRIES):
        head = revisions.head_of(dataset, revisions.MAIN)
        stream = io.BytesIO(_before(head) + line)
        incoming = storage.receive(stream, limit=settings.MAX_FILE_BYTES)
        try:
            return commit(
                asset=dataset,
                operations=[Add(PATH, incoming.sha256, incoming)],
                parent_commit=head.commit if head else revisions.empty_commit(dataset),
                message=f"An example from the playground, run {cell.run_id}",
                holds=lambda sha256: False,
                by=by,
            )
        except Stale:
            continue
        finally:
            incoming.discard()
    raise Problem(f"Others change {dataset} all the time. Try again.")


def _before(head: Version | None) -> bytes:
    file = head.files.filter(path=PATH).first() if head else None
    if file is None:
        return b""
    with storage.open_blob(file.blob_id) as stream:
        content = stream.read()
    return content if content.endswith(b"\n") or not content else content + b"\n"
