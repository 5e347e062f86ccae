"""Runs: started and cancelled by people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.access import Actor, require
from accounts.errors import Conflict, Invalid, NotFound
from accounts.models import Team
from accounts.roles import Permission
from evaluation import leasing, wake
from governance.ledger.actions import Action, Target, record
from playground import columns as shapes
from playground.actions.common import require_play, run_target
from playground.models import Cell, PlaygroundRow, PlaygroundRun, PlaygroundSession
from prompts.checks import check_note
from registry import datasets, gates
from registry.models import Asset, Version

MAX_CELLS = 2_000
MAX_REPEATS = 20
MAX_ROW = 256 * 1024  # characters of one row's values
MAX_ROWS_SIZE = 16 * 1024 * 1024
State = PlaygroundRun.State


def start_run(
    *,
    team: Team,
    columns: Sequence[Any],
    inputs: Sequence[Any] | None = None,
    dataset_version: Version | None = None,
    mapping: Mapping[str, str] | None = None,
    expected_field: str = "",
    limit: int | None = None,
    repeats: int = 1,
    name: str = "",
    session: PlaygroundSession | None = None,
    by: Actor,
) -> PlaygroundRun:
    """Queue a matrix: each column on each row, `repeats` times. Rows are `inputs` (objects of values by variable) or those of a
    dataset version. `mapping`: the dataset's field by variable, where the names differ. Invalid names the field."""
    user = require_play(by, team)
    frozen = shapes.freeze(team, columns, by=by)
    if isinstance(repeats, bool) or not 1 <= repeats <= MAX_REPEATS:
        raise Invalid("repeats", f"Use a whole number from 1 to {MAX_REPEATS}.")
    wanted = sorted({variable for column in frozen for variable in column["variables"]})
    most = MAX_CELLS // (len(frozen) * repeats)
    if dataset_version is not None:
        if inputs:
            raise Invalid("rows", "Give rows or a dataset: one of the two.")
        rows = _of_dataset(team, dataset_version, dict(mapping or {}), expected_field, limit, wanted, most, by)
    else:
        rows = _typed(inputs if inputs else [{}], most)
    with transaction.atomic():
        run = PlaygroundRun.objects.create(
            team=team, session=session, name=check_note("name", name, 120) or "Playground", columns=frozen, repeats=repeats,
            dataset_version=dataset_version, mapping=dict(mapping or {}), expected_field=expected_field, rows=len(rows),
            total=len(rows) * len(frozen) * repeats, lease_until=timezone.now() + leasing.TURN, created_by=user,
            key=by.key, by_key=by.key is not None,
        )  # fmt: skip
        PlaygroundRow.objects.bulk_create(
            PlaygroundRow(run=run, index=index, values=values, expected=expected)
            for index, (values, expected) in enumerate(rows)
        )
        Cell.objects.bulk_create(
            Cell(run=run, row=row, column=column, repeat=repeat)
            for row in range(len(rows))
            for column in range(len(frozen))
            for repeat in range(repeats)
        )
        record(
            Action.PLAYGROUND_STARTED, by=by, team=team.name, target=run_target(run), also=about(run),
            after={
                "columns": [
                    {"prompt": column["prompt"], "version": column["version"], "digest": column["digest"], "model": column["model"]}
                    for column in frozen
                ],
                "rows": len(rows), "repeats": repeats, "cells": run.total,
                "dataset": str(dataset_version) if dataset_version else "",
            },
        )  # fmt: skip
        wake.after_commit("playground.tasks.run", run.pk)
    return run


@transaction.atomic
def cancel_run(*, run: PlaygroundRun, by: Actor) -> PlaygroundRun:
    """End it now: a worker that is at it finds its lease gone within a second and drops what it has in hand."""
    require_play(by, run)
    locked: PlaygroundRun | None = (
        PlaygroundRun.objects.select_for_update(of=("self",)).select_related("team").filter(pk=run.pk).first()
    )
    if locked is None:
        raise NotFound("There is no such run.")
    if locked.has_ended:
        raise Conflict(f"This run is {locked.state} already.")
    before = {"state": locked.state}
    locked.cells.filter(state__in=[Cell.State.WAITING, Cell.State.RUNNING]).update(state=Cell.State.CANCELLED)
    locked.state, locked.finished_at, locked.lease_owner = State.CANCELLED, timezone.now(), ""
    locked.save(update_fields=["state", "finished_at", "lease_owner"])
    record(
        Action.PLAYGROUND_CANCELLED, by=by, team=locked.team.name, target=run_target(locked), also=about(locked),
        before=before, after={"state": locked.state, "done": locked.done, "total": locked.total},
    )  # fmt: skip
    return locked


