"""Whatever the bytes and the name: the finders end, say something that can be kept, and trip over nothing."""

import io
import json
import pickle
import zipfile

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.scanners.forms import FORMS, form_of
from registry.scanners.main import _look
from registry.scanners.samples import Sample


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": [1]}))
        archive.writestr("b.txt", "hello" * 50)
    return out.getvalue()


SEEDS = [
    _zip(), pickle.dumps({"a": (1, 2.0, "x", b"y")}), pickle.dumps([1], protocol=0), b"\x1f\x8b\x08\0" + bytes(16), b"BZh9", b"\xfd7zXZ\0",
    b"\x93NUMPY\x01\0v\0{'descr': '|O'}", b"\x7fELF", b"MZ" + bytes(62), bytes(257) + b"ustar\x0000", b"\x89HDF\r\n\x1a\n",
    b'{"chat_template": "{{ x }}", "auto_map": {}}', b"GGUF" + b"tokenizer.chat_template\x08\0\0\0", b"\x0a\x08location\x12\x7f..", b"",
]  # fmt: skip
NAMES = st.sampled_from([f"x{suffix}" for suffix in sorted(FORMS)] + ["noext", "tokenizer_config.json"])


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A file of some kind with bytes changed, cut off or added."""
    content = bytearray(draw(st.sampled_from(SEEDS)))
    for place, value in draw(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=8)):
        if content:
            content[place % len(content)] = value
    return bytes(content[: draw(st.integers(0, 4000))]) + draw(st.binary(max_size=64))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=NAMES, content=damaged())
def test_no_file_trips_the_finders(name, content):
    found = _look(Sample(name, form_of(name), len(content), io.BytesIO(content)))
    json.dumps(found)
    assert not [one for one in found if one["text"].startswith("Looking for")], found
    assert all(one["level"] in ("unsafe", "note") for one in found)
