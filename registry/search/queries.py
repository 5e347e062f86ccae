"""Asking: words, facets and order become one keyset page of assets that the actor sees.

The best fits come first: the exact name, names that begin so, words of the name, of tags and the like, of description and card; of equals the one
that changed last. Each such rank is a query of its own, by its own index, and the next is asked only where the page has room.
Only where nothing fits are the words taken for mistyped.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet, Value
from django.http import QueryDict

from accounts.errors import Invalid
from accounts.rest import Cursor, keyset_page, not_a_cursor
from registry.models import Asset
from registry.models.assets import AssetQuerySet
from registry.search.probe import Ranks, along, fitting, fittings, seen
from registry.search.words import MOST_WORDS, meant_by, words_of

MAX_TEXT = 200
_MOST = 20  # values of one facet
_IN_CARDS_FROM = 3  # letters: shorter beginnings are looked for in names, tags and the like only
# What a list is ordered by; 'best' only makes sense with words.
SORTS = {"updated": ("-updated_at", "-id"), "created": ("-id",), "name": ("name", "id")}
BEST, UPDATED = "best", "updated"


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
    """A page. `corrected`: what was taken for mistyped, and for which words."""

    rows: list[Asset]
    next: str | None
    corrected: dict[str, str] = field(default_factory=dict)


def find(rows: AssetQuerySet, query: Query, *, cursor: str = "", limit: int = 50) -> Found:
    """A page of `rows` (of one kind, those that the actor sees, with whatever the caller shows of each) that the query fits."""
    words = _words(query.text)
    if query.text.strip() and not words:
        return Found([], None)
    if not words:
        order = query.order if query.order != BEST else UPDATED
        return Found(*keyset_page(matching(rows, query), order=SORTS[order], cursor=cursor, limit=limit))
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


def matching(rows: AssetQuerySet, query: Query) -> AssetQuerySet:
    """Words and facets as filters, without ranks."""
    words, facets = _words(query.text), _facets(query)
    if words:
        column = "words" if min(map(len, words)) >= _IN_CARDS_FROM else "label_words"
        facets &= Q(**{f"{column}__matches": _tsquery(words, {})})
    if facets:
        few = fitting(facets)
        rows = rows.filter(along(facets) if few is None else Q(id__among=few))
    return narrow(rows, query)


def narrow(rows: AssetQuerySet, query: Query) -> AssetQuerySet:
    """What is chosen besides words, as filters."""
    rows = rows.filter(archived_at__isnull=not query.archived)
    if query.task:
        rows = rows.filter(task__in=query.task)
    if query.team:
        rows = rows.filter(team__name__in=query.team)
    for stage in query.stage:
        rows = rows.filter(aliases__name=stage)
    return rows


def _facets(query: Query) -> Q:
    """Those that stand in AssetSearch."""
    found = Q()
    for name in ("licence", "library", "size"):
        if chosen := getattr(query, name):
            found &= Q(**{f"{name}__in": chosen})
    if query.language:
        found &= Q(languages__overlap=list(query.language))
    if query.tag:
        found &= Q(tags__contains=[tag[:300] for tag in query.tag])
    return found


def _page(
    rows: AssetQuerySet, query: Query, words: list[str], corrected: dict[str, str], cursor: str, limit: int
) -> Found:
    if query.order != BEST:
        return Found(*keyset_page(matching(rows, query), order=SORTS[query.order], cursor=cursor, limit=limit))
    bare = narrow(rows, query).prefetch_related(None).select_related(None)
    place = _place(cursor)
    hits: list[tuple[int, int, datetime]] = []
    waiting: list[QuerySet[Asset, tuple[int, int, datetime]]] = []
    expected = 0
    # The next rank is looked for only where those before it leave room on the page.
    for number, rank, most in _ranks(query, words, corrected, rows):
        if not place or number >= place[0]:
            waiting.append(_part(bare, number, rank, place, limit))
            expected += most
        if len(hits) + expected > limit:
            hits += _together(waiting, limit + 1 - len(hits))
            waiting, expected = [], 0
            if len(hits) > limit:
                break
    hits += _together(waiting, limit + 1 - len(hits))
    more, hits = len(hits) > limit, hits[:limit]
    by_id = {asset.pk: asset for asset in rows.filter(id__among=[hit[0] for hit in hits])} if hits else {}
    following = Cursor.write([hits[-1][1], hits[-1][2], hits[-1][0]]) if more else None
    return Found([by_id[hit[0]] for hit in hits if hit[0] in by_id], following)


def _part(
    rows: AssetQuerySet, number: int, rank: Q, place: tuple[int, datetime, int] | None, limit: int
) -> QuerySet[Asset, tuple[int, int, datetime]]:
    """The hits of one rank after this place, the last changed first."""
    ranked: Any = rows.filter(rank)
    if place and number == place[0]:
        ranked = ranked.extra(where=["(registry_asset.updated_at, registry_asset.id) < (%s, %s)"], params=place[1:])
    ranked = ranked.annotate(rank=Value(number)).order_by("-updated_at", "-id")
    hits: QuerySet[Asset, tuple[int, int, datetime]] = ranked.values_list("id", "rank", "updated_at")[: limit + 1]
    return hits


def _together(
    parts: list[QuerySet[Asset, tuple[int, int, datetime]]], most: int
) -> Iterable[tuple[int, int, datetime]]:
    """The first hits of these, in their order."""
    return parts[0].union(*parts[1:], all=True)[:most] if parts and most else ()


def _ranks(
    query: Query, words: list[str], corrected: dict[str, str], rows: AssetQuerySet
) -> Iterator[tuple[int, Q, int]]:
    """Number, filter (no two have hits in common) and greatest count of each rank that may have hits, the best first. Whoever has
    enough stops asking: each is looked for when it is asked for, but for those that are found on the way."""
    asked, facets = _tsquery(words, corrected), _facets(query)
    exact, begins = _begins(query.text)
    name, labels, anywhere = (Q(**{f"{column}__matches": asked}) for column in ("name_words", "label_words", "words"))
    ranks = Ranks(facets)
    if not corrected:
        for number, (condition, ids) in enumerate(
            zip((exact, begins), fittings(facets & exact, facets & begins), strict=True)
        ):
            yield from ranks.add(number, condition, ids)
    if sum(map(len, words)) == 1:
        return  # one letter stands in nearly everything
    yield from ranks.add(2, name, fitting(facets & name))
    if min(map(len, words)) < _IN_CARDS_FROM:
        yield from ranks.add(3, labels, fitting(facets & labels))
        return
    # Words of labels stand among those of the whole: where these are few, their index is the only one that is read.
    few = fitting(facets & anywhere)
    if few is None and (visible := seen(rows)) is not None:
        # Much fits, of which the actor sees a little: it is looked for there.
        facets &= Q(asset__id__among=visible)
        few = fitting(facets & anywhere)
    new = [] if few is None else ranks.without(few)
    if few is None or new:
        among = facets if few is None else Q(asset__id__among=new)
        yield from ranks.add(3, labels, fitting(among & labels))
        yield from ranks.add(4, anywhere, few)


def _begins(text: str) -> tuple[Q, Q]:
    """The very name, and names that begin so; 'team/name' in its parts."""
    team, name = _address(text)
    within = Q(asset__team__name=team) if team else Q()
    return within & Q(name=name), within & Q(name__startswith=name)


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
        if meant:
            parts.append("(" + " | ".join(f"'{one}'" for one in meant.split()) + ")")
        else:
            # A number is meant as it stands: those that begin with it are too many to mean anything.
            parts.append(f"'{word}'" if word.isdecimal() else f"'{word}':*")
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
