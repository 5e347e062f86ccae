"""Searching prompts: words in any order, as beginnings, in names and tags first and in descriptions and texts after them; mistyped
ones are guessed where nothing fits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.rest import keyset_page, not_a_cursor
from accounts.words import (
    LONGEST,
    MOST_NEAR,
    MOST_WORDS,
    depths,
    nearest,
    shorter,
    words_of,
    words_of_name,
    worth_knowing,
)
from prompts.models import MAIN, Prompt, PromptSearch, PromptTag, PromptVersion, PromptWord

MAX_TEXT = 200
SORTS = {"updated": ("-updated_at", "-id"), "created": ("-id",), "name": ("name", "id")}
BEST = "best"
# Up to so many hits are named by id: their list is made by the index of words, however large the table is. More than that a list
# meets soon by walking its own order.
_FEW = 2_000
_CHARACTERS, _WORDS = 40_000, 800
_UPSERT = """
INSERT INTO prompts_promptsearch (prompt_id, name_words, words, refreshed_at) VALUES (%s, %s::tsvector, %s::tsvector, %s)
ON CONFLICT (prompt_id) DO UPDATE SET name_words = excluded.name_words, words = excluded.words, refreshed_at = excluded.refreshed_at
"""


@dataclass
class Found:
    """A page. `corrected`: what was taken for mistyped, and for which word."""

    rows: list[Prompt]
    next: str | None
    corrected: dict[str, str] = field(default_factory=dict)


def refresh(prompt: Prompt) -> None:
    """Write what search knows of this prompt anew. Called in the transaction of a change to its name, description, tags or text."""
    newest = prompt.versions.filter(branch=MAIN, deleted_at=None).first()
    tags = list(PromptTag.objects.filter(prompt=prompt).values_list("key", "value")[:1_000])
    words = _write([(prompt, newest, tags)])
    # Not in the transaction: whoever learns the same words would wait until its end.
    transaction.on_commit(partial(learn, words), robust=True)


def refresh_many(prompts: Iterable[Prompt]) -> int:
    """The same for many, past the actions. How many."""
    left, done = iter(prompts), 0
    while batch := list(islice(left, 500)):
        rows = PromptVersion.objects.filter(prompt__in=batch, branch=MAIN, deleted_at=None)
        newest = {version.prompt_id: version for version in rows.order_by("prompt", "-number").distinct("prompt")}
        tags: dict[int, list[tuple[str, str]]] = {}
        for prompt_id, key, value in PromptTag.objects.filter(prompt__in=batch).values_list(
            "prompt_id", "key", "value"
        ):
            tags.setdefault(prompt_id, []).append((key, value))
        learn(_write([(prompt, newest.get(prompt.pk), tags.get(prompt.pk, [])) for prompt in batch]))
        done += len(batch)
    return done


def _write(rows: Sequence[tuple[Prompt, PromptVersion | None, Sequence[tuple[str, str]]]]) -> set[str]:
    values, learned = [], set()
    for prompt, newest, tags in rows:
        said = " ".join(f"{key} {value[:100]}" for key, value in tags)
        name = {*words_of_name(prompt.name), *words_of(said)}
        text = "\n".join(_contents(newest))[:_CHARACTERS] if newest else ""
        words = name | set(words_of(prompt.description)) | set(islice(dict.fromkeys(words_of(text)), _WORDS))
        values.append((prompt.pk, _vector(name), _vector(words), timezone.now()))
        learned |= words
    with connection.cursor() as cursor:
        cursor.executemany(_UPSERT, values)
    return learned


def _contents(version: PromptVersion) -> list[str]:
    """The texts of a version's messages, of whatever parts they are made."""
    found: list[str] = []
    left: list[Any] = [version.template]
    while left:
        value = left.pop(0)
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, list):
            left = [*value, *left]
        elif isinstance(value, dict):
            left = [value[key] for key in ("content", "text") if key in value] + left
    return found


def _vector(words: set[str]) -> str:
    """A tsvector as text. Words are letters and digits, so that nothing needs quoting."""
    return " ".join(f"'{word}'" for word in words)


def learn(words: Iterable[str]) -> None:
    """Keep words for those who will mistype them."""
    worth = worth_knowing(set(words))
    known = set(PromptWord.objects.filter(word__in=worth).values_list("word", flat=True))
    rows = [PromptWord(word=word, near=sorted(shorter(word, 1))) for word in worth if word not in known]
    PromptWord.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)


def meant_by(word: str, *, most: int = 5) -> list[str]:
    """Known words that somebody may have meant, the nearest first. By index."""
    for depth in depths(word):
        rows = PromptWord.objects.filter(near__overlap=sorted(shorter(word[:LONGEST], depth)))
        if meant := nearest(word, rows.values_list("word", flat=True)[:MOST_NEAR].iterator(), depth):
            return meant[:most]
    return []


