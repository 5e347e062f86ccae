"""What the finders say of files that are made to do harm, and of those that are not. The files are made here."""

import bz2
import gzip
import io
import json
import pickle
import tarfile
import zipfile

import pytest

from registry.scanners.forms import form_of
from registry.scanners.main import scan
from tests.registry.conftest import safetensors

AWS = "AKIA" + "QW7LMZ4TNB2XKD5R"
GITHUB = "ghp_" + "q9ZtR2mWx7Lk4VbN8sYc1HdG5fJp3aTe6UoI"


class Evil:
    def __reduce__(self):
        import os

        return os.system, ("true",)


@pytest.fixture
def look(tmp_path):
    """look(path, bytes) -> (unsafe kinds, all findings)."""

    def look(path, content):
        place = tmp_path / "sample"
        place.write_bytes(content)
        with place.open("rb") as file:
            entry = {"path": path, "form": form_of(path), "size": len(content)}
            answers = list(scan({"files": [entry], "handles": [file.fileno()]}))
        assert answers[0] == {"begin": 0}
        found = answers[1]["findings"]
        return {one["kind"] for one in found if one["level"] == "unsafe"}, found

    return look


def zipped(members, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(entries, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for entry, content in entries:
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def member(name, size=0, **fields):
    entry = tarfile.TarInfo(name)
    entry.size = size
    for key, value in fields.items():
        setattr(entry, key, value)
    return entry


@pytest.mark.parametrize("name", ["weights.pkl", "weights.bin", "notes.txt", "model.safetensors", "noext"])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_call_in_a_pickle_is_found_whatever_the_name(look, name, protocol):
    unsafe, found = look(name, pickle.dumps(Evil(), protocol=protocol))
    assert {"pickle", "call"} <= unsafe
    assert any("system" in one["text"] for one in found)


def test_a_call_in_an_old_pickle_without_a_mark_is_found_by_its_name(look):
    assert "call" in look("w.pt", pickle.dumps(Evil(), protocol=0))[0]


def test_a_harmless_pickle_is_an_unsafe_format_with_a_remedy(look):
    unsafe, found = look("rows.pkl", pickle.dumps({"a": [1, 2.0, "x"]}))
    assert unsafe == {"pickle"}
    assert "safetensors" in found[0]["remedy"]


def test_a_pytorch_archive_is_looked_into(look):
    good = zipped({"archive/data.pkl": pickle.dumps({"w": 1}), "archive/data/0": b"\x80\x02MZPK\x03\x04" * 4}, 0)
    assert look("pytorch_model.bin", good)[0] == {"pickle"}
    bad = zipped({"archive/data.pkl": pickle.dumps(Evil()), "archive/data/0": b"x"}, 0)
    assert "call" in look("pytorch_model.bin", bad)[0]
    script = zipped({"m/data.pkl": pickle.dumps(1), "m/code/__torch__.py": b"def forward(): pass"}, 0)
    assert "code" in look("model.pt", script)[0]


def test_an_array_of_objects_is_a_pickle_and_one_of_numbers_is_not(look):
    np = pytest.importorskip("numpy")
    out = io.BytesIO()
    np.save(out, np.array([Evil()], dtype=object), allow_pickle=True)
    assert "call" in look("a.npy", out.getvalue())[0]
    out = io.BytesIO()
    np.save(out, np.zeros(8))
    assert look("a.npy", out.getvalue()) == (set(), [])


def test_a_zip_bomb_is_named_without_being_unpacked(look):
    bomb = zipped({"zeros": bytes(20 << 20)})
    assert len(bomb) < 100_000
    unsafe, found = look("data.zip", bomb)
    assert unsafe == {"bomb"} and "unpack to more than" in found[0]["text"]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_compressed_bomb_is_stopped(look, pack):
    assert look("rows.jsonl.gz", pack(bytes(20 << 20)))[0] == {"bomb"}


def test_names_that_lead_out_links_and_devices(look):
    assert "traversal" in look("a.zip", zipped({"../../etc/cron.d/x": b"x"}))[0]
    assert "traversal" in look("a.tar", tarred([(member("/etc/passwd", 1), b"x")]))[0]
    link = member("here", type=tarfile.SYMTYPE, linkname="/etc/shadow")
    unsafe, found = look("a.tar", tarred([(link, b"")]))
    assert unsafe == {"link"} and "/etc/shadow" in found[0]["text"]
    assert "link" in look("a.tgz", tarred([(link, b"")], "w:gz"))[0]
    assert "link" in look("a.tar", tarred([(member("null", type=tarfile.CHRTYPE), b"")]))[0]


def test_archives_in_archives_and_programs_in_archives(look):
    assert "nested" in look("a.zip", zipped({"inner.zip": zipped({"x": b"x"})}))[0]
    assert "program" in look("a.zip", zipped({"tool": b"\x7fELF" + bytes(60)}))[0]
    assert "code" in look("a.tar", tarred([(member("setup.py", 1), b"x")]))[0]
    assert look("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(50))[0] == {"archive"}


def test_an_encrypted_member_is_said(look):
    content = bytearray(zipped({"x.txt": b"hello"}, 0))
    content[6] |= 1  # the flag in front of the bytes
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    assert look("a.zip", bytes(content))[0] == {"encrypted"}


def test_an_archive_of_plain_files_is_a_note(look):
    unsafe, found = look("images.zip", zipped({"a.png": b"\x89PNG", "b/c.txt": b"text"}))
    assert not unsafe and "2 files" in found[0]["text"]
    assert look("broken.zip", b"PK\x03\x04nonsense")[0] == {"unreadable"}


def test_a_polyglot_is_found_from_its_end(look):
    two = safetensors() + zipped({"data.pkl": pickle.dumps(Evil())})
    assert "polyglot" in look("model.safetensors", two)[0]


@pytest.mark.parametrize(
    ("name", "content"),
    [("tool", b"\x7fELF" + bytes(60)), ("x.bin2", b"\xcf\xfa\xed\xfe"), ("run", b"#!/bin/sh\n"), ("a.dll", b"x"), ("a.txt", b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0")],
)  # fmt: skip
def test_programs_are_unsafe_whatever_their_name(look, name, content):
    assert look(name, content)[0] == {"program"}


def test_code_of_ones_own_is_unsafe_with_its_line(look):
    assert look("modeling.py", b"print(1)")[0] == {"code"}
    config = json.dumps({"a": 1, "auto_map": {"AutoModel": "modeling.My"}}, indent=1).encode()
    unsafe, found = look("config.json", config)
    assert unsafe == {"code"} and found[0]["line"] == 3 and "modeling.My" in found[0]["text"]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (f"aws_access_key_id = {AWS}", "AWS access key"),
        (f"token: {GITHUB}", "GitHub token"),
        ("hf = 'hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZqweRtYuI'", "Hugging Face"),
        ("key=sk-proj-" + "a8Fk2Lq9Zx7Wm3Nv5Bt1Yc6Rd4Ge0Hs2Ju8", "OpenAI"),
        ("-----BEGIN RSA PRIVATE KEY-----", "private key"),
    ],
)
def test_secrets_are_named_by_line_and_kind_and_never_kept(look, line, kind):
    unsafe, found = look("notes.md", f"# Title\n\n{line}\n".encode())
    assert unsafe == {"secret"}
    assert kind in found[0]["text"] and found[0]["line"] == 3
    secret = line.split()[-1].split("=")[-1].strip("'")
    assert secret not in json.dumps(found) or "BEGIN" in line


def test_examples_and_random_words_are_no_secrets(look):
    text = b"AKIAIOSFODNN7EXAMPLE sk-your_key_goes_here_your_key_goes_here ghp_" + b"a" * 36
    assert look("notes.md", text) == (set(), [])


def test_a_secret_in_rows_is_a_note(look):
    unsafe, found = look("rows.jsonl", json.dumps({"input": GITHUB}).encode())
    assert not unsafe and found[0]["kind"] == "secret"


def test_a_chat_template_that_reaches_out_is_unsafe(look):
    attack = "{{ messages }}\n{{ ''.__class__.__mro__[1].__subclasses__() }}"
    unsafe, found = look("tokenizer_config.json", json.dumps({"chat_template": attack}).encode())
    assert unsafe == {"template"} and found[0]["line"] == 2
    assert look("chat_template.jinja", b"{{ x|attr('y') }}")[0] == {"template"}
    key = b"tokenizer.chat_template" + (8).to_bytes(4, "little") + len(attack).to_bytes(8, "little")
    assert look("m.gguf", b"GGUF" + bytes(20) + key + attack.encode())[0] == {"template"}
    plain = "{% for m in messages %}{{ m.role }}: {{ m['content'] }}{% endfor %}"
    assert look("tokenizer_config.json", json.dumps({"chat_template": plain}).encode()) == (set(), [])


def test_graphs_that_hold_code_or_lead_out(look):
    layer = json.dumps({"config": {"layers": [{"class_name": "Lambda"}]}})
    assert "code" in look("m.keras", zipped({"config.json": layer}))[0]
    assert "code" in look("m.h5", b"\x89HDF\r\n\x1a\n" + bytes(100) + layer.encode())[0]
    assert "code" in look("saved_model.pb", b"\x0a\x0aWriteFile\x12\x01x" + b"\x0a\x09WriteFile")[0]
    location = b"\x0a\x08location\x12"
    assert look("m.onnx", bytes(9) + location + b"\x0d../etc/passwd")[0] == {"traversal"}
    assert look("m.onnx", bytes(9) + location + b"\x0cweights.data")[0] == set()


def test_ordinary_files_are_clean(look):
    for name, content in {
        "model.safetensors": safetensors(),
        "config.json": b'{"model_type": "llama"}',
        "README.md": "# Größe\n\nPrivate keys are kept elsewhere.".encode(),
        "rows.jsonl": b'{"input": "a"}\n',
        "empty": b"",
    }.items():
        assert look(name, content) == (set(), []), name
