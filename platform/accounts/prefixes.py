"""Lists seen through grants on prefixes of names: a filter whose cost does not grow with the table or the number of grants."""

from collections.abc import Collection
from typing import Any

from django.db import connection
from django.db.models import CharField, F, Model, Q, Value
from django.db.models.functions import Cast, Concat, Left
from django.db.models.lookups import In

from accounts import lookups  # noqa: F401  `among`

# Up to so many, the rows behind the prefixes are looked up first and named by id: a list then costs the same however large the
# table is. Beyond, they are so many that a list finds them soon by walking its own index and testing each row.
MOST_IDS = 2_000
Prefix = tuple[int, str, str]  # team, kind ('' : every), prefix

# Index ranges over (team, name): text in byte order, up to the last letter that there is.
_FIND = """
SELECT a.id FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS g(team, kind, prefix)
CROSS JOIN LATERAL (
    SELECT id FROM {table} a
    WHERE a.team_id = g.team AND a.name ~>=~ g.prefix AND a.name ~<~ (g.prefix || chr(1114111)) {kind} LIMIT {most}
) a LIMIT {most}
"""


def names_filter(model: type[Model], prefixes: Collection[Prefix], single: Collection[int]) -> Q | None:
    """The rows named singly or by a prefix; None when nothing is named."""
    has_kind = any(field.name == "kind" for field in model._meta.get_fields())
    if not has_kind:
        own = str(model._meta.model_name)
        prefixes = {(team, "", prefix) for team, kind, prefix in prefixes if kind in ("", own)}
    else:
        prefixes = {one for one in prefixes if one[1] in ("", "model", "dataset")}
    found = Q(pk__among=sorted(single)) if single else None
    if not prefixes:
        return found
    ids = _ids(model, shortest(prefixes), has_kind)
    if ids is not None:
        both = sorted({*single, *ids})
        return Q(pk__among=both) if both else None
    named = _by_name(shortest(prefixes))
    return named if found is None else found | named


def shortest(prefixes: Collection[Prefix]) -> list[Prefix]:
    """Without those that another one covers."""
    kept: set[Prefix] = set()
    for team, kind, prefix in sorted(prefixes, key=lambda one: (len(one[2]), one[1])):
        shorter = (prefix[:length] for length in range(1, len(prefix) + 1))
        if not any((team, any_kind, part) in kept for part in shorter for any_kind in {"", kind}):
            kept.add((team, kind, prefix))
    return sorted(kept)


def _ids(model: type[Model], prefixes: list[Prefix], has_kind: bool) -> list[int] | None:
    """The rows' ids; None when there are more than MOST_IDS."""
    statement = _FIND.format(
        table=connection.ops.quote_name(model._meta.db_table),
        kind="AND g.kind IN ('', a.kind)" if has_kind else "",
        most=MOST_IDS + 1,
    )
    columns: list[Any] = [list(column) for column in zip(*prefixes, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(statement, columns)
        ids = [row[0] for row in cursor.fetchall()]
    return ids if len(ids) <= MOST_IDS else None


def _by_name(prefixes: list[Prefix]) -> Q:
    """The beginning of each name, looked up in one set per length: PostgreSQL hashes it."""
    sets: dict[tuple[int, bool], list[str]] = {}
    for number, narrow, prefix in prefixes:
        sets.setdefault((len(prefix), bool(narrow)), []).append(f"{number}/{narrow}/{prefix}")
    found = Q()
    for (length, with_kind), names in sets.items():
        kind = F("kind") if with_kind else Value("")
        team = Cast(F("team_id"), CharField())
        written = Concat(team, Value("/"), kind, Value("/"), Left("name", length), output_field=CharField())
        found |= Q(In(written, names))
    return found
