"""How much fits: a few, best fetched by index, or so much that a list meets it soon by walking its own order.

PostgreSQL can't tell the two apart (of a word's beginning it has no statistics), and the wrong plan costs a hundred times the right one: so
we count first, by index and no further than MOST, and leave it no choice.
"""

from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.search import SearchVectorField
from django.db import connection
from django.db.models import BigAutoField, Lookup, Q, QuerySet

from registry.models import AssetSearch

MOST = 2_000


@SearchVectorField.register_lookup
class Matches(Lookup):  # type: ignore[type-arg]  # generic in the stubs alone
    """A tsquery as we write it, past the parser: our words are taken as they are."""

    lookup_name = "matches"
    prepare_rhs = False

    def get_prep_lookup(self) -> object:
        return self.rhs

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        left, parameters = self.process_lhs(compiler, connection)
        return f"{left} @@ %s::tsquery", [*parameters, self.rhs]


@BigAutoField.register_lookup
class Among(Lookup):  # type: ignore[type-arg]
    """`id = ANY(array)`: the array is made first, by its own index, and each of its ids is looked up."""

    lookup_name = "among"
    prepare_rhs = False

    def get_prep_lookup(self) -> object:
        return self.rhs

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        left, parameters = self.process_lhs(compiler, connection)
        right, more = self.process_rhs(compiler, connection)
        return f"{left} = ANY({right})", [*parameters, *more]


def fitting(condition: Q) -> tuple[Q, bool]:
    """A condition on AssetSearch as a filter on assets, and whether there are few. One query."""
    (found,) = fittings(condition)
    return found


def fittings(*conditions: Q) -> list[tuple[Q, bool]]:
    """The same for several, in one query."""
    sets = [AssetSearch.objects.filter(condition).values("pk") for condition in conditions]
    counts = _counted(sets)
    return [
        (Q(id__among=ArraySubquery(rows)), True) if number <= MOST else (_along(condition), False)
        for condition, rows, number in zip(conditions, sets, counts, strict=True)
    ]


def _counted(sets: list[QuerySet[AssetSearch, Any]]) -> list[int]:
    texts: list[str] = []
    values: list[Any] = []
    for rows in sets:
        text, given = rows[: MOST + 1].query.sql_with_params()
        texts.append(f"(SELECT count(*) FROM ({text}) fitting)")  # noqa: S608  made by the ORM, values apart
        values += given
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(texts)}", values)
        return list(cursor.fetchone())


def _along(condition: Q) -> Q:
    """The same condition, seen from the asset."""
    found = Q(_connector=condition.connector, _negated=condition.negated)
    children: list[Any] = list(condition.children)
    for child in children:
        found.children.append(_along(child) if isinstance(child, Q) else (f"search__{child[0]}", child[1]))
    return found
