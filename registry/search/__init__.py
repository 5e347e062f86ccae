"""Search over models and datasets: words in any order, mistyped or not, narrowed by facets, among what the actor sees."""

from registry.search.documents import refresh, refresh_by_id, refresh_many, stale
from registry.search.facets import BOUND, Facets, count
from registry.search.queries import BEST, FACETS, SORTS, UPDATED, Found, Query, find, narrow
from registry.search.words import learn

__all__ = [
    "BEST",
    "BOUND",
    "FACETS",
    "SORTS",
    "UPDATED",
    "Facets",
    "Found",
    "Query",
    "count",
    "find",
    "learn",
    "narrow",
    "refresh",
    "refresh_by_id",
    "refresh_many",
    "stale",
]
