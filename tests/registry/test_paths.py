"""What a file may be called."""

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
    "name", ["m.pkl", "m.PICKLE", "pytorch_model.bin", "a.exe", "a.so", "a.tar.gz", "modeling.py", "noext"]
)
def test_any_kind_of_file_has_a_place(name):
    assert paths.check_path(name) == name
