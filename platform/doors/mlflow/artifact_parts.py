"""Large artifacts past the site: parts that the client puts into the bucket by itself, and presigned downloads. Where files lie in
a folder the answer is 501, at which MLflow's client sends and fetches them whole."""

from doors.mlflow import registry_files
from doors.mlflow.artifacts import owner_at, whole_path
from doors.mlflow.base import Answer, Call, MlflowError, invalid, missing
from doors.mlflow.tracking_base import team_of, tracked
from registry import storage
from registry.downloads import content_type_of, disposition
from tracking import actions, reads
from tracking.actions.artifacts import Owner


def _not_here() -> MlflowError:
    return MlflowError(
        "NOT_IMPLEMENTED", "This server takes and gives whole files: use mlflow-artifacts/artifacts instead."
    )


def _asked(call: Call, address: str) -> tuple[Owner, str]:
    """The owner and path: a folder's address, and the file's name in the body. Clients before 3.18 send their local path."""
    team_of(call)
    if not actions.takes_parts():
        raise _not_here()
    name = call.text("path", required=True).replace("\\", "/").rsplit("/", 1)[-1]
    experiment, owner, model, path = whole_path(f"{address.rstrip('/')}/{name}")
    return owner_at(call, experiment, owner, model=model), path


@tracked("POST")
def create(call: Call, address: str) -> Answer:
    owner, path = _asked(call, address)
    parts = call.whole("num_parts", 1)
    upload_id, urls = actions.begin_artifact_parts(owner=owner, path=path, parts=parts, by=call.by)
    credentials = [{"url": url, "part_number": number, "headers": {}} for number, url in enumerate(urls, 1)]
    return {"upload_id": upload_id, "credentials": credentials}


@tracked("POST")
def complete(call: Call, address: str) -> Answer:
    owner, path = _asked(call, address)
    numbers = [part.get("part_number") for part in call.objects("parts")]
    if not all(isinstance(number, int) for number in numbers):
        raise invalid("Name each part by its part_number.")
    actions.complete_artifact_parts(
        owner=owner,
        path=path,
        upload_id=call.text("upload_id", required=True),
        numbers=[number for number in numbers if isinstance(number, int)],
        by=call.by,
    )
    return {}


@tracked("POST")
def abort(call: Call, address: str) -> Answer:
    owner, path = _asked(call, address)
    actions.abort_artifact_parts(owner=owner, path=path, upload_id=call.text("upload_id", required=True), by=call.by)
    return {}


@tracked("GET")
def presigned(call: Call, address: str) -> Answer:
    """Where the client fetches the file by itself, in ranges, for some minutes. Whoever may not have it gets no address."""
    team_of(call)
    if not storage.store().direct:
        raise _not_here()
    if address.startswith("models/"):
        sha256, size, path = registry_files.file_to_leave(call, address)
    else:
        experiment, name, model, path = whole_path(address)
        owner = owner_at(call, experiment, name, model=model)
        artifact = reads.get_artifact(owner, path)
        reads.check_left(call.by, owner, [artifact.blob_id])
        sha256, size = artifact.blob_id, artifact.blob.size
    if not storage.exists(sha256):
        raise missing(f"The bytes of '{path}' are not in the storage any more.")
    url = storage.store().address(sha256, disposition=disposition(path), content_type=content_type_of(path))
    return {"url": url, "headers": {}, "file_size": size}
