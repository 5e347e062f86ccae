"""Reading what somebody uploads: a YAML file, a zip of them, or another product's JSON. All of it is hostile."""

import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from prompts.exchange import langfuse, mlflow, yaml_files
from prompts.exchange.entries import Entry, Unreadable

MAX_FILES = 2_000
MAX_UNPACKED = 32 * 1024 * 1024


def read_files(files: Mapping[str, str]) -> list[Entry]:
    """YAML files by path."""
    return [yaml_files.read(path, text) for path, text in sorted(files.items())]


def read_document(where: str, document: Any) -> list[Entry]:
    """Langfuse's or MLflow's JSON, told apart by what it holds."""
    first = document[0] if isinstance(document, list) and document else document
    foreign = isinstance(first, dict) and ("registered_model" in first or "mlflow" in first)
    return mlflow.read(where, document) if foreign else langfuse.read(where, document)


def read_upload(name: str, content: bytes) -> list[Entry]:
    """One uploaded file by its name: .yaml, .yml, .zip or .json."""
    ending = name.lower().rpartition(".")[2]
    if ending == "zip":
        return read_files(dict(_unzipped(name, content)))
    text = _decoded(name, content)
    if ending in ("yaml", "yml"):
        return [_alone(name, text)]
    if ending != "json":
        raise Unreadable(
            name, "", "Upload a .yaml file, a .zip of them, or the .json that Langfuse or MLflow exported."
        )
    try:
        return read_document(name, json.loads(text))
    except (ValueError, RecursionError) as error:
        raise Unreadable(name, "", f"This is not JSON ({str(error)[:200]}).") from None


def _alone(name: str, text: str) -> Entry:
    """One file without its folders: the name inside says which prompt it is."""
    said = yaml_files.mapping(name, text).get("prompt")
    return yaml_files.read(yaml_files.path_of(said) if isinstance(said, str) else name, text)


def _unzipped(name: str, content: bytes) -> Iterator[tuple[str, str]]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError, OSError):
        raise Unreadable(name, "", "This is no zip file.") from None
    rows = [info for info in archive.infolist() if not info.is_dir() and info.filename.endswith((".yaml", ".yml"))]
    if len(rows) > MAX_FILES:
        raise Unreadable(name, "", f"At most {MAX_FILES:,} files, here {len(rows):,}.")
    left = MAX_UNPACKED
    for info in rows:
        try:
            with archive.open(info) as packed:
                data = packed.read(left + 1)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, OSError, ValueError, EOFError):
            raise Unreadable(f"{name}: {info.filename[:200]}", "", "This file in the zip can't be unpacked.") from None
        left -= len(data)
        if left < 0:
            raise Unreadable(name, "", f"At most {MAX_UNPACKED:,} bytes when unpacked.")
        yield info.filename, _decoded(info.filename, data)


def _decoded(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(name[:200], "", f"Byte {error.start + 1} is no UTF-8. Save the file as UTF-8.") from None
