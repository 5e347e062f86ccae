"""What is in a version, as pages and over REST: folders, texts, tensors and the memory that they need."""

import json

import pytest

from registry import browser, memory, tensors

from .conftest import CARD, model_files, safetensors

VERSION = "/models/acme/dates/versions/1"
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "max_position_embeddings": 1000, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 64,
}  # fmt: skip
SHAPES = {
    "model.embed.weight": [100, 8], "model.layers.0.q.weight": [8, 8], "model.layers.10.q.weight": [8, 8],
    "model.layers.2.q.weight": [8, 8], "model.layers.2.q.bias": [8], "lm_head.weight": [4, 8],
}  # fmt: skip


@pytest.fixture
def version(make_asset, make_version):
    return make_version(
        make_asset(),
        model_files(
            **{
                "config.json": json.dumps(CONFIG).encode(),
                "model.safetensors": safetensors(SHAPES),
                "sub/deep/a <b>.txt": b"one\n<script>two</script>\n",
                "sub/notes.md": CARD.encode(),
                "sub/blob.dat": b"\x00\x01",
                "sub/picture.png": b"\x89PNG",
                "sub/large.txt": b"x" * (600 << 10),
            }
        ),
    )


def test_folders_are_listed_with_what_is_below_them(version):
    root = browser.listing(version)
    assert [(entry.name, entry.files) for entry in root[:2]] == [("sub", 5), ("README.md", 0)]
    assert [entry.name for entry in browser.listing(version, "sub")] == [
        "deep",
        "blob.dat",
        "large.txt",
        "notes.md",
        "picture.png",
    ]
    assert browser.listing(version, "su") == []
    assert browser.crumbs("sub/deep/a.txt") == [("sub", "sub"), ("deep", "sub/deep")]


def test_a_text_is_shown_with_line_numbers_and_never_as_markup(version, client_of, cast):
    client = client_of(cast.alice)
    page = client.get(f"{VERSION}/browse", {"path": "sub/deep/a <b>.txt"}).content.decode()
    assert '<li id="L2"><code>&lt;script&gt;two&lt;/script&gt;</code></li>' in page and "<script>two" not in page
    assert "?path=sub%2Fdeep" in client.get(f"{VERSION}/browse", {"path": "sub"}).content.decode()
    markdown = client.get(f"{VERSION}/browse", {"path": "sub/notes.md"}).content.decode()
    assert "As a page" in markdown and "## Intended use" in markdown


@pytest.mark.parametrize(
    ("path", "words"),
    [("sub/blob.dat", "no text"), ("sub/picture.png", "Pictures are not shown"), ("sub/large.txt", "too large")],
)
def test_what_is_no_small_text_is_not_shown_and_says_why(path, words, version, client_of, cast):
    assert words in client_of(cast.alice).get(f"{VERSION}/browse", {"path": path}).content.decode()


def test_a_path_that_is_not_there_is_not_found(version, client_of, cast):
    assert client_of(cast.alice).get(f"{VERSION}/browse", {"path": "sub/none"}).status_code == 404


def test_showing_a_text_of_a_restricted_model_is_an_event(version, client_of, cast):
    from governance.ledger.models import AuditEvent

    version.asset.restricted = True
    version.asset.save(update_fields=["restricted"])
    client = client_of(cast.alice)
    client.get(f"{VERSION}/browse", {"path": "sub"})
    client.get(f"{VERSION}/browse", {"path": "sub/picture.png"})
    assert not AuditEvent.objects.filter(action="file.downloaded").exists()
    client.get(f"{VERSION}/browse", {"path": "sub/notes.md"})
    assert AuditEvent.objects.get(action="file.downloaded").after == {"path": "sub/notes.md"}


def test_a_gated_text_is_not_shown_to_who_lacks_access(version, client_of, cast):
    version.asset.gated = True
    version.asset.save(update_fields=["gated"])
    page = client_of(cast.victor).get(f"{VERSION}/browse", {"path": "sub/notes.md"})
    assert page.status_code == 200
    assert "Ask for access" in page.content.decode() and "Turning dates" not in page.content.decode()


