"""What a new version's `source` says: files of a run, a logged model or another version, which are linked, or an address elsewhere."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from accounts.access import Actor, can
from accounts.errors import NotFound
from accounts.numbers import whole
from accounts.roles import Permission
from doors.mlflow.base import Call, MlflowError, invalid
from doors.mlflow.registry_models import find
from registry import actions
from registry.models import Asset, Version
from tracking import reads as tracking
from tracking.models import LoggedModel, Run

NAMED = ("run_id", "run_link", "model_id")  # what a version may say of itself beside its source
_OWN = re.compile(r"mlflow-artifacts:/+models/([^/]+)/([^/]+)/(\d{1,9})/?")
_LOGGED = re.compile(r"models:/+(m-[0-9a-f]{32})(?:/(.*))?")
_RUN = re.compile(r"runs:/+([0-9a-f]{32})(?:/(.*))?")
_LEFT = re.compile(r"mlflow-artifacts:/+\d{1,19}/(models/)?([0-9a-f]{32}|m-[0-9a-f]{32})/artifacts(?:/(.*))?")
_VERSION = re.compile(r"models:/([^/@]+)(?:/([^/@]+)|@([^/@]+))")


@dataclass(frozen=True)
class Source:
    """Where a version's bytes are. `files`: those that the registry holds; None: elsewhere."""

    source: str
    files: list[tuple[str, str, int]] | None = None  # path, sha256, who put it there
    facts: dict[str, str] = field(default_factory=dict)
    source_run_id: int | None = None
    origin: Version | None = None

    def register(self, *, asset: Asset, description: str, tags: Mapping[str, str], by: Actor) -> Version:
        """The version, made and registered in one go."""
        shared: dict[str, Any] = {
            "asset": asset, "source": self.source, "description": description, "tags": tags, "origin": self.origin,
            "facts": {"mlflow": self.facts} if self.facts else {}, "source_run_id": self.source_run_id, "by": by,
        }  # fmt: skip
        if self.files is None:
            return actions.register_elsewhere(**shared)
        if not self.files:
            raise refused(self.source, "There are no files at this address yet: log the model's files first.")
        return actions.register_held(files=self.files, **shared)


def refused(source: str, why: str) -> MlflowError:
    return invalid(f"Invalid model version source: '{source[:300]}'. {why}")


def resolve(call: Call, source: str) -> Source:
    """What `source` of a model-versions/create means; INVALID_PARAMETER_VALUE where it means nothing."""
    named = {name: call.text(name) for name in NAMED if call.text(name)}
    scheme = urlsplit(source).scheme.lower()
    if scheme in ("", "file") or len(scheme) == 1:
        raise refused(source, "A path on a disk is not an address here: log the model with artifacts, or name a store.")
    refuse_climbing(source)
    if scheme == "models":
        return _copied(call, source, named)
    if match := _OWN.fullmatch(source):
        return _copy(call, source, _numbered(call, source, match[2], match[3], team=match[1]), named)
    if scheme in ("runs", "mlflow-artifacts"):
        return _left_by(call, source, named)
    return Source(source, facts=named)


def storage_of(version: Version) -> str:
    """Where the bytes of a version lie that are not here: a copy's, where its original's do."""
    kept = version.facts.get("mlflow", {}).get("storage", "")
    return kept if isinstance(kept, str) and kept else version.source


def refuse_climbing(source: str) -> None:
    plain = source
    while (further := unquote_plus(plain)) != plain:
        plain = further
    if "\0" in plain or ".." in re.split(r"[/\\]", plain):
        raise refused(source, "Use an absolute address without '..' in it.")


def _left_by(call: Call, source: str, named: dict[str, str]) -> Source:
    """Files of a run or logged model, by the run's name for them or by their address."""
    if match := _LEFT.fullmatch(source):
        owner, folder = match[2], match[3] or ""
        if match[1]:
            return _of_model(call, source, owner, folder, named)
    elif match := _RUN.fullmatch(source):
        owner, folder = match[1], match[2] or ""
    else:
        raise refused(source, "There is no such run or logged model.")
    _require_sight(call, source)
    if named.get("run_id", owner) != owner:
        raise refused(source, "It is of another run than run_id says.")
    try:
        run = tracking.run_of(call.team, owner)
    except NotFound:
        raise refused(source, "There is no such run or logged model.") from None
    files = _files("run", run.pk, folder)
    tracking.check_left(call.by, run, {blob for _, blob, _ in files})
    if not files and (model := _model_named(run, folder)):
        return _of_model(call, source, model.model_id, "", named)
    return Source(source, files, {**named, "run_id": owner}, run.pk)


