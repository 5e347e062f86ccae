"""How a file is read by those who load it, told from its name: the same bytes may be rows in one version and code in another."""

from pathlib import PurePosixPath

_BY_SUFFIX = {
    "code": {".py", ".pyw", ".pyc", ".pyd", ".ipynb", ".sh", ".bash", ".zsh", ".bat", ".cmd", ".ps1", ".vbs", ".js", ".mjs", ".jar", ".class", ".exe", ".dll", ".so", ".dylib", ".com", ".msi", ".apk", ".scr", ".lua", ".pl", ".rb", ".php"},
    "pickle": {".pkl", ".pickle", ".bin", ".pt", ".pth", ".ckpt", ".joblib", ".dill", ".dat", ".data", ".p", ".cloudpickle"},
    "numpy": {".npy", ".npz"},
    "archive": {".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".lz4", ".whl", ".egg", ".nemo", ".mar", ".iso"},
    "keras": {".keras", ".h5", ".hdf5"},
    "onnx": {".onnx"},
    "graph": {".pb"},
    "gguf": {".gguf"},
    "tensors": {".safetensors"},
    "json": {".json"},
    "template": {".jinja", ".jinja2", ".j2"},
    "rows": {".jsonl", ".csv", ".tsv", ".parquet", ".arrow"},
}  # fmt: skip
FORMS = {suffix: form for form, suffixes in _BY_SUFFIX.items() for suffix in suffixes}


def form_of(path: str) -> str:
    """One of the keys above, or 'other'."""
    return FORMS.get(PurePosixPath(path).suffix.lower(), "other")
