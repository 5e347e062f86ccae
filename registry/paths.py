"""What a file in a version may be called. Pure functions; every door uses them. Any kind of file may be uploaded: what is in it,
the scan says (registry.scans)."""

from __future__ import annotations

from pathlib import PurePosixPath

from accounts.errors import Invalid

MAX_PATH = 500
CARD = "README.md"

ROW_SUFFIXES = (".jsonl", ".csv")


def check_path(path: str) -> str:
    """The path, if it can stand in a manifest; raises Invalid('path', …) naming what is wrong with it."""
    if not path:
        raise Invalid("path", "Give the file a path, for example 'model.safetensors'.")
    if len(path) > MAX_PATH:
        raise Invalid("path", f"The path has {len(path)} characters; at most {MAX_PATH} are possible.")
    if "\\" in path:
        raise Invalid("path", "Use '/' between folders, not '\\'.")
    if path.startswith("/"):
        raise Invalid("path", "Use a path inside the version: it can't begin with '/'.")
    if any(ord(character) < 32 or ord(character) == 127 for character in path):
        raise Invalid("path", "The path has a control character in it.")
    parts = path.split("/")
    if ".." in parts or "." in parts:
        raise Invalid("path", "Use a path inside the version: '.' and '..' can't stand in it.")
    if "" in parts:
        raise Invalid("path", "A folder's or file's name in the path is empty ('//' or a '/' at the end).")
    if any(part != part.strip() or part.endswith(".") for part in parts):
        raise Invalid("path", "A name in the path begins or ends with a space, or ends with a dot.")
    if any(len(part.encode()) > 255 for part in parts):
        raise Invalid("path", "A name in the path has more than 255 bytes, which file systems refuse.")
    return path


def check_nesting(path: str, others: set[str]) -> None:
    """Raise when the path would make something both a file and a folder among the version's other paths."""
    for parent in PurePosixPath(path).parents:
        if str(parent) in others:
            raise Invalid("path", f"'{parent}' is a file in this version, so it can't be a folder too.")
    inside = next((other for other in others if other.startswith(f"{path}/")), None)
    if inside:
        raise Invalid("path", f"'{path}' is a folder in this version: it holds '{inside}'.")


def is_rows(path: str) -> bool:
    """Does this file hold rows of a dataset?"""
    return path.lower().endswith(ROW_SUFFIXES)
