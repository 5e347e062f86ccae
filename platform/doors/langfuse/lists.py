"""Langfuse's list of prompts: one row for each name, made of those of its versions that the filters leave."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.errors import Invalid
from accounts.numbers import whole
from doors.langfuse import filters, shapes
from doors.langfuse.base import Call
from doors.prompt_config import config_of
from prompts.checks import LATEST
from prompts.models import MAIN, Label, Prompt, PromptVersion

MAX_LIMIT, LIMIT = 100, 50


@dataclass(frozen=True)
class Wanted:
    """Which versions count, and which page of their prompts is shown."""

    versions: QuerySet[PromptVersion]
    prompts: Q
    page: int
    limit: int

    @staticmethod
    def of(call: Call) -> "Wanted":
        """The query, checked. `filter` stands instead of all others, as in Langfuse."""
        versions, prompts = PromptVersion.objects.filter(deleted_at=None), Q()
        if given := call.query("filter"):
            versions = versions.filter(filters.read(given))
        else:
            if name := call.query("name"):
                team, bare = call.place(name)
                prompts &= Q(team=team, name=bare)
            if tag := call.query("tag"):
                prompts &= Q(tags__key=tag, tags__value="")
            if label := call.query("label"):
                versions = versions.filter(shapes.at_label(label))
            if number := call.number("version"):
                versions = versions.filter(number=number)
            for name, test in (("fromUpdatedAt", "gte"), ("toUpdatedAt", "lt")):
                if moment := call.time(name):
                    versions = versions.filter(changed(test, moment))
        return Wanted(versions, prompts, _count(call, "page", 1, 10**6), _count(call, "limit", LIMIT, MAX_LIMIT))


def changed(test: str, moment: datetime) -> Q:
    """Was the version made, or a label put on it, then?"""
    made = Q(**{f"created_at__{test}": moment})
    moved = Exists(Label.objects.filter(version=OuterRef("pk"), updated_at__gte=moment))
    return made | Q(moved) if test.startswith("gt") else made & Q(~moved)


def listed(call: Call, wanted: Wanted) -> dict[str, Any]:
    """The page: three queries for what it shows, however many prompts there are, and one that counts them."""
    rows = Prompt.objects.visible_to(call.by).filter(wanted.prompts)
    if call.team is not None:
        rows = rows.filter(team=call.team)
    rows = rows.filter(Exists(wanted.versions.filter(prompt=OuterRef("pk"))))
    total = rows.count()
    start = (wanted.page - 1) * wanted.limit
    prompts = list(rows.select_related("team").order_by("team__name", "name")[start : start + wanted.limit])
    versions = list(wanted.versions.filter(prompt__in=prompts).order_by("prompt_id", "number"))
    shown = _rows(prompts, versions, whole_names=call.team is None)
    return {
        "data": shown,
        "meta": {
            "page": wanted.page, "limit": wanted.limit, "totalItems": total, "totalPages": -(-total // wanted.limit),
        },
    }  # fmt: skip


def _rows(prompts: list[Prompt], versions: list[PromptVersion], *, whole_names: bool) -> list[dict[str, Any]]:
    words = shapes.words_of(prompts)
    labels: dict[int, list[str]] = {}
    moved: dict[int, datetime] = {}
    for pk, name, moment in Label.objects.filter(version__in=versions).values_list("version_id", "name", "updated_at"):
        labels.setdefault(pk, []).append(name)
        moved[pk] = max(moment, moved.get(pk, moment))
    main = PromptVersion.objects.filter(prompt__in=prompts, branch=MAIN, deleted_at=None)
    newest = set(main.order_by("prompt_id", "-number").distinct("prompt_id").values_list("pk", flat=True))
    found = []
    for prompt in prompts:
        own = [version for version in versions if version.prompt_id == prompt.pk]
        names = {name for version in own for name in labels.get(version.pk, [])}
        if any(version.pk in newest for version in own):
            names.add(LATEST)
        found.append(
            {
                "name": str(prompt) if whole_names else prompt.name,
                "type": own[-1].type,
                "versions": [version.number for version in own],
                "labels": sorted(names),
                "tags": words[prompt.pk],
                "lastUpdatedAt": shapes.stamp(
                    max(max(one.created_at, moved.get(one.pk, one.created_at)) for one in own)
                ),
                "lastConfig": config_of(own[-1]),
            }
        )
    return found


def _count(call: Call, name: str, default: int, most: int) -> int:
    text = call.query(name)
    found = whole(text, below=most + 1) if text else default
    if not found:
        raise Invalid(name, f"Use a number from 1 to {most}.")
    return found
