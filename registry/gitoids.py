"""What git calls a file's bytes, and which files the Hub's clients take for large ones."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from registry import storage
from registry.models import GitOid

# Files up to here are compared by their git name (the SHA-1 of a small header and the bytes), larger ones by SHA-256.
SMALL = 1024 * 1024
_BINARY = frozenset(
    [
        ".safetensors",
        ".gguf",
        ".ggml",
        ".onnx",
        ".bin",
        ".pt",
        ".pth",
        ".ckpt",
        ".h5",
        ".keras",
        ".msgpack",
        ".parquet",
        ".arrow",
        ".feather",
        ".npy",
        ".npz",
        ".pkl",
        ".pickle",
        ".joblib",
        ".tflite",
        ".zip",
        ".gz",
        ".tgz",
        ".tar",
        ".xz",
        ".bz2",
        ".zst",
        ".7z",
        ".rar",
        ".model",
        ".pb",
        ".mlmodel",
        ".wasm",
        ".so",
        ".dll",
        ".png",
        ".jpg",
        ".jpeg",
        ".gif",
        ".webp",
        ".mp3",
        ".wav",
        ".flac",
        ".mp4",
        ".pdf",
    ]
)


def is_large(path: str, size: int) -> bool:
    """Is this file kept by its SHA-256 (git would use LFS)? By name and size alone, so that it never changes."""
    return size > SMALL or (size > 0 and PurePosixPath(path).suffix.lower() in _BINARY)


def oid_of(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def pointer_of(sha256: str, size: int) -> bytes:
    """The text that git keeps instead of a large file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def oids_of(hashes: Iterable[str]) -> dict[str, str]:
    """{sha256: git's name} of small blobs. What was not worked out before is read and kept."""
    wanted = set(hashes)
    known = dict(GitOid.objects.filter(pk__in=wanted).values_list("blob_id", "oid"))
    fresh = {}
    for sha256 in wanted - known.keys():
        try:
            with storage.open_blob(sha256) as stream:
                fresh[sha256] = oid_of(_whole(stream.read))
        except FileNotFoundError:
            fresh[sha256] = sha256[:40]  # damaged: asking for the file says so
            wanted.discard(sha256)
    GitOid.objects.bulk_create(
        [GitOid(blob_id=sha256, oid=oid) for sha256, oid in fresh.items() if sha256 in wanted], ignore_conflicts=True
    )
    return known | fresh


def _whole(read: Callable[[int], bytes]) -> bytes:
    parts = []
    while part := read(SMALL):
        parts.append(part)
    return b"".join(parts)