def _require_sight(call: Call, source: str) -> None:
    """What a team logged is for whoever sees all of the team's: one model's editor is not everybody."""
    if not can(call.by, Permission.ASSET_VIEW, call.team):
        raise refused(source, "There is no such run or logged model.")


def _of_model(call: Call, source: str, model_id: str, folder: str, named: dict[str, str]) -> Source:
    """A logged model's files; its run is the version's."""
    _require_sight(call, source)
    try:
        model = tracking.logged_model_of(call.team, model_id)
    except NotFound:
        raise refused(source, "There is no such logged model.") from None
    run = model.source_run
    facts = {**named, "model_id": model.model_id, **({"run_id": run.uuid} if run else {})}
    files = _files("logged_model", model.pk, folder)
    tracking.check_left(call.by, model, {blob for _, blob, _ in files})
    return Source(source, files, facts, run.pk if run else None)


def _model_named(run: Run, name: str) -> LoggedModel | None:
    """The model that a run logged under this name: newer clients lay it beside the run's files, not among them."""
    rows = LoggedModel.objects.alive().filter(source_run=run, name=name.strip("/"))
    return rows.order_by("-pk").first()


def _files(kind: str, owner: int, folder: str) -> list[tuple[str, str, int]]:
    """Paths below the folder, relative to it, hashes, and who put them there."""
    folder = folder.strip("/")
    rows = tracking.artifact_rows(kind, owner, folder).values_list("path", "blob_id", "added_by_id")
    prefix = f"{folder}/" if folder else ""
    return [
        (path.removeprefix(prefix) if path != folder else path.rpartition("/")[2], blob, author)
        for path, blob, author in rows
    ]


def _copied(call: Call, source: str, named: dict[str, str]) -> Source:
    if logged := _LOGGED.fullmatch(source):
        return _of_model(call, source, logged[1], logged[2] or "", named)
    match = _VERSION.fullmatch(source)
    if match is None:
        raise refused(source, "There is no such logged model. A version's address is models:/name/version.")
    name, number, alias = match.groups()
    return _copy(call, source, _numbered(call, source, name, number or "", alias=alias or ""), named)


def _numbered(call: Call, source: str, name: str, number: str, *, alias: str = "", team: str = "") -> Version:
    if team not in ("", call.team.name):
        raise refused(source, f"This key works in the team '{call.team.name}'.")
    asset = find(call, name)
    rows = Version.objects.filter(asset=asset, deleted_at=None, state=Version.State.REGISTERED)
    if alias:
        version = rows.filter(aliases__name=alias.lower()).first()
    elif (counted := whole(number, below=2**31)) is not None:
        version = rows.filter(number=counted).first()
    elif number.lower() in ("staging", "production"):
        version = rows.filter(aliases__name=number.lower()).first()
    else:
        version = rows.order_by("-number").first() if number.lower() == "latest" else None
    if version is None:
        raise MlflowError(
            "RESOURCE_DOES_NOT_EXIST", f"Model Version (name={name}, version={number or alias}) not found"
        )
    version.asset = asset
    return version


def _copy(call: Call, source: str, origin: Version, named: dict[str, str]) -> Source:
    """A copy knows its original's run, and holds the same bytes."""
    before: dict[str, str] = origin.facts.get("mlflow", {})
    facts = {**before, **named}
    files = list(origin.files.values_list("path", "blob_id", "added_by_id"))
    if files:
        # A copy's files are the copy's to give away: they leave here as if they were downloaded.
        actions.record_download(version=origin, what={"copied_to": call.text("name")}, by=call.by)
    source = f"models:/{origin.asset.name}/{origin.number}"
    if files:
        return Source(source, files, facts, origin.source_run_id, origin)
    return Source(source, None, {**facts, "storage": storage_of(origin)}, origin.source_run_id, origin)
