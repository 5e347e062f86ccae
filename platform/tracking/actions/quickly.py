"""What `start_run` and `log_batch` do, each for a key and in one statement: who asks, what they may, the change and its event. Whatever
is not in order is left to the ordinary way, which says what is wrong; tests hold the two against each other."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache

from django.db import connection

from accounts import quick
from accounts.quick import Caller
from accounts.roles import Permission
from governance.ledger.actions import Action, inserted_from
from tracking.actions.common import MAX_KEYS, MAX_PARAMETER, MAX_TAG, check_pairs
from tracking.actions.reports import KEEP, SIGN_OF_LIFE, Point, check_points, columns_of
from tracking.actions.runs import NAME_TAG, new_run
from tracking.models import Experiment, Run

_MAY = (Permission.ASSET_VIEW, Permission.RUN_CREATE)
_RUN = """JOIN tracking_run r ON r.team_id = t.id AND r.uuid = %(uuid)s::text AND r.deleted_at IS NULL
    AND (r.open_ended OR r.state IN ('queued', 'running'))"""
_EXPERIMENT = """JOIN tracking_experiment e ON e.team_id = t.id AND e.deleted_at IS NULL
    AND CASE WHEN %(experiment)s::bigint = 0 THEN e.is_default ELSE e.id = %(experiment)s::bigint END"""
_COMPUTED = {"team_id": "allowed.team_id", "experiment_id": "allowed.experiment_id", "created_by_id": "allowed.user_id"}
# A parameter that has another value already is refused, and with it everything else.
_PAIRS = f"""UPDATE tracking_run r SET parameters = %(parameters)s::jsonb || r.parameters, tags = r.tags || %(tags)s::jsonb,
        heartbeat_at = statement_timestamp()
    FROM allowed WHERE r.id = allowed.run_id AND r.deleted_at IS NULL
        AND NOT EXISTS (SELECT FROM jsonb_each(%(parameters)s::jsonb) given WHERE r.parameters -> given.key <> given.value)
        AND (SELECT count(*) FROM jsonb_object_keys(%(parameters)s::jsonb || r.parameters)) <= {MAX_KEYS}
    RETURNING r.id AS run_id"""  # noqa: S608  constants of ours
_LIFE = f"""UPDATE tracking_run r SET heartbeat_at = statement_timestamp() FROM run
    WHERE r.id = run.run_id AND r.heartbeat_at < statement_timestamp() - interval '{SIGN_OF_LIFE.seconds} seconds'"""  # noqa: S608


@cache
def _logging(*, pairs: bool, metrics: bool) -> str:
    allowed = quick.reached(*_MAY, joins=_RUN, columns="r.id AS run_id", covers=quick.WHOLE_TEAM)
    run = _PAIRS if pairs else "SELECT run_id FROM allowed"
    parts = [f"allowed AS MATERIALIZED ({allowed})", f"run AS ({run})"]
    if metrics:
        parts += [KEEP, *([] if pairs else [f"life AS ({_LIFE})"])]
    return f"WITH {', '.join(parts)} SELECT 1 FROM run"  # noqa: S608  SQL of ours


def log_batch(
    caller: Caller, *, uuid: str, metrics: Sequence[Point] = (), parameters: Mapping[str, str], tags: Mapping[str, str]
) -> bool:
    """Report to a run of the key's team; False where the ordinary way has to say what is wrong, or has more to do."""
    if NAME_TAG in tags or any(point.model_id for point in metrics) or not (metrics or parameters or tags):
        return False
    check_pairs("params", parameters, MAX_PARAMETER)
    check_pairs("tags", tags, MAX_TAG)
    check_points(metrics)
    pairs = bool(parameters or tags)
    values = caller.values | {"uuid": uuid, "scopes": quick.scopes_for(*_MAY)}
    if pairs:
        values |= {"parameters": json.dumps(dict(parameters)), "tags": json.dumps(dict(tags))}
    if metrics:
        values |= columns_of(metrics)
    return quick.fetch(_logging(pairs=pairs, metrics=bool(metrics)), values) is not None


@cache
def _starting() -> str:
    types = {
        str(field.column): str(field.db_type(connection))
        for field in Run._meta.concrete_fields
        if not field.primary_key
    }
    columns = ", ".join(f'"{name}"' for name in types)
    given = ", ".join(
        _COMPUTED.get(name, f"%({name})s::{'text' if kind.startswith('varchar') else kind}")
        for name, kind in types.items()
    )
    allowed = quick.reached(
        *_MAY, joins=_EXPERIMENT, columns="e.id AS experiment_id, e.is_default, e.name AS experiment", covers=quick.WHOLE_TEAM
    )  # fmt: skip
    event = inserted_from(
        "done", **quick.event_of("done"), action=f"'{Action.RUN_CREATED.value}'", target_kind="'run'",
        target_id="done.run_id::text", target_digest="''", subjects="ARRAY['run:' || done.run_id]",
        target_label="left(%(name)s::text, 300)", before="NULL::jsonb",
        after="%(after)s::jsonb || jsonb_build_object('experiment', done.experiment)",
    )  # fmt: skip
    return f"""
WITH allowed AS MATERIALIZED ({allowed}), made AS (
    INSERT INTO tracking_run ({columns}) SELECT {given} FROM allowed RETURNING id AS run_id
), done AS MATERIALIZED (SELECT allowed.*, made.run_id FROM allowed JOIN made ON true), {event}
SELECT run_id, experiment_id, is_default FROM done
"""  # noqa: S608  names and constants of ours


def start_run(
    caller: Caller, *, experiment: int, name: str, started_at: datetime | None, tags: Mapping[str, str], user_name: str
) -> Run | None:
    """A run of a client in an experiment of the key's team (0: its default one), with an experiment of which only the address is
    filled in; None where the ordinary way has to say what is wrong."""
    run = new_run(name=name, started_at=started_at, tags=tags, user_name=user_name)
    fields = {
        str(field.column): field.get_db_prep_save(getattr(run, field.attname), connection)
        for field in Run._meta.concrete_fields
        if not field.primary_key and field.column not in _COMPUTED
    }
    after = {"kind": run.kind, "state": run.state, "run_id": run.uuid}
    values = fields | caller.values | {
        "experiment": experiment, "scopes": quick.scopes_for(*_MAY), "after": json.dumps(after),
    }  # fmt: skip
    row = quick.fetch(_starting(), values)
    if row is None:
        return None
    run.pk, run.experiment = row[0], Experiment(pk=row[1], is_default=row[2])
    return run