def find(rows: QuerySet[Prompt], text: str, *, sort: str = "", cursor: str = "", limit: int = 50) -> Found:
    """A page of `rows` that fit the text, names and tags first (sort 'best'), or in another order of SORTS."""
    words = list(dict.fromkeys(words_of(text[:MAX_TEXT])))[:MOST_WORDS]
    order = sort if sort in SORTS or (sort == BEST and words) else (BEST if words else "updated")
    if not words:
        if text.strip():
            return Found([], None)
        return Found(*keyset_page(rows, order=SORTS[order], cursor=cursor, limit=limit))
    again = cursor.startswith("~")  # a later page of a corrected text: the same guesses are made again
    meant = _guess(words) if again else {}
    found = _page(rows, words, meant, order, cursor.removeprefix("~"), limit)
    if not found.rows and not cursor and (meant := _guess(words)):
        found = _page(rows, words, meant, order, "", limit)
    if meant and found.rows:
        found.corrected = {word: known[0] for word, known in meant.items()}
        found.next = f"~{found.next}" if found.next else None
    return found


def _guess(words: list[str]) -> dict[str, list[str]]:
    return {word: meant for word in words if (meant := meant_by(word))}


def _page(
    rows: QuerySet[Prompt], words: list[str], meant: dict[str, list[str]], order: str, cursor: str, limit: int
) -> Found:
    asked = _tsquery(words, meant)
    if order != BEST:
        return Found(*keyset_page(_fitting(rows, "words", asked), order=SORTS[order], cursor=cursor, limit=limit))
    rank, _, place = cursor.partition(":") if cursor else ("0", "", "")
    if rank not in ("0", "1") or len(rank) != 1:
        raise not_a_cursor()
    found: list[Prompt] = []
    for number in range(int(rank), 2):
        part = _fitting(rows, "name_words", asked) if number == 0 else _fitting(rows, "words", asked, besides=True)
        more, following = keyset_page(part, order=SORTS["updated"], cursor=place, limit=limit - len(found))
        found, place = found + more, ""
        if following is not None:
            return Found(found, f"{number}:{following}")
        if len(found) >= limit:
            # Full to the brim: whatever comes begins with the next rank.
            return Found(found, f"{number + 1}:" if number == 0 else None)
    return Found(found, None)


def _fitting(rows: QuerySet[Prompt], column: str, asked: str, *, besides: bool = False) -> QuerySet[Prompt]:
    """The rows whose words fit; besides: those alone that fit by other words than their name's."""
    fits = "{0} @@ %s::tsquery" + (" AND NOT name_words @@ %s::tsquery" if besides else "")
    values = [asked, asked] if besides else [asked]
    hits = PromptSearch.objects.extra(where=[fits.format(column)], params=values)  # noqa: S610  the column is ours
    few = list(hits.order_by().values_list("pk", flat=True)[: _FEW + 1])
    if len(few) <= _FEW:
        return rows.filter(pk__in=few)
    named = fits.replace("name_words", "prompts_promptsearch.name_words").format(f"prompts_promptsearch.{column}")
    return rows.filter(search__isnull=False).extra(  # noqa: S610  as above; the join is the ORM's
        where=[named], params=values
    )


def _tsquery(words: list[str], meant: dict[str, list[str]]) -> str:
    """All words, each as a beginning; of a mistyped one the words that may have been meant, as they are."""
    parts = []
    for word in words:
        if known := meant.get(word):
            parts.append("(" + " | ".join(f"'{one}'" for one in known) + ")")
        else:
            parts.append(f"'{word}'" if word.isdecimal() else f"'{word}':*")
    return " & ".join(parts)


def narrow(
    rows: QuerySet[Prompt], *, folder: str | None = None, below: bool = False, label: str = "", tags: Sequence[str] = (),
    archived: bool = False,
) -> QuerySet[Prompt]:  # fmt: skip
    """What is chosen besides words. folder: those in it ('' is the top), with `below` also in the folders in it; a tag is a key, or
    key:value; archived: those alone, which are left out otherwise."""
    rows = rows.filter(archived_at__isnull=not archived)
    if folder is not None and not below:
        rows = rows.filter(folder=folder)
    elif folder:
        # '0' follows '/': what begins with 'folder/' is one range of the index, since text is in byte order.
        rows = rows.filter(name__gt=f"{folder}/", name__lt=f"{folder}0")
    if label:
        rows = rows.filter(labels__name=label)
    for tag in tags[:10]:
        key, colon, value = tag.partition(":")
        having = PromptTag.objects.filter(Q(key=tag) | (Q(key=key, value=value) if colon else Q(pk__in=[])))
        rows = rows.filter(pk__in=having.order_by().values("prompt"))
    return rows


__all__ = ["BEST", "SORTS", "Found", "find", "learn", "meant_by", "narrow", "refresh", "refresh_many"]
