"""What a file in a version may be called, and which kinds of file are refused. Pure functions; both doors use them."""

from __future__ import annotations

from pathlib import PurePosixPath

from accounts.errors import Invalid

MAX_PATH = 500
CARD = "README.md"

_PICKLES = frozenset(
    {".pkl", ".pickle", ".bin", ".pt", ".pth", ".ckpt", ".joblib", ".npy", ".npz", ".dill", ".h5", ".keras"}
)
_PROGRAMS = frozenset(
    {".exe", ".dll", ".so", ".dylib", ".sh", ".bash", ".bat", ".cmd", ".com", ".msi", ".ps1", ".jar", ".apk", ".pyc", ".scr", ".vbs"}
)  # fmt: skip
_ARCHIVES = frozenset({".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".whl"})
DATASET_SUFFIXES = (".jsonl", ".csv", ".parquet", ".json", ".md", ".txt")
ROW_SUFFIXES = (".jsonl", ".csv")
_PLAIN_NAMES = frozenset({"LICENSE", "LICENCE", "NOTICE"})

# What a file begins with gives it away when its name does not.
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"PK\x03\x04", "a zip archive (older PyTorch checkpoints are such archives of pickles)"),
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
    (b"\x93NUMPY", "a NumPy array file"),
)
MAGIC_BYTES = 8


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


def check_type(path: str, kind: str) -> None:
    """Raise for a kind of file that models or datasets don't take, with the remedy."""
    name = PurePosixPath(path).name
    suffixes = [suffix.lower() for suffix in PurePosixPath(name).suffixes]
    last = suffixes[-1] if suffixes else ""
    if kind == "dataset":
        if last not in DATASET_SUFFIXES and name not in _PLAIN_NAMES:
            raise Invalid(
                "path",
                f"'{name}' is not a file that a dataset takes. Use {', '.join(DATASET_SUFFIXES[:-1])} or {DATASET_SUFFIXES[-1]}; "
                "rows go in .jsonl or .csv.",
                code="wrong_file_type",
            )
        return
    if last in _PICKLES:
        raise Invalid(
            "path",
            f"'{name}': {last} files can run code when they are loaded. Save the weights as safetensors "
            "(in transformers: model.save_pretrained(folder, safe_serialization=True)) and upload those.",
            code="wrong_file_type",
        )
    if last in _PROGRAMS:
        raise Invalid("path", f"'{name}' is a program, and nothing here runs it. Leave it out.", code="wrong_file_type")
    if last in _ARCHIVES:
        raise Invalid("path", f"'{name}' is an archive. Unpack it and upload the files in it.", code="wrong_file_type")


def check_content(path: str, beginning: bytes, kind: str) -> None:
    """Raise when the first bytes show a kind of file that is refused whatever it is called."""
    if kind == "dataset" and path.lower().endswith(".parquet"):
        return
    for magic, what in _MAGIC:
        if beginning.startswith(magic):
            raise Invalid(
                "path",
                f"'{path}' is {what} by its first bytes, whatever its name says. Weights go in safetensors, rows in .jsonl or .csv.",
                code="wrong_file_type",
            )


def is_rows(path: str) -> bool:
    """Does this file hold rows of a dataset?"""
    return path.lower().endswith(ROW_SUFFIXES)
