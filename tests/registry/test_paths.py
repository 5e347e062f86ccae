"""What a file may be called, and which kinds are refused."""

import pytest

from accounts.errors import Invalid
from registry import paths

BAD = [
    "", "/etc/passwd", "../x", "a/../b", "a/..", "./a", "a//b", "a/", "a\\b", "a\0b", "a\nb", " a", "a /b", "a.", "x" * 501, "a/" + "x" * 256, "..", ".",
]  # fmt: skip


@pytest.mark.parametrize("path", BAD)
def test_paths_that_lead_astray_are_refused_naming_the_field(path):
    with pytest.raises(Invalid) as raised:
        paths.check_path(path)
    assert set(raised.value.errors) == {"path"}


@pytest.mark.parametrize("path", ["a", "1_Pooling/config.json", ".gitattributes", "a b/ü.txt", "a..b", "x" * 255])
def test_ordinary_paths_pass(path):
    assert paths.check_path(path) == path


def test_a_path_is_a_file_or_a_folder():
    with pytest.raises(Invalid, match="'a' is a file"):
        paths.check_nesting("a/b", {"a"})
    with pytest.raises(Invalid, match="'a' is a folder"):
        paths.check_nesting("a", {"a/b"})
    paths.check_nesting("ab", {"a/b", "a.txt"})


@pytest.mark.parametrize(
    "name", ["m.pkl", "m.PICKLE", "pytorch_model.bin", "m.pt", "m.pth", "m.ckpt", "m.joblib", "m.npy"]
)
def test_pickles_are_refused_with_the_remedy(name):
    with pytest.raises(Invalid, match="safetensors"):
        paths.check_type(name, "model")


@pytest.mark.parametrize("name", ["a.exe", "a.so", "a.sh", "a.zip", "a.tar.gz"])
def test_programs_and_archives_are_refused(name):
    with pytest.raises(Invalid):
        paths.check_type(name, "model")


@pytest.mark.parametrize("name", ["rows.pkl", "rows.xlsx", "noext", "m.safetensors"])
def test_datasets_take_their_own_kinds(name):
    with pytest.raises(Invalid, match=r"\.jsonl"):
        paths.check_type(name, "dataset")
    for fine in ("a.jsonl", "b.CSV", "c.parquet", "README.md", "LICENSE"):
        paths.check_type(fine, "dataset")


@pytest.mark.parametrize("beginning", [b"\x7fELF\x02", b"MZ\x90", b"PK\x03\x04", b"\x80\x04\x95", b"\x93NUMPY"])
def test_a_renamed_file_is_known_by_its_first_bytes(beginning):
    with pytest.raises(Invalid, match="first bytes"):
        paths.check_content("model.safetensors", beginning, "model")
