"""Search over models and datasets: words in any order, mistyped or not, narrowed by facets, among what the actor sees."""

from registry.search.documents import refresh, refresh_many, stale
from registry.search.facets import BOUND, Facets, count
from registry.search.queries import FACETS, SORTS, Found, Query, find
from registry.search.words import learn

__all__ = [
    "BOUND",
    "FACETS",
    "SORTS",
    "Facets",
    "Found",
    "Query",
    "count",
    "find",
    "learn",
    "refresh",
    "refresh_many",
    "stale",
]
