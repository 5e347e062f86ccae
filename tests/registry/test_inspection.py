"""What registration finds in files: whole or not, and what they say of themselves."""

import json

import pytest

from accounts.errors import Invalid, Problem
from registry.inspection import cards

from .conftest import CARD, model_files, safetensors


def refused(make_draft, make_asset, actor, cast, files, kind="model"):
    from registry import actions

    version = make_draft(make_asset(kind=kind), files)
    with pytest.raises(Problem) as raised:
        actions.register_version(version=version, by=actor(cast.alice))
    version.refresh_from_db()
    assert version.state == "draft" and version.digest == ""
    return raised.value.detail


WHOLE = safetensors({"a": [10, 10], "b": [5]})
MODELS = [
    ({}, "no files yet"),
    (model_files(**{"config.json": b"{nope"}), r"config.json, line 1, column 2: not JSON"),
    (model_files(**{"config.json": b"[]"}), "no JSON object"),
    (model_files(**{"config.json": b"\xff\xfe{}"}), "not UTF-8"),
    (
        model_files(**{"model.safetensors": WHOLE[:-7]}),
        f"model.safetensors, byte {len(WHOLE) - 7}: expected {len(WHOLE)} bytes, got {len(WHOLE) - 7}",
    ),
    (model_files(**{"model.safetensors": WHOLE[:40]}), "expected at least"),
    (model_files(**{"model.safetensors": WHOLE + b"more"}), "bytes after its last tensor"),
    (model_files(**{"model.safetensors": b"abc"}), "needs more"),
    (model_files(**{"model.safetensors": b"\xff" * 100}), "does not begin with a safetensors header"),
    (model_files(**{"model.safetensors": b"\x10" + bytes(7) + b"x" * 16}), "not JSON"),
    (model_files(**{"model.safetensors": safetensors({"a": [4]}, width=3)}), "its shape needs 16"),
    (
        model_files(
            **{"model.safetensors.index.json": json.dumps({"weight_map": {"w": "part-2.safetensors"}}).encode()}
        ),
        "part-2.safetensors: it is missing",
    ),
    (
        model_files(
            **{"model.safetensors.index.json": json.dumps({"weight_map": {"w": "model.safetensors"}}).encode()}
        ),
        "tensor 'w'",
    ),
    (model_files(**{"README.md": b"---\nlicense: [\n---\n"}), "README.md, line 2, column 11"),
    (model_files(**{"README.md": b"---\na: &x 1\nb: *x\n---\n"}), "aliases"),
    (model_files(**{"README.md": b"---\nlicense: mit\n"}), "no closing"),
]


@pytest.mark.parametrize(("files", "words"), MODELS)
def test_an_incomplete_model_is_refused_naming_the_file(files, words, make_draft, make_asset, actor, cast):
    import re

    assert re.search(words, refused(make_draft, make_asset, actor, cast, files))


DATASETS = [
    ({"a.jsonl": b'{"input": "a"}\n{"input": \n'}, "a.jsonl, line 2, column"),
    ({"a.jsonl": b'{"input": "a"}\n\n[1]\n'}, "a.jsonl, line 3: each line must be a JSON object"),
    ({"a.jsonl": b'{"input": NaN}\n'}, "line 1: NaN"),
    ({"a.jsonl": b'{"input": "\\u0000"}\n'}, "line 1: there is a NUL"),
    ({"a.jsonl": b'{"input": "\\ud800"}\n'}, "line 1: half of a surrogate"),
    ({"a.jsonl": b'{"a": 1}\n{"b": "\xff"}\n'}, "line 2, byte 8: not UTF-8"),
    ({"a.csv": b"input,expected\n1,2\n1,2,3\n"}, "a.csv, line 3: 3 fields, but there are 2 columns"),
    ({"a.csv": b"input,input\n1,2\n"}, "two columns are called 'input'"),
    ({"a.csv": b"input,\n1,2\n"}, "line 1, column 2: the column has no name"),
    ({"a.csv": b""}, "no column names"),
    ({"a.csv": b'input,expected\n"1,2\n'}, "not CSV"),
    ({"a.parquet": b"PAR1 cut short"}, "not a whole Parquet file"),
    ({"a.json": b"{"}, "a.json, line 1, column 2: not JSON"),
]


