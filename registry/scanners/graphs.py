"""Model graphs that can hold code or lead to other files: Keras, TensorFlow, ONNX."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator

from registry.scanners.samples import BROKEN, NOTE, UNSAFE, Finding, Sample

_LAMBDA = re.compile(rb'"class_name"\s*:\s*"(?:Custom>)?Lambda"')
_OPERATIONS = re.compile(
    rb"\x0a[\x04-\x10](ReadFile|WriteFile|PyFunc|PyFuncStateless|EagerPyFunc|MatchingFiles|ShellExecute)"
)
# StringStringEntryProto {key: "location", value: …}, as protocol buffers write it.
_LOCATION = re.compile(rb"\x0a\x08location\x12([\x01-\x7f])")
_MEMBER = 64 << 20


def find(sample: Sample) -> Iterator[Finding]:
    if sample.form == "keras" or sample.head.startswith(b"\x89HDF\r\n\x1a\n"):
        yield from _keras(sample)
    elif sample.form == "graph":
        yield from _tensorflow(sample)
    elif sample.form == "onnx":
        yield from _onnx(sample)


def _keras(sample: Sample) -> Iterator[Finding]:
    found = False
    if sample.head.startswith(b"PK"):
        try:
            with zipfile.ZipFile(sample.rewound()) as archive, archive.open("config.json") as member:
                found = bool(_LAMBDA.search(member.read(_MEMBER)))
        except BROKEN:
            yield Finding(UNSAFE, "unreadable", "Its configuration can't be read.", "Save the model anew.")
            return
    else:
        found = any(_LAMBDA.search(block) for _, block in sample.windows())
    if found:
        yield Finding(
            UNSAFE, "code", "A Keras Lambda layer, which holds Python code that loading runs.",
            "Write the layer as a registered class, or save the weights as safetensors.",
        )  # fmt: skip


def _tensorflow(sample: Sample) -> Iterator[Finding]:
    told: set[bytes] = set()
    for _, block in sample.windows():
        for match in _OPERATIONS.finditer(block):
            if match[1] not in told:
                told.add(match[1])
                yield Finding(
                    UNSAFE, "code", f"The graph holds the operation {match[1].decode()}, which reaches outside the model.",
                    "Export the model without it.",
                )  # fmt: skip


def _onnx(sample: Sample) -> Iterator[Finding]:
    told: set[str] = set()
    for _, block in sample.windows():
        for match in _LOCATION.finditer(block):
            name = block[match.end() : match.end() + match[1][0]].decode("utf-8", "replace")
            if name in told:
                continue
            told.add(name)
            parts = name.replace("\\", "/").split("/")
            if name.startswith(("/", "\\")) or ".." in parts or name[1:2] == ":":
                yield Finding(
                    UNSAFE, "traversal", f"It reads weights from '{name[:120]}', which lies outside the model's folder.",
                    "Save it with the weights beside it, named without folders.",
                )  # fmt: skip
            elif len(told) <= 5:
                yield Finding(NOTE, "external", f"Its weights lie in '{name[:120]}', a file beside it.")
