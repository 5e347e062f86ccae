"""What an export holds: one version of each prompt (the newest, or the one at a label), or all of them."""

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from accounts.access import Actor
from accounts.models import Team
from prompts.checks import LATEST
from prompts.exchange import langfuse, mlflow, yaml_files
from prompts.models import MAIN, Label, Prompt, PromptTag, PromptVersion

KINDS = ("yaml", "langfuse", "mlflow")
BATCH = 200


def exported_prompts(by: Actor, team: Team, *, folder: str = "") -> QuerySet[Prompt]:
    """The prompts of a team, or of a folder in it, that the actor sees."""
    rows = Prompt.objects.visible_to(by).filter(team=team, archived_at=None).select_related("team")
    folder = folder.strip("/")
    return rows.filter(Q(name__startswith=f"{folder}/") | Q(name=folder)) if folder else rows


def shown(prompts: Sequence[Prompt], kind: str, *, label: str = "", every: bool = False) -> list[dict[str, Any]]:
    """These prompts in an export's shape: {"path", "text"} for yaml, else what the other product's file has for each.
    A constant number of queries. A prompt without such a version is left out."""
    versions = _versions(prompts, label, every and kind != "yaml")
    labels = _labels(prompts)
    tags = _tags(prompts)
    found: list[dict[str, Any]] = []
    for prompt in prompts:
        own = versions.get(prompt.pk, [])
        if not own:
            continue
        at = labels.get(prompt.pk, {})
        if kind == "yaml":
            text = yaml_files.write(own[-1], tags=tags.get(prompt.pk, {}))
            row = {"path": yaml_files.path_of(prompt.name), "text": text, "version": own[-1].number}
            found.append({**row, "digest": own[-1].digest})
        elif kind == "langfuse":
            words = list(tags.get(prompt.pk, {}))
            for version in own:
                names = [name for name, number in at.items() if number == version.number]
                found.append(langfuse.write(version, labels=names, tags=words))
        else:
            numbers = {version.number for version in own}
            kept = {name: number for name, number in at.items() if number in numbers}
            found.append(mlflow.write_prompt(own, labels=kept, tags=tags.get(prompt.pk, {})))
    return found


def _versions(prompts: Sequence[Prompt], label: str, every: bool) -> dict[int, list[PromptVersion]]:
    """By prompt, oldest first."""
    rows = PromptVersion.objects.filter(prompt__in=prompts, deleted_at=None).order_by("prompt_id", "number")
    if not every and label not in ("", LATEST):
        rows = rows.filter(labels__name=label)
    elif not every:
        newest = PromptVersion.objects.filter(prompt=OuterRef("prompt"), branch=MAIN, deleted_at=None)
        rows = rows.filter(pk=Subquery(newest.order_by("-number").values("pk")[:1]))
    by_key = {prompt.pk: prompt for prompt in prompts}
    found: dict[int, list[PromptVersion]] = {}
    for version in rows:
        version.prompt = by_key[version.prompt_id]
        found.setdefault(version.prompt_id, []).append(version)
    return found


def _labels(prompts: Sequence[Prompt]) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    rows = Label.objects.filter(prompt__in=prompts).order_by("name").values_list("prompt_id", "name", "version__number")
    for prompt_id, name, number in rows:
        found.setdefault(prompt_id, {})[name] = number
    return found


def _tags(prompts: Sequence[Prompt]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for prompt_id, key, value in PromptTag.objects.filter(prompt__in=prompts).values_list("prompt_id", "key", "value"):
        found.setdefault(prompt_id, {})[key] = value
    return found


def _batches(rows: QuerySet[Prompt]) -> Iterator[list[Prompt]]:
    """The prompts by name, so many at a time."""
    after: str | None = None
    while batch := list((rows if after is None else rows.filter(name__gt=after)).order_by("name")[:BATCH]):
        yield batch
        after = batch[-1].name


def download(rows: QuerySet[Prompt], kind: str, *, label: str = "", every: bool = False) -> Iterable[bytes]:
    """The file that a person downloads, piece by piece: a zip of YAML files, or a JSON list."""
    if kind == "yaml":
        return _zipped(rows, label)
    return _listed(rows, kind, label, every)


def _listed(rows: QuerySet[Prompt], kind: str, label: str, every: bool) -> Iterator[bytes]:
    begun = False
    yield b"["
    for batch in _batches(rows):
        for row in shown(batch, kind, label=label, every=every):
            yield (b",\n" if begun else b"\n") + json.dumps(row, ensure_ascii=False, indent=2).encode()
            begun = True
    yield b"\n]\n"


def _zipped(rows: QuerySet[Prompt], label: str) -> Iterator[bytes]:
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for batch in _batches(rows):
            for row in shown(batch, "yaml", label=label):
                archive.writestr(row["path"], row["text"])
            yield pipe.taken()
    yield pipe.taken()


class _Pipe(io.RawIOBase):
    """What is written to it can be taken out at once: a zip that is never whole in memory."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._kept += data
        return len(data)

    def taken(self) -> bytes:
        found, self._kept = bytes(self._kept), bytearray()
        return found
