"""The worker's side of a conversion: the checkpoint goes through the sandbox, a new version is made of what comes out."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.access import Actor
from accounts.errors import Problem
from registry import actions, confined, storage
from registry.actions.conversions import finish_conversion
from registry.claims import claimed
from registry.converters.plan import INDEX, checkpoints, leftovers, target
from registry.models import Conversion, Link, Version
from registry.scans.work import opened

State = Conversion.State
_ENTRY = "registry.converters.main:convert"
_BYTES_PER_S = 10 << 20


class _Failed(Exception):
    """Why there is no new version, for a person."""


def convert(conversion_id: int) -> bool:
    """Do one that was asked for; False where somebody is at it or it is over. One that a worker left lying begins anew."""
    with claimed("convert", conversion_id) as mine:
        rows = Conversion.objects.filter(pk=conversion_id, state__in=[State.QUEUED, State.RUNNING])
        found = rows.select_related("source__asset__team", "requested_by", "result").first() if mine else None
        if found is None:
            return False
        by = Actor(found.requested_by, via="task")
        _forget_draft(found, by)
        outcome: dict[str, Any] = {}
        try:
            result = _convert(found, by, outcome)
        except (_Failed, Problem) as failed:
            _forget_draft(found, by)
            finish_conversion(conversion=found, result=None, detail=str(failed), sandbox=outcome)
        else:
            finish_conversion(
                conversion=found, result=result, detail=f"Version {result.number} has the safetensors.", sandbox=outcome
            )
        return True


def _convert(conversion: Conversion, by: Actor, outcome: dict[str, Any]) -> Version:
    source = conversion.source
    files = dict(source.files.values_list("path", "blob_id"))
    sizes = dict(source.files.values_list("path", "blob__size"))
    # What is there as safetensors already is only left out.
    todo = [path for path in checkpoints(files) if target(path) not in files]
    with ExitStack() as stack:
        place = settings.FILE_UPLOAD_TEMP_DIR
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="countersign-convert-", dir=place)))
        names = _in_the_sandbox(conversion, todo, files, sizes, folder, stack, outcome)
        _note(conversion, "Puts the new version together.", conversion.total_bytes)
        version = actions.create_version(asset=source.asset, message=f"Safetensors of version {source.number}", by=by)
        Conversion.objects.filter(pk=conversion.pk).update(result=version)
        conversion.result = version
        out = leftovers(files)
        for path, sha256 in sorted(files.items()):
            if path not in out:
                actions.link_file(version=version, path=path, sha256=sha256, by=by)
        for number, path in enumerate(todo):
            with (folder / f"{number}.safetensors").open("rb") as stream:
                actions.add_file(version=version, path=target(path), stream=stream, by=by)
        _add_index(version, files, names, by)
    version = actions.register_version(version=version, by=by)
    actions.link_versions(version=version, relation=Link.Relation.CONVERTED_FROM, origin=source, by=by)
    return version


def _in_the_sandbox(
    conversion: Conversion,
    todo: list[str],
    files: dict[str, str],
    sizes: dict[str, int],
    folder: Path,
    stack: ExitStack,
    outcome: dict[str, Any],
) -> dict[str, list[str]]:
    """Have the safetensors written into `folder`; returns the names of the tensors by checkpoint."""
    try:
        handles = [opened(files[path], stack) for path in todo]
    except FileNotFoundError:
        raise _Failed("Bytes of a checkpoint are not in the storage. Upload it again.") from None
    largest, size = max(sizes[path] for path in todo), sum(sizes[path] for path in todo)
    limits = confined.Limits(
        wall_s=300 + size / _BYTES_PER_S,
        cpu_s=int(240 + size / _BYTES_PER_S),
        memory=(6 << 30) + 4 * largest,  # PyTorch alone takes some gigabytes of addresses
        file_bytes=4 * largest + (64 << 20),
    )
    request = {"files": [{"path": path, "size": sizes[path]} for path in todo]}
    run = confined.run(_ENTRY, request, files=handles, folder=folder, limits=limits)
    names: dict[str, list[str]] = {}
    done = 0
    for answer in run:
        outcome.update(run.outcome.sandbox)
        if "failed" in answer:
            raise _Failed(f"{_named(todo, answer['failed'])}: {str(answer.get('why', ''))[:500]}")
        if "begin" in answer:
            _note(conversion, f"Reads {_named(todo, answer['begin'])}.", done)
        elif isinstance(answer.get("tensors"), list) and len(names) < len(todo):
            path = todo[len(names)]
            names[path] = [str(name) for name in answer["tensors"]]
            done += sizes[path]
    outcome.update(run.outcome.sandbox)
    if len(names) < len(todo):
        path = todo[len(names)]
        raise _Failed(f"{path}: the conversion ended early: {run.outcome.died or 'nobody knows why'}.")
    return names


def _named(todo: list[str], number: Any) -> str:
    return todo[number] if isinstance(number, int) and 0 <= number < len(todo) else "a file"


def _add_index(version: Version, files: dict[str, str], names: dict[str, list[str]], by: Actor) -> None:
    """Where the checkpoint came in pieces, the list of which tensor lies in which."""
    for path in files:
        if (match := INDEX.match(path)) is None:
            continue
        folder = match["folder"] or ""
        shards = {piece: tensors for piece, tensors in names.items() if piece.startswith(folder)}
        weights = {name: Path(target(piece)).name for piece, tensors in shards.items() for name in tensors}
        total = 0
        with suppress(ValueError, FileNotFoundError, AttributeError), storage.open_blob(files[path]) as stream:
            total = int(json.loads(stream.read(64 << 20)).get("metadata", {}).get("total_size", 0))
        index = {"metadata": {"total_size": total} if total else {}, "weight_map": dict(sorted(weights.items()))}
        with tempfile.TemporaryFile() as text:
            text.write(json.dumps(index, indent=2).encode())
            text.seek(0)
            actions.add_file(version=version, path=f"{folder}model.safetensors.index.json", stream=text, by=by)


def _note(conversion: Conversion, detail: str, done: int) -> None:
    Conversion.objects.filter(pk=conversion.pk).update(
        state=State.RUNNING, detail=detail, done_bytes=done, beat_at=timezone.now()
    )


def _forget_draft(conversion: Conversion, by: Actor) -> None:
    """A draft that an attempt left behind."""
    if conversion.result is not None and not conversion.result.is_registered:
        draft, conversion.result = conversion.result, None
        with suppress(Problem):
            actions.discard_version(version=draft, by=by)
