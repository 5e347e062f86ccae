"""How much fits: a few, fetched by index, or so much that a list meets it soon by walking its own order.

PostgreSQL can't tell the two apart (of a word's beginning it has no statistics), and the wrong plan costs a hundred times the right one: so
we look first, by index and no further than MOST, and leave it no choice. What is few is kept: its index is not read a second time.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib.postgres.search import SearchVectorField
from django.db import connection
from django.db.models import Lookup, Q

from accounts import lookups  # noqa: F401  `among`
from registry.models import AssetSearch
from registry.models.assets import AssetQuerySet

MOST = 2_000
Ids = list[int] | None  # None: more than MOST


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


def fitting(condition: Q) -> Ids:
    """The assets whose AssetSearch fits, in no order. One query."""
    (found,) = fittings(condition)
    return found


def fittings(*conditions: Q) -> list[Ids]:
    """The same for several, in one query. They should not exclude each other's hits: a search for what is left of many may
    go through all of them."""
    texts: list[str] = []
    values: list[Any] = []
    for condition in conditions:
        text, given = AssetSearch.objects.filter(condition).values("pk")[: MOST + 1].query.sql_with_params()
        few = f"CASE WHEN count(*) <= {MOST} THEN coalesce(array_agg(pk), '{{}}') END"
        texts.append(f"(SELECT {few} FROM ({text}) fitting)")  # noqa: S608  made by the ORM, values apart
        values += given
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(texts)}", values)
        return list(cursor.fetchone())


def seen(rows: AssetQuerySet) -> Ids:
    """The ids of these rows. One query."""
    ids = list(rows.order_by().values_list("id", flat=True)[: MOST + 1])
    return ids if len(ids) <= MOST else None


def along(condition: Q) -> Q:
    """The same condition, seen from the asset."""
    found = Q(_connector=condition.connector, _negated=condition.negated)
    children: list[Any] = list(condition.children)
    for child in children:
        found.children.append(along(child) if isinstance(child, Q) else (f"search__{child[0]}", child[1]))
    return found


class Ranks:
    """Makes conditions on AssetSearch, given in order, into filters on assets of which none lets another one's hits pass."""

    def __init__(self, facets: Q) -> None:
        self._facets = facets
        self._ids: set[int] = set()
        self._many: list[Q] = []

    def without(self, ids: Iterable[int]) -> list[int]:
        """Those of the ids that no condition so far brought up."""
        return sorted(set(ids) - self._ids)

    def add(self, number: int, condition: Q, ids: Ids) -> list[tuple[int, Q, int]]:
        """The next one's number, filter and greatest count, if it has hits of its own. `ids`: what fits it and the facets."""
        if ids is None:
            found, most = along(self._facets & condition), MOST + 1
            if self._ids:
                found &= ~Q(id__among=sorted(self._ids))
        else:
            own = self.without(ids)
            found, most = Q(id__among=own), len(own)
        for other in self._many:
            found &= ~along(other)
        if ids is None:
            self._many.append(condition)
        else:
            self._ids.update(ids)
        return [(number, found, most)] if most else []
