"""The files of versions, at the addresses that `native_source` gives: whatever door made the version."""

from collections.abc import Iterable, Mapping
from typing import Any

from accounts.errors import NotFound
from doors.mlflow.base import Answer, Call, endpoint, missing
from doors.mlflow.registry_models import find
from doors.mlflow.registry_versions import version_numbered
from registry import actions, gates
from registry.downloads import file_response, sends_bytes
from registry.models import File, Version


def list_version_files(call: Call, address: str) -> Mapping[str, Any]:
    """The files of a version by the address that begins with models/. Nothing there is an empty answer, as MLflow has it."""
    parts = address.strip("/").split("/")
    if len(parts) < 4 or parts[0] != "models" or not parts[3].isdecimal():
        return {}
    version = version_at(call, parts[1], parts[2], int(parts[3]))
    found = entries(version.files.values_list("path", "blob__size"), "/".join(parts[4:]))
    return {"files": found} if found else {}


def file_at(call: Call, team: str, name: str, number: int, path: str) -> tuple[Version, File]:
    """A file that the caller may have. Of HEAD too: it answers what GET would."""
    version = version_at(call, team, name, number)
    file = version.files.select_related("blob").filter(path=path).first()
    if file is None:
        raise missing(f"No such artifact: '{path}' in version {number} of {name}.")
    gates.check_read(call.by, version.asset)
    return version, file


def file_to_leave(call: Call, address: str) -> tuple[str, int, str]:
    """Hash, size and path of 'models/<team>/<name>/<number>/<path>', whose bytes the caller is about to fetch elsewhere."""
    parts = address.split("/", 4)
    if len(parts) < 5 or not parts[3].isdecimal():
        raise missing(f"There is nothing at '{address[:300]}'.")
    version, file = file_at(call, parts[1], parts[2], int(parts[3]), parts[4])
    actions.record_download(version=version, what={"path": file.path}, by=call.by)
    return file.blob_id, file.blob.size, file.path


@endpoint("GET", "HEAD")
def download(call: Call, team: str, name: str, number: int, path: str) -> Answer:
    version, file = file_at(call, team, name, number, path)
    response = file_response(call.request, sha256=file.blob_id, size=file.blob.size, path=path)
    if sends_bytes(response):
        actions.record_download(version=version, what={"path": path}, by=call.by)
    return response


def version_at(call: Call, team: str, name: str, number: int) -> Version:
    if team != call.team.name:
        raise NotFound(f"This key works in the team '{call.team.name}'.")
    return version_numbered(find(call, name), number)


def entries(files: Iterable[tuple[str, int]], folder: str) -> list[dict[str, Any]]:
    """Files and folders directly in a folder, MLflow's FileInfo: paths relative to it."""
    prefix = f"{folder}/" if folder else ""
    found: dict[str, dict[str, Any]] = {}
    for path, size in files:
        if not path.startswith(prefix):
            continue
        name, deeper, _ = path.removeprefix(prefix).partition("/")
        found[name] = {"path": name, "is_dir": True} if deeper else {"path": name, "is_dir": False, "file_size": size}
    return [found[name] for name in sorted(found)]
