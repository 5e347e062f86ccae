"""What changed, in a line."""

from governance.templatetags.ledger import change_summary


def test_sizes_have_a_unit():
    said = change_summary({"size": 0, "files": 0}, {"size": 91568987, "files": 11}).replace("\xa0", " ")
    assert said == "size 0 bytes → 87.3 MB, files 0 → 11"
    assert change_summary(None, {"size": "large"}) == "size large"
