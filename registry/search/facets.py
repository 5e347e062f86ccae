"""How many of what was found there are of each licence, language, size …: exact up to a bound."""

from collections import Counter
from dataclasses import dataclass

from accounts.models import Team
from governance.stages import Stage
from registry.models import Alias
from registry.models.assets import AssetQuerySet
from registry.search.queries import Query, matching
from registry.search.sizes import TITLES

BOUND = 1_000
_VALUES = 12  # of each facet, the most frequent


@dataclass(frozen=True)
class Value:
    value: str
    title: str
    count: int


@dataclass(frozen=True)
class Facets:
    """`total` and the counts are exact unless there are `more`: then they are of the first BOUND."""

    total: int
    more: bool
    values: dict[str, list[Value]]


def count(rows: AssetQuerySet, query: Query) -> Facets:
    """Of `rows` (of one kind, that the actor sees). Three queries, whatever there is."""
    fitting = matching(rows, query)
    table = list(
        fitting.order_by().values_list(
            "id", "team_id", "task", "search__licence", "search__languages", "search__library", "search__size", "search__tags"
        )[: BOUND + 1]
    )  # fmt: skip
    more, table = len(table) > BOUND, table[:BOUND]
    counters: dict[str, Counter[str]] = {
        name: Counter() for name in ("task", "licence", "language", "library", "size", "stage", "team", "tag")
    }
    teams: Counter[int] = Counter()
    for _, team, task, licence, languages, library, size, tags in table:
        teams[team] += 1
        for name, value in (("task", task), ("licence", licence), ("library", library), ("size", size)):
            if value:
                counters[name][value] += 1
        counters["language"].update(languages or ())
        tags = tags or []
        # Of a tag with a value the key alone would say the same twice.
        keyed = {tag.partition(":")[0] for tag in tags if ":" in tag}
        counters["tag"].update(tag for tag in tags if tag not in keyed)
    stages = Alias.objects.filter(asset__in=[row[0] for row in table], name__in=[stage.value for stage in Stage])
    counters["stage"].update(stages.values_list("name", flat=True))
    names = dict(Team.objects.filter(pk__in=teams).values_list("pk", "name"))
    counters["team"] = Counter({names[team]: number for team, number in teams.items()})
    return Facets(
        len(table),
        more,
        {name: [_value(name, *one) for one in some.most_common(_VALUES)] for name, some in counters.items()},
    )


def _value(facet: str, value: str, number: int) -> Value:
    return Value(value, TITLES.get(value, value) if facet == "size" else value, number)
