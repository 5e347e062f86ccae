"""What search knows of an asset: written in the transaction of the change, and mended behind it by a task."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts import quick
from registry.models import Asset, AssetTag, Version
from registry.search.sizes import size_class
from registry.search.words import learn, words_of, words_of_name

_CARD_CHARACTERS, _CARD_WORDS, _MOST = 40_000, 800, 50
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_COLUMNS = (
    "asset_id", "words", "name_words", "label_words", "name", "licence", "languages", "library", "architecture", "size", "tags",
    "refreshed_at",
)  # fmt: skip
_UPSERT = """
INSERT INTO registry_assetsearch (asset_id, words, name_words, label_words, name, licence, languages, library, architecture, size, tags, refreshed_at)
VALUES (%(asset_id)s, %(words)s::tsvector, %(name_words)s::tsvector, %(label_words)s::tsvector, %(name)s, %(licence)s, %(languages)s,
    %(library)s, %(architecture)s, %(size)s, %(tags)s, coalesce(%(refreshed_at)s, clock_timestamp()))
ON CONFLICT (asset_id) DO UPDATE SET words = excluded.words, name_words = excluded.name_words,
    label_words = excluded.label_words, name = excluded.name, licence = excluded.licence,
    languages = excluded.languages, library = excluded.library, architecture = excluded.architecture, size = excluded.size,
    tags = excluded.tags, refreshed_at = excluded.refreshed_at
WHERE registry_assetsearch.refreshed_at <= excluded.refreshed_at
RETURNING asset_id
"""
_KNOWN = """
SELECT a.name, a.kind, a.task, a.description, v.facts::text, v.card, v.number,
    (SELECT json_agg(json_build_array(t.key, t.value))::text
     FROM (SELECT key, value FROM registry_assettag WHERE asset_id = a.id ORDER BY key LIMIT 1000) t)
FROM registry_asset a LEFT JOIN LATERAL (
    SELECT facts, card, number FROM registry_version
    WHERE asset_id = a.id AND state = 'registered' AND deleted_at IS NULL ORDER BY number DESC LIMIT 1
) v ON true WHERE a.id = %(id)s::bigint
"""


def refresh(asset: Asset) -> None:
    """Write what search knows of this asset anew. Called in the transaction of a change to its name, description, tags or versions."""
    refresh_by_id(asset.pk)


def refresh_by_id(pk: int) -> None:
    """The same, in two statements that stay prepared: tags are written often."""
    row = quick.fetch(_KNOWN, {"id": pk})
    if row is None:
        return
    name, kind, task, description, facts, card, number, tags = row
    version = Version(facts=json.loads(facts), card=card, number=number) if number is not None else None
    asset = Asset(pk=pk, name=name, kind=kind, task=task, description=description)
    values, words = _row(asset, version, json.loads(tags) if tags else [])
    quick.fetch(_UPSERT, dict(zip(_COLUMNS, (*values, None), strict=True)))
    # Not in the transaction: whoever learns the same words would wait until its end.
    transaction.on_commit(partial(learn, words), robust=True)


def refresh_many(ids: Iterable[int]) -> int:
    """The same for many, some hundreds at a time: for what came in past the actions. How many."""
    left, done = iter(ids), 0
    while batch := list(islice(left, 500)):
        # No asset is locked: what an action writes from here on is newer, and stays.
        started = timezone.now()
        tags: dict[int, list[tuple[str, str]]] = {}
        for asset_id, key, value in AssetTag.objects.filter(asset__in=batch).values_list("asset_id", "key", "value"):
            tags.setdefault(asset_id, []).append((key, value))
        latest = _latest(batch)
        rows: list[dict[str, Any]] = []
        words: set[str] = set()
        for asset in Asset.objects.filter(pk__in=batch).order_by("pk"):
            values, said = _row(asset, latest.get(asset.pk), tags.get(asset.pk, []))
            rows.append(dict(zip(_COLUMNS, (*values, started), strict=True)))
            words |= said
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(_UPSERT, rows)
        learn(words)
        done += len(rows)
    return done


def stale(*, within: timedelta | None = None) -> Iterator[int]:
    """The assets that changed after search last looked at them, or that it has never seen; `within`: those that changed lately."""
    rows = Asset.objects.filter(deleted_at=None, kind__in=Asset.Kind.values)
    if within is not None:
        rows = rows.filter(updated_at__gt=timezone.now() - within)
    rows = rows.filter(Q(search=None) | Q(search__refreshed_at__lt=F("updated_at")))
    return rows.values_list("pk", flat=True).iterator(chunk_size=1_000)


def _latest(ids: list[int]) -> dict[int, Version]:
    rows = Version.objects.registered().filter(asset__in=ids, deleted_at=None).order_by("asset", "-number")
    return {version.asset_id: version for version in rows.distinct("asset").only("asset_id", "facts", "card", "number")}


def _row(asset: Asset, version: Version | None, tags: list[tuple[str, str]]) -> tuple[tuple[Any, ...], set[str]]:
    """The columns but the last, and the words."""
    facts: dict[str, Any] = version.facts if version else {}
    front = facts.get("card") if isinstance(facts.get("card"), dict) else {}
    assert isinstance(front, dict)
    licence = _first(_names(front, "license", "licence")).lower()
    languages = [language.lower()[:35] for language in _names(front, "language", "languages")]
    library = (_first(_names(front, "library_name")) or str(facts.get("library") or "")).lower()
    architecture = str(facts.get("architecture") or "")
    written = [tag[:300] for key, value in tags for tag in ((key, f"{key}:{value}") if value else (key,))]
    carded = [tag[:300] for tag in _names(front, "tags")]
    said = [
        asset.task, architecture, library, licence, *languages, *carded, *_names(front, "base_model", "datasets"),
        *(f"{key} {value[:100]}" for key, value in tags),
    ]  # fmt: skip
    body = _FRONT_MATTER.sub("", version.card[:_CARD_CHARACTERS]) if version else ""
    name = set(words_of_name(asset.name))
    labels = name | {word for text in said for word in (*words_of(text), *words_of_name(text))}
    words = labels | set(words_of(asset.description)) | set(islice(dict.fromkeys(words_of(body)), _CARD_WORDS))
    values = (
        asset.pk, _vector(words), _vector(name), _vector(labels), asset.name.lower(), licence[:100], sorted(set(languages)),
        library[:60], architecture[:100], size_class(asset.kind, facts), sorted({*written, *carded}),
    )  # fmt: skip
    return values, words


def _vector(words: set[str]) -> str:
    """A tsvector as text. Words are letters and digits, so that nothing needs quoting."""
    return " ".join(f"'{word}'" for word in words)


def _names(front: dict[str, Any], *keys: str) -> list[str]:
    """What the front matter says under one of these keys: a text, or a list of them."""
    found: list[str] = []
    for key in keys:
        value = front.get(key)
        items = value if isinstance(value, list) else [value]
        found += (item.strip().replace("\0", "") for item in items[:_MOST] if isinstance(item, str) and item.strip())
    return found


def _first(names: list[str]) -> str:
    return names[0] if names else ""
