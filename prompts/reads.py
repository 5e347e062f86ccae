"""Fetching through permission: what the caller may not see is not there."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from django.db import connection
from django.db.models import F, Prefetch, QuerySet

from accounts.access import Actor, visible
from accounts.errors import NotFound
from accounts.roles import Permission
from prompts.checks import LATEST
from prompts.models import MAIN, Label, LabelMove, Prompt, PromptVersion


def list_prompts(by: Actor) -> QuerySet[Prompt]:
    """The prompts that the actor sees, with what a list shows; two queries for a page, however many there are."""
    labels = Label.objects.select_related("version").only("name", "prompt_id", "version__number").order_by("name")
    return (
        Prompt.objects.visible_to(by)
        .select_related("team", "updated_by")
        .prefetch_related(Prefetch("labels", queryset=labels), "tags")
    )


def get_prompt(by: Actor, address: str) -> Prompt:
    """The prompt at 'team/name'."""
    team, _, name = address.partition("/")
    prompt = (
        Prompt.objects.visible_to(by)
        .select_related("team", "created_by", "updated_by")
        .filter(team__name=team, name=name)
        .first()
    )
    if prompt is None:
        raise NotFound(f"There is no prompt '{address}' that you can see.")
    return prompt


class Lent(Protocol):
    """A row with rendered messages. borrowed: the prompts of other teams that are in them; withheld: they were taken out."""

    borrowed: list[int]
    messages: list[dict[str, Any]]
    withheld: bool


def unseen(by: Actor, prompts: Iterable[int]) -> set[int]:
    """Those of the prompts that the actor doesn't see. No query for none."""
    asked = set(prompts)
    return (
        asked.difference(Prompt.objects.visible_to(by).filter(pk__in=asked).values_list("pk", flat=True))
        if asked
        else asked
    )


def withhold(by: Actor, rows: Sequence[Lent]) -> None:
    """Take out the messages in which there is text of prompts that the actor doesn't see, as rendering would refuse it to them."""
    hidden = unseen(by, (pk for row in rows for pk in row.borrowed))
    for row in rows:
        if not hidden.isdisjoint(row.borrowed):
            row.messages, row.withheld = [], True


def get_version(by: Actor, prompt: Prompt, number: int) -> PromptVersion:
    """A version of a prompt that the actor sees already."""
    version = (
        prompt.versions.select_related("created_by", "parent", "merged").filter(number=number, deleted_at=None).first()
        if number <= 2**31 - 1
        else None
    )
    if version is None:
        raise NotFound(f"{prompt} has no version {number}.")
    version.prompt = prompt
    return version


def resolve_label(by: Actor, address: str, label: str) -> PromptVersion:
    """The version that a label points at ('latest': the newest on main), in one statement. NotFound says which part is missing."""
    team, _, name = address.partition("/")
    visible = Prompt.objects.visible_to(by).filter(team__name=team, name=name)
    rows = PromptVersion.objects.select_related("prompt__team", "created_by").filter(
        prompt__in=visible, deleted_at=None
    )
    version = (
        rows.filter(branch=MAIN).order_by("-number") if label == LATEST else rows.filter(labels__name=label)
    ).first()
    if version is None:
        prompt = get_prompt(by, address)
        if label == LATEST:
            raise NotFound(f"{prompt} has no version yet.")
        raise NotFound(f"{prompt} has no label '{label}'.")
    return version


def labels_of(versions: Sequence[PromptVersion]) -> dict[int, list[str]]:
    """Label names by version id."""
    found: dict[int, list[str]] = {}
    rows = Label.objects.filter(version__in=versions).order_by("name").values_list("version_id", "name")
    for version_id, name in rows:
        found.setdefault(version_id, []).append(name)
    return found


def get_gone(by: Actor, address: str) -> Prompt:
    """The prompt at 'team/name'; where there is none any more, the one that was deleted last under this name."""
    team, _, name = address.partition("/")
    rows = Prompt.objects.filter(visible(by, Permission.ASSET_VIEW, Prompt), team__name=team, name=name)
    prompt = rows.select_related("team").order_by(F("deleted_at").desc(nulls_first=True)).first()
    if prompt is None:
        raise NotFound(f"There is no prompt '{address}' that you can see.")
    return prompt


def deleted_prompts(by: Actor) -> QuerySet[Prompt]:
    """The deleted prompts that the actor would see."""
    rows = Prompt.objects.filter(visible(by, Permission.ASSET_VIEW, Prompt)).exclude(deleted_at=None)
    return rows.select_related("team", "updated_by").prefetch_related("labels__version", "tags")


def labels_at(prompt: Prompt, at: datetime) -> list[LabelMove]:
    """The last move of each label up to a moment, of those that pointed at something then."""
    return [move for move in last_moves(prompt, at) if move.after is not None]


def label_at(prompt: Prompt, label: str, at: datetime) -> LabelMove:
    """The last move of one label up to a moment. NotFound where it did not point at anything yet."""
    rows = prompt.label_moves.filter(name=label, moved_at__lte=at).select_related("before", "after", "moved_by")
    move = rows.order_by("-id").first()
    if move is None:
        raise NotFound(f"{prompt} had no label '{label}' at that time.")
    return move


def last_moves(prompt: Prompt, at: datetime | None = None) -> list[LabelMove]:
    """The last move of each label that there ever was (up to a moment), by name. Two queries."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST_MOVES, {"prompt": prompt.pk, "at": at, "most": MOST_LABELS})
        found = [pk for (pk,) in cursor.fetchall()]
    return list(LabelMove.objects.filter(pk__in=found).select_related("before", "after", "moved_by").order_by("name"))


MOST_LABELS = 1_000
# From one label's name to the next by the index (prompt, name, -id), however often each moved.
_LAST_MOVES = """
WITH RECURSIVE walk AS (
    (SELECT name FROM prompts_labelmove WHERE prompt_id = %(prompt)s ORDER BY name LIMIT 1)
    UNION ALL
    SELECT following.name FROM walk CROSS JOIN LATERAL (
        SELECT name FROM prompts_labelmove WHERE prompt_id = %(prompt)s AND name > walk.name ORDER BY name LIMIT 1) following
)
SELECT last.id FROM (SELECT name FROM walk LIMIT %(most)s) walk CROSS JOIN LATERAL (
    SELECT id FROM prompts_labelmove WHERE prompt_id = %(prompt)s AND name = walk.name
        AND (%(at)s::timestamptz IS NULL OR moved_at <= %(at)s::timestamptz)
    ORDER BY id DESC LIMIT 1) last
"""
