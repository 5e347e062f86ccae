"""A version as Langfuse shows it, and rows of its list."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q

from doors.prompt_config import config_of
from prompts.checks import LATEST
from prompts.models import MAIN, Label, Prompt, PromptTag, PromptVersion


def prompt_json(version: PromptVersion, *, name: str, template: Any = None, graph: Any = None) -> dict[str, Any]:
    """One version. `name`: as the client calls the prompt; `template`: what stands instead of the version's own."""
    prompt = version.prompt
    labels, moved = labels_of(prompt, [version])[version.pk]
    words = words_of([prompt])[prompt.pk]
    return shape(version, name=name, labels=labels, moved=moved, words=words, template=template, graph=graph)


def shape(
    version: PromptVersion, *, name: str, labels: list[str], moved: datetime | None, words: list[str], template: Any = None,
    graph: Any = None,
) -> dict[str, Any]:  # fmt: skip
    """The same of what was read already."""
    shown = {
        "id": str(version.pk),
        "createdAt": stamp(version.created_at),
        "updatedAt": stamp(max(version.created_at, moved or version.created_at)),
        "projectId": str(version.prompt.team_id),
        "createdBy": version.created_by.email,
        "prompt": version.template if template is None else template,
        "name": name,
        "version": version.number,
        "type": version.type,
        "isActive": None,
        "config": config_of(version),
        "tags": words,
        "labels": labels,
        "commitMessage": version.message or None,
        "resolutionGraph": graph,
    }
    # Not Langfuse's: its clients fill in {{names}} alone.
    return shown if version.format == PromptVersion.Format.MUSTACHE else {**shown, "templateFormat": version.format}


def labels_of(prompt: Prompt, versions: Sequence[PromptVersion]) -> dict[int, tuple[list[str], datetime | None]]:
    """By version id: its labels, 'latest' among them, and when one of them last moved."""
    found: dict[int, tuple[list[str], datetime | None]] = {version.pk: ([], None) for version in versions}
    rows = Label.objects.filter(version__in=found).order_by("name").values_list("version_id", "name", "updated_at")
    for pk, name, moved in rows:
        names, last = found[pk]
        found[pk] = ([*names, name], moved if last is None else max(last, moved))
    newest = prompt.versions.filter(branch=MAIN, deleted_at=None).order_by("-number").values_list("pk", flat=True)[:1]
    for pk in newest:
        if pk in found:
            found[pk][0].append(LATEST)
    return found


def at_label(label: str) -> Q:
    """The versions that a label is on."""
    if label == LATEST:
        newer = PromptVersion.objects.filter(prompt=OuterRef("prompt"), branch=MAIN, deleted_at=None)
        return Q(branch=MAIN) & Q(~Exists(newer.filter(number__gt=OuterRef("number"))))
    return Q(Exists(Label.objects.filter(version=OuterRef("pk"), name=label)))


def words_of(prompts: Sequence[Prompt]) -> dict[int, list[str]]:
    """Tags that are plain words, by prompt: Langfuse's have no values."""
    found: dict[int, list[str]] = {prompt.pk: [] for prompt in prompts}
    rows = PromptTag.objects.filter(prompt__in=found, value="").order_by("key").values_list("prompt_id", "key")
    for pk, key in rows:
        found[pk].append(key)
    return found


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