def about(run: PlaygroundRun) -> list[Target]:
    """What a run belongs to the life of: the prompts and versions that it tried, and the dataset."""
    found: dict[str, Target] = {}
    for column in run.columns:
        if column["prompt_id"]:
            target = Target("prompt", column["prompt_id"], column["prompt"])
            found[target.subject] = target
        if column["version_id"]:
            label = f"{column['prompt']} version {column['version']}"
            target = Target("prompt_version", column["version_id"], label, column["digest"])
            found[target.subject] = target
    if run.dataset_version is not None:
        version = run.dataset_version
        target = Target("version", version.pk, str(version), version.digest)
        found[target.subject] = target
    return list(found.values())


Row = tuple[dict[str, Any], str | None]


def _typed(inputs: Sequence[Any], most: int) -> list[Row]:
    if not isinstance(inputs, list | tuple):
        raise Invalid("rows", 'Rows are a list of objects: [{"variable": "value"}].')
    if len(inputs) > most:
        raise Invalid("rows", f"At most {MAX_CELLS:,} cells in a run: {most} rows with these columns and repeats.")
    for index, row in enumerate(inputs):
        if not isinstance(row, Mapping):
            raise Invalid(f"rows[{index}]", 'A row is an object: {"variable": "value"}.')
        _check_row(f"rows[{index}]", row)
    _check_all(inputs)
    return [(dict(row), None) for row in inputs]


def _of_dataset(
    team: Team,
    version: Version,
    mapping: dict[str, str],
    expected_field: str,
    limit: int | None,
    wanted: list[str],
    most: int,
    by: Actor,
) -> list[Row]:
    dataset = version.asset
    require(by, Permission.ASSET_VIEW, dataset)
    gates.check_read(by, dataset)
    if dataset.kind != Asset.Kind.DATASET:
        raise Invalid("dataset", f"{dataset} is a model. Choose a dataset.")
    if dataset.team_id != team.pk:
        raise Invalid(
            "dataset", f"{dataset} belongs to another team, whose rows the members of {team.name} may not see."
        )
    if not version.is_registered:
        raise Invalid("dataset_version", f"{version} is a draft. Register it first.")
    available = datasets.count(version)
    number = min(available, limit or available)
    if not number:
        raise Invalid("dataset", f"{version} has no rows in .jsonl, .csv or .parquet files.")
    if number > most:
        raise Invalid(
            "limit", f"At most {MAX_CELLS:,} cells in a run: {most} rows with these columns and repeats, here {number}."
        )
    if bad := next((name for name, field in mapping.items() if not isinstance(field, str) or len(field) > 200), None):
        raise Invalid("mapping", f"Name a field of the dataset for '{str(bad)[:80]}'.")
    rows = list(_mapped(version, mapping, expected_field, number, wanted))
    _check_all([values for values, _ in rows])
    return rows


def _mapped(
    version: Version, mapping: dict[str, str], expected_field: str, number: int, wanted: list[str]
) -> Iterator[Row]:
    for path, place, row in datasets.located_rows(version, 0, number):
        where = f"{path}, row {place}"
        values: dict[str, Any] = {}
        for variable in wanted:
            field = mapping.get(variable) or variable
            if field in row:
                values[variable] = _clean(row[field])
            elif variable in mapping:
                there = ", ".join(list(row)[:8])
                raise Invalid("mapping", f"{where}: there is no field '{field}' for '{variable}'; it has {there}.")
        expected = None
        if expected_field:
            if expected_field not in row:
                raise Invalid("expected_field", f"{where}: there is no field '{expected_field}'.")
            given = row[expected_field]
            expected = given if isinstance(given, str) else shapes.as_text(given)
            expected = expected.replace("\0", "\ufffd")
        _check_row(where, values)
        yield values, expected


def _check_row(where: str, row: Mapping[str, Any]) -> None:
    text = shapes.as_text(row, where)
    if len(text) > MAX_ROW:
        raise Invalid("rows", f"{where}: at most {MAX_ROW:,} characters in a row, here {len(text):,}.")
    if "\\u0000" in text or "\\ud8" in text or "\\udc" in text:
        shapes.check_storable(row, where)


def _check_all(rows: Sequence[Mapping[str, Any]]) -> None:
    size = sum(len(shapes.as_text(row)) for row in rows)
    if size > MAX_ROWS_SIZE:
        raise Invalid("rows", f"At most {MAX_ROWS_SIZE:,} characters of values in a run, here {size:,}.")


def _clean(value: Any) -> Any:
    """PostgreSQL keeps no NUL characters."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
