"""Asking: words, facets and order become one keyset page of assets that the actor sees.

The best fits come first: the exact name, names that begin so, words of the name, of tags and the like, of description and card; of equals the one
that changed last. Each such rank is a query of its own, by its own index, and the next is asked only where the page has room.
Only where nothing fits are the words taken for mistyped.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.postgres.search import SearchVectorField
from django.db.models import Lookup, Q, Value
from django.http import QueryDict

from accounts.errors import Invalid
from accounts.rest import Cursor, keyset_page, not_a_cursor
from registry.models import Asset
from registry.models.assets import AssetQuerySet
from registry.search.words import MOST_WORDS, meant_by, words_of

MAX_TEXT = 200
_MOST = 20  # values of one facet
# What a list is ordered by; 'best' only makes sense with words.
SORTS = {"updated": ("-updated_at", "-id"), "created": ("-id",), "name": ("name", "id")}
BEST, UPDATED = "best", "updated"


@SearchVectorField.register_lookup
class Matches(Lookup):  # type: ignore[type-arg]  # generic in the stubs alone
    """A tsquery as we write it, past the parser: our words are taken as they are."""

    lookup_name = "matches"
    prepare_rhs = False

    def get_prep_lookup(self) -> Any:
        return self.rhs

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        left, parameters = self.process_lhs(compiler, connection)
        return f"{left} @@ %s::tsquery", [*parameters, self.rhs]


@dataclass(frozen=True)
class Query:
    """What is asked for. Empty fields ask for nothing; several values of one facet mean any of them."""

    text: str = ""
    task: tuple[str, ...] = ()
    licence: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    library: tuple[str, ...] = ()
    size: tuple[str, ...] = ()
    stage: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()  # each of them
    archived: bool = False
    sort: str = ""

    @classmethod
    def read(cls, given: QueryDict) -> "Query":
        """Of an address: `q` (or `search`) is the text, a facet may stand several times, `alias` is an old name of `stage`."""
        facets = {name: tuple(value for value in given.getlist(name)[:_MOST] if value)[:_MOST] for name in FACETS}
        facets["stage"] = facets["stage"] or tuple(value for value in given.getlist("alias")[:_MOST] if value)
        if "\0" in "".join(text for values in facets.values() for text in values):
            raise Invalid("q", "A filter has a NUL character in it.")
        return cls(
            text=(given.get("q") or given.get("search") or "").strip()[:MAX_TEXT],
            archived=given.get("archived", "") in ("1", "true", "yes"),
            sort=given.get("sort", ""),
            **facets,
        )

    @property
    def order(self) -> str:
        return self.sort if self.sort in SORTS or self.sort == BEST else (BEST if self.text else UPDATED)

    def narrowed(self) -> bool:
        """Does it ask for anything but everything?"""
        return any((self.text, self.archived, *(getattr(self, name) for name in FACETS)))


FACETS = ("task", "licence", "language", "library", "size", "stage", "team", "tag")


@dataclass
class Found:
    """A page. `corrected`: what was taken for mistyped, and for which words; `suggestion`: another text that finds something."""

    rows: list[Asset]
    next: str | None
    corrected: dict[str, str] = field(default_factory=dict)


def find(rows: AssetQuerySet, query: Query, *, cursor: str = "", limit: int = 50) -> Found:
    """A page of `rows` (of one kind, those that the actor sees, with whatever the caller shows of each) that the query fits."""
    rows = narrow(rows, query)
    words = _words(query.text)
    if query.text.strip() and not words:
        return Found([], None)
    if not words:
        order = query.order if query.order != BEST else UPDATED
        return Found(*keyset_page(rows, order=SORTS[order], cursor=cursor, limit=limit))
    corrected: dict[str, str] = {}
    if cursor.startswith("~"):
        # A later page of a corrected text: the same guesses are made again.
        cursor, corrected = cursor[1:], _guess(words)
    found = _page(rows, query, words, corrected, cursor, limit)
    if not found.rows and not cursor and not corrected:
        corrected = _guess(words)
        if corrected:
            found = _page(rows, query, words, corrected, "", limit)
    if corrected:
        found.corrected = {word: said.split()[0] for word, said in corrected.items()} if found.rows else {}
        found.next = f"~{found.next}" if found.next else None
    return found


def narrow(rows: AssetQuerySet, query: Query) -> AssetQuerySet:
    """The facets as filters."""
    rows = rows.filter(archived_at__isnull=not query.archived)
    if query.task:
        rows = rows.filter(task__in=query.task)
    if query.team:
        rows = rows.filter(team__name__in=query.team)
    for name, column in (("licence", "licence"), ("library", "library"), ("size", "size")):
        if chosen := getattr(query, name):
            rows = rows.filter(**{f"search__{column}__in": chosen})
    if query.language:
        rows = rows.filter(search__languages__overlap=list(query.language))
    if query.tag:
        rows = rows.filter(search__tags__contains=[tag[:300] for tag in query.tag])
    for stage in query.stage:
        rows = rows.filter(aliases__name=stage)
    return rows


def matching(rows: AssetQuerySet, query: Query) -> AssetQuerySet:
    """Facets and words together, without ranks: for counting."""
    words = _words(query.text)
    rows = narrow(rows, query)
    return rows.filter(search__words__matches=_tsquery(words, {})) if words else rows


def _page(
    rows: AssetQuerySet, query: Query, words: list[str], corrected: dict[str, str], cursor: str, limit: int
) -> Found:
    anywhere = Q(search__words__matches=_tsquery(words, corrected))
    if query.order != BEST:
        return Found(*keyset_page(rows.filter(anywhere), order=SORTS[query.order], cursor=cursor, limit=limit))
    place = _place(cursor)
    # Rank by rank in one statement: PostgreSQL begins none before the page has room for it.
    bare = rows.prefetch_related(None).select_related(None)
    parts = []
    for number, ranked in enumerate(_ranks(bare, query.text, words, corrected)):
        if place and number < place[0]:
            continue
        if place and number == place[0]:
            ranked = ranked.extra(where=["(registry_asset.updated_at, registry_asset.id) < (%s, %s)"], params=place[1:])
        part = ranked.annotate(rank=Value(number)).order_by("-updated_at", "-id")
        parts.append(part.values_list("id", "rank", "updated_at")[: limit + 1])
    hits = list(parts[0].union(*parts[1:], all=True)[: limit + 1]) if parts else []
    more, hits = len(hits) > limit, hits[:limit]
    by_id = {asset.pk: asset for asset in rows.filter(pk__in=[hit[0] for hit in hits])} if hits else {}
    following = Cursor.write([hits[-1][1], hits[-1][2], hits[-1][0]]) if more else None
    return Found([by_id[hit[0]] for hit in hits if hit[0] in by_id], following)


def _ranks(rows: AssetQuerySet, text: str, words: list[str], corrected: dict[str, str]) -> Iterator[AssetQuerySet]:
    """The hits from the best to the least, each in one of them."""
    team, name = _address(text)
    within = Q(team__name=team) if team else Q()
    exact, begins = within & Q(search__name=name), within & Q(search__name__startswith=name)
    asked = _tsquery(words, corrected)
    in_name, in_labels = Q(search__name_words__matches=asked), Q(search__label_words__matches=asked)
    anywhere = Q(search__words__matches=asked)
    if not corrected:
        yield rows.filter(exact)
        yield rows.filter(begins).exclude(exact)
        if sum(map(len, words)) == 1:
            return  # one letter stands in nearly everything
        rows = rows.exclude(begins)
    yield rows.filter(in_name)
    yield rows.filter(in_labels).exclude(in_name)
    yield rows.filter(anywhere).exclude(in_labels)


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(words_of(text[:MAX_TEXT])))[:MOST_WORDS]


def _address(text: str) -> tuple[str, str]:
    """'team/name' in its parts; a name alone has no team."""
    team, slash, name = text.strip()[:MAX_TEXT].lower().partition("/")
    return (team, name) if slash else ("", team)


def _tsquery(words: list[str], corrected: dict[str, str]) -> str:
    """All words, each as a beginning; of a mistyped one the words that may have been meant, as they are."""
    parts = []
    for word in words:
        meant = corrected.get(word)
        parts.append("(" + " | ".join(f"'{one}'" for one in meant.split()) + ")" if meant else f"'{word}':*")
    return " & ".join(parts)


def _guess(words: list[str]) -> dict[str, str]:
    """Word -> the known words that may have been meant, the nearest first."""
    return {word: " ".join(meant) for word in words if (meant := meant_by(word))}


def _place(cursor: str) -> tuple[int, datetime, int] | None:
    """Where a page of ranked hits begins: after this rank, moment and id."""
    if not cursor:
        return None
    rank, moment, number = Cursor.read(cursor, 3)
    try:
        when = datetime.fromisoformat(moment)
        if isinstance(rank, int) and isinstance(number, int) and 0 <= number < 2**63 and when.tzinfo:
            return rank, when, number
    except (TypeError, ValueError):
        pass
    raise not_a_cursor()
