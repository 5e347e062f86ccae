"""Asking: words, facets and order become one keyset page of assets that the actor sees.

The best fits come first: the exact name, names that begin so, words of the name, of tags and the like, of description and card; of equals the one
that changed last. Each such rank is a query of its own, by its own index, and the next is asked only where the page has room.
Only where nothing fits are the words taken for mistyped.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.contrib.postgres.search import SearchVectorField
from django.db.models import Lookup, Q
from django.http import QueryDict

from accounts.access import Actor
from accounts.errors import Invalid
from accounts.rest import keyset_page, not_a_cursor
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


def find(by: Actor, kind: str, query: Query, *, rows: AssetQuerySet, cursor: str = "", limit: int = 50) -> Found:
    """A page of `rows` (assets of that kind, with whatever the caller shows of each) that the actor sees and the query fits."""
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
    ranks = _ranks(rows, query.text, words, corrected)
    rank, inner = _place(cursor, len(ranks))
    found: list[Asset] = []
    while rank < len(ranks):
        more, following = keyset_page(ranks[rank](), order=SORTS[UPDATED], cursor=inner, limit=limit - len(found))
        found += more
        if following:
            return Found(found, f"{rank}.{following}")
        rank, inner = rank + 1, ""
        if len(found) == limit and rank < len(ranks):
            # Full, and the next rank has not been asked: a page more is offered only where it has something.
            left = any(ask()[:1] for ask in ranks[rank:])
            return Found(found, f"{rank}." if left else None)
    return Found(found, None)


def _ranks(
    rows: AssetQuerySet, text: str, words: list[str], corrected: dict[str, str]
) -> list[Callable[[], AssetQuerySet]]:
    team, name = _address(text)
    within = Q(team__name=team) if team else Q()
    exact, begins = within & Q(search__name=name), within & Q(search__name__startswith=name)
    in_name, in_tags, anywhere = (
        Q(search__words__matches=_tsquery(words, corrected, weights=weights)) for weights in ("A", "AB", "")
    )
    if corrected:
        return [lambda: rows.filter(in_tags), lambda: rows.filter(anywhere).exclude(in_tags)]
    ranks = [lambda: rows.filter(exact), lambda: rows.filter(begins).exclude(exact)]
    if sum(map(len, words)) > 1:  # one letter stands in nearly everything
        ranks += [
            lambda: rows.filter(in_name).exclude(begins),
            lambda: rows.filter(in_tags).exclude(in_name).exclude(begins),
            lambda: rows.filter(anywhere).exclude(in_tags).exclude(begins),
        ]
    return ranks


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(words_of(text[:MAX_TEXT])))[:MOST_WORDS]


def _address(text: str) -> tuple[str, str]:
    """'team/name' in its parts; a name alone has no team."""
    team, slash, name = text.strip()[:MAX_TEXT].lower().partition("/")
    return (team, name) if slash else ("", team)


def _tsquery(words: list[str], corrected: dict[str, str], *, weights: str = "") -> str:
    """All words, each as a beginning; of a mistyped one the words that may have been meant, as they are."""
    parts = []
    for word in words:
        if meant := corrected.get(word):
            parts.append(
                "(" + " | ".join(f"'{one}'" + (f":{weights}" if weights else "") for one in meant.split()) + ")"
            )
        else:
            parts.append(f"'{word}':*{weights}")
    return " & ".join(parts)


def _guess(words: list[str]) -> dict[str, str]:
    """Word -> the known words that may have been meant, the nearest first."""
    return {word: " ".join(meant) for word in words if (meant := meant_by(word))}


def _place(cursor: str, ranks: int) -> tuple[int, str]:
    """Where a page of ranked hits begins: in which rank, and where in it."""
    if not cursor:
        return 0, ""
    rank, dot, inner = cursor.partition(".")
    if not dot or not rank.isdecimal() or len(rank) > 1 or int(rank) >= ranks:
        raise not_a_cursor()
    return int(rank), inner
