"""MLflow's artifacts: the files of runs and logged models, through the store of the registry. A path never leaves its owner's."""

from contextlib import suppress
from typing import Any

from django.http import HttpResponse

from accounts.errors import Invalid
from accounts.numbers import whole
from doors.mlflow import registry_files
from doors.mlflow.base import Answer, Call, by_method, invalid, missing
from doors.mlflow.tracking_base import run_of, team_of, tracked
from doors.mlflow.tracking_shapes import run_root
from registry.downloads import file_response
from tracking import actions, reads
from tracking.actions.artifacts import Owner, check_artifact_path


def owner_at(call: Call, experiment: str, name: str, *, model: bool) -> Owner:
    """Whose files these are: a run by its 32 digits, or a logged model by its id."""
    team = team_of(call)
    owner: Owner = reads.logged_model_of(team, name) if model else reads.run_of(team, name)
    if reads.wire_id(owner.experiment) != experiment:
        raise missing(f"There is nothing at '{experiment}/{name}'.")
    return owner


def split(address: str) -> tuple[str, str, bool, str]:
    """'<experiment>/<run>/artifacts[/path]' or '<experiment>/models/<model>/artifacts[/path]' in its parts."""
    parts = address.strip("/").split("/")
    if any(part in ("..", ".", "") for part in parts) or "\\" in address:
        raise invalid("Invalid path")
    if len(parts) > 3 and parts[1] == "models" and parts[3] == "artifacts":
        return parts[0], parts[2], True, "/".join(parts[4:])
    if len(parts) > 2 and parts[2] == "artifacts":
        return parts[0], parts[1], False, "/".join(parts[3:])
    raise missing(f"There is nothing at '{address[:300]}'.")


@tracked("GET")
def listing(call: Call) -> Answer:
    """`?path=<experiment>/<run>/artifacts[/folder]`: what is directly in there. An empty or missing folder is `{}`."""
    address = call.text("path")
    if address.strip("/").split("/")[0] == "models":
        return registry_files.list_version_files(call, address)
    if not address:
        raise invalid("Name the run or model whose files to list: path=<experiment>/<run>/artifacts.")
    experiment, name, model, folder = split(address)
    owner = owner_at(call, experiment, name, model=model)
    return _files(owner, folder)


@tracked("GET")
def of_run(call: Call) -> Answer:
    """`/api/2.0/mlflow/artifacts/list?run_id=…&path=…`: paths are relative to the run."""
    run, folder = run_of(call), call.text("path").strip("/")
    if folder:
        check_artifact_path(folder)
    found = _files(run, folder, prefix=f"{folder}/" if folder else "")
    return {"root_uri": run_root(run), **found}


@tracked("PUT", raw=True)
def upload(call: Call, address: str) -> Answer:
    experiment, name, model, path = whole_path(address)
    owner = owner_at(call, experiment, name, model=model)
    length = call.request.META.get("CONTENT_LENGTH") or ""
    chunked = call.request.headers.get("Transfer-Encoding", "").lower() == "chunked"
    size = None if chunked else whole(length)
    actions.put_artifact(owner=owner, path=path, stream=call.request, size=size, by=call.by)
    return HttpResponse(status=200)


@tracked("GET", "HEAD", raw=True)
def download(call: Call, address: str) -> Answer:
    experiment, name, model, path = whole_path(address)
    owner = owner_at(call, experiment, name, model=model)
    artifact = reads.get_artifact(owner, path)
    reads.check_left(call.by, owner, [artifact.blob_id])
    return file_response(call.request, sha256=artifact.blob_id, size=artifact.blob.size, path=path)


@tracked("DELETE", raw=True)
def delete(call: Call, address: str) -> Answer:
    """A file, or a folder with all that lies below it; of what is not there nothing is left either."""
    experiment, name, model, path = split(address)
    owner = owner_at(call, experiment, name, model=model)
    if path:
        actions.delete_artifacts(owner=owner, path=path, by=call.by)
    else:
        for entry in reads.list_folder(owner):
            actions.delete_artifacts(owner=owner, path=entry.name, by=call.by)
    return {}


def whole_path(address: str) -> tuple[str, str, bool, str]:
    """`split`, of a file."""
    experiment, name, model, path = split(address)
    with suppress(Invalid):
        check_artifact_path(path)
        return experiment, name, model, path
    raise invalid("Invalid path")


def _files(owner: Owner, folder: str, prefix: str = "") -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    for entry in reads.list_folder(owner, folder):
        shown: dict[str, Any] = {"path": f"{prefix}{entry.name}", "is_dir": entry.is_folder}
        found.append(shown if entry.size is None else {**shown, "file_size": entry.size})
    return {"files": found} if found else {}


file = by_method(GET=download, HEAD=download, PUT=upload, DELETE=delete)