@pytest.mark.parametrize(("files", "words"), DATASETS)
def test_a_bad_row_is_named_by_file_and_line(files, words, make_draft, make_asset, actor, cast):
    assert words in refused(make_draft, make_asset, actor, cast, files, kind="dataset")


def test_facts_of_a_model(make_asset, make_version):
    files = model_files(**{"model.safetensors": safetensors({"a": [10, 10], "b": [5]}), "tokenizer_config.json": b"{}"})
    facts = make_version(make_asset(), files).facts
    assert facts["parameters"] == 105 and facts["dtypes"] == {"F32": 105} and facts["tensors"] == 2
    assert facts["context_length"] == 64 and facts["vocabulary"] == 100 and facts["files"] == 5
    assert facts["warnings"] == ["There is no chat template, so it answers completions but no chats."]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"notes.txt": b"anything"}, "config.json is missing"),
        (model_files(**{"config.json": None}), "config.json is missing"),
        (model_files(**{"model.safetensors": None}), "no weights in safetensors"),
        (
            model_files(**{"model.safetensors": None, "sub/model.safetensors": safetensors()}),
            "no weights in safetensors",
        ),
        (model_files(**{"tokenizer.json": None}), "no tokenizer"),
    ],
)
def test_any_files_are_registered_and_facts_say_why_they_can_not_be_served(files, reason, make_asset, make_version):
    facts = make_version(make_asset(), files).facts
    assert facts["servable"] is False and reason in facts["not_servable"]
    assert any("can't be served here" in warning for warning in facts["warnings"])


def test_a_whole_model_is_servable(make_asset, make_version):
    facts = make_version(make_asset()).facts
    assert facts["servable"] is True and "not_servable" not in facts


def test_a_dataset_without_rows_is_registered_and_says_so(make_asset, make_version):
    facts = make_version(make_asset(kind="dataset"), {"README.md": b"# x"}).facts
    assert "There are no rows" in facts["warnings"][0]


def test_facts_and_rows_of_a_dataset(make_asset, make_version):
    from registry import datasets

    jsonl = b"\xef\xbb\xbf" + b"".join(
        json.dumps({"input": f"i{n}", "expected": n}).encode() + b"\n" for n in range(2500)
    )
    version = make_version(
        make_asset(kind="dataset"),
        {"b.jsonl": jsonl, "a.csv": b'input,expected\n"x\ny",1\n\nz,2\n', "README.md": CARD.encode()},
    )
    assert version.facts["rows"] == 2502 and version.facts["columns"] == ["input", "expected"]
    everything = list(datasets.rows(version))
    assert len(everything) == 2502 and everything[0] == {"input": "x\ny", "expected": "1"}
    assert everything[1] == {"input": "z", "expected": "2"} and everything[2] == {"input": "i0", "expected": 0}
    for start in (0, 1, 2, 3, 700, 1025, 2499, 2501, 2502, 9000):
        assert list(datasets.rows(version, start, 7)) == everything[start : start + 7], start
    located = list(datasets.located_rows(version, 1, 2))
    assert [(path, number) for path, number, _ in located] == [("a.csv", 2), ("b.jsonl", 1)]
    assert len(version.row_index["b.jsonl"]["at"]) <= 512


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        (CARD, []),
        ("", ["intended use", "limits", "training data", "licence"]),
        ("## Intended uses\nx\n## Limitations\ny\n## Licence\nMIT", ["training data"]),
        ("# Card\n## Intended use\n\n## Limits\n### Of age\nz", ["intended use", "training data", "licence"]),
        ("```\n## Limits\nx\n```\n## Intended use\nx\n## Training data\nx\n## License\nx", ["limits"]),
    ],
)
def test_what_a_card_lacks(text, lacks):
    assert cards.missing(cards.parse(text), "model") == lacks


def test_front_matter_becomes_plain_json():
    card = cards.parse("---\nlicense: mit\ndate: 2021-03-03\ntags: [a, b]\nx: .nan\n---\n# T")
    assert card.front_matter["date"] == "2021-03-03" and card.front_matter["tags"] == ["a", "b"]
    json.dumps(card.front_matter, allow_nan=False)


def test_front_matter_must_be_a_mapping():
    with pytest.raises(Invalid, match="name: value"):
        cards.parse("---\n- a\n---\n")