def test_tensors_by_layer_in_natural_order(version):
    rows = tensors.of_version(version)
    assert [(group.name, group.tensors) for group in tensors.groups(rows)] == [("lm_head.weight", 1), ("model", 5)]
    layers = tensors.groups(rows, "model.layers")
    assert [(group.name, group.tensors, group.parameters) for group in layers] == [
        ("0.q.weight", 1, 64), ("2", 2, 72), ("10.q.weight", 1, 64),
    ]  # fmt: skip


def test_tensors_are_found_by_words_and_sorted(version):
    rows = tensors.of_version(version)
    assert [row.tensor.name for row in tensors.select(rows, search="layers BIAS")] == ["model.layers.2.q.bias"]
    assert len(tensors.select(rows, search="f32")) == 6 and tensors.select(rows, search="f16") == []
    assert tensors.select(rows, sort="size")[0].tensor.name == "model.embed.weight"
    assert len(tensors.select(rows, prefix="model.layers.2")) == 2


def test_pages_of_tensors(version, client_of, cast):
    client = client_of(cast.alice)
    assert "?prefix=model" in client.get(f"{VERSION}/tensors").content.decode()
    listed = client.get(f"{VERSION}/tensors", {"q": "bias"}).content.decode()
    assert "model.layers.2.q.bias" in listed and "model.embed" not in listed
    assert client.get(f"{VERSION}/tensors", {"view": "list", "cursor": "nonsense"}).status_code == 400


def test_tensors_over_rest_a_page_at_a_time(version, api, cast):
    client = api(cast.alice)
    names, cursor = [], ""
    while True:
        page = client.get(f"/api/v1{VERSION}/tensors?limit=4&sort=name&cursor={cursor}").json()
        names += [row["name"] for row in page["results"]]
        cursor = page["next"]
        if not cursor:
            break
    assert names == ["lm_head.weight", "model.embed.weight", "model.layers.0.q.weight", "model.layers.2.q.bias",
                     "model.layers.2.q.weight", "model.layers.10.q.weight"]  # fmt: skip
    assert page["total"] == 6
    assert page["results"][0] == {
        "name": "model.layers.2.q.weight", "dtype": "F32", "shape": [8, 8], "parameters": 64, "size": 256, "file": "model.safetensors",
    }  # fmt: skip
    assert client.get(f"/api/v1{VERSION}/tensors?sort=up").json()["errors"]["sort"]


def test_memory_is_weights_and_the_cache_of_a_text(version, api, cast):
    found = api(cast.alice).get(f"/api/v1{VERSION}/memory").json()
    parameters = 800 + 64 * 3 + 8 + 32
    assert found["parameters"] == parameters and found["stored"] == parameters * 4
    cache = 2 * 2 * 2 * 16 * 2 * 1000
    assert found["cache"]["size"] == cache and "2 heads × 16 dimensions" in found["cache"]["formula"]
    assert [(row["name"], row["weights"], row["total"]) for row in found["precisions"]] == [
        ("fp32", parameters * 4, parameters * 4 + cache), ("bf16", parameters * 2, parameters * 2 + cache),
        ("int8", parameters, parameters + cache), ("int4", parameters // 2, parameters // 2 + cache),
    ]  # fmt: skip
    assert api(cast.alice).get(f"/api/v1{VERSION}/memory?tokens=10").json()["cache"]["tokens"] == 10
    assert api(cast.alice).get(f"/api/v1{VERSION}/memory?tokens=-1").status_code == 400


def test_memory_of_compressed_keys_and_of_models_that_write_nothing():
    facts = {
        "parameters": 100,
        "layers": 3,
        "context_length": 10,
        "architecture": "DeepseekV3ForCausalLM",
        "kv_rank": 512,
        "rope_dim": 64,
    }
    assert memory.needed(facts).cache.size == 3 * 576 * 2 * 10
    assert memory.needed({**facts, "architecture": "BertModel"}).cache is None
    assert memory.needed({}) is None


def test_a_model_of_many_tensors_answers_quickly_and_in_few_queries(
    make_asset, make_version, client_of, cast, django_assert_max_num_queries
):
    make_version(make_asset(), {"model.safetensors": safetensors({f"layers.{n}.w": [1] for n in range(5_000)})})
    client = client_of(cast.alice)
    client.get(f"{VERSION}/tensors")
    with django_assert_max_num_queries(30):
        page = client.get(f"{VERSION}/tensors", {"view": "list"})
    assert page.content.decode().count("<tr>") < 110 and len(page.content) < 300_000
