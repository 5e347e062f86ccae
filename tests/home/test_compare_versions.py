"""Any two versions on one page, and how far the weights moved between them."""

import json
import math

import numpy as np
import pytest

from accounts.errors import Conflict
from registry import actions
from registry.actions import weights as weight_actions
from registry.comparison import measuring, weights
from registry.inspection.source import Tensor
from registry.models import WeightComparison
from registry.tasks import measure_weights
from tests.registry.conftest import make_asset, make_draft, make_version, model_files, storage_root  # noqa: F401
from tests.registry.format_files import tokenizer_file

ADDRESS = "/models/acme/dates/compare"


def stored(**arrays):
    from safetensors.numpy import save

    return save({name.replace("__", "."): array for name, array in arrays.items()})


A = np.arange(1, 13, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def pair(make_asset, make_version):  # noqa: F811
    asset = make_asset()
    config = {"architectures": ["X"], "rope": {"theta": 1}, "hidden_size": 4}
    before = make_version(
        asset,
        model_files(
            **{
                "config.json": json.dumps(config).encode(),
                "model.safetensors": stored(a=A, same=np.ones(3, np.float16), gone=A, shape=A),
                "tokenizer.json": tokenizer_file(("a", "b", "c")),
            }
        ),
    )
    after = make_version(
        asset,
        model_files(
            **{
                "config.json": json.dumps({**config, "rope": {"theta": 2}}).encode(),
                "model.safetensors": stored(a=A * 1.1, same=np.ones(3, np.float16), new=A, shape=A.T.copy()),
                "tokenizer.json": tokenizer_file(("a", "c", "d<b>"), special="<e>"),
                "tokenizer_config.json": b'{"chat_template": "{{ other }}"}',
                "extra.txt": b"x",
            }
        ),
    )
    return before, after


def test_everything_that_differs_is_on_one_page(pair, client_of, cast):
    page = client_of(cast.alice).get(f"{ADDRESS}?from=1&to=2").content.decode()
    for words in (
        "extra.txt",
        "rope.theta",
        "2 tokens added",
        "2 tokens removed",
        "d&lt;b&gt;",
        "Chat template",
        "gone",
        "F32 3 × 4",
        "F32 4 × 3",
    ):
        assert words in page, words
    assert "2 of the same shape and type" in page and "Measure</button>" in page


def test_over_rest(pair, api, cast):
    found = api(cast.alice).get(f"/api/v1{ADDRESS}?from=1&to=2").json()
    assert found["identical"] is False and found["weights"] is None
    assert {one["path"]: one["state"] for one in found["files"]["changes"]}["extra.txt"] == "added"
    assert found["configuration"][0]["changes"] == [
        {"key": "rope.theta", "state": "changed", "before": "1", "after": "2"}
    ]
    assert found["tensors"]["counts"] == {"same": 2, "added": 1, "removed": 1, "changed": 1}
    assert found["tokenizer"]["added"] == {"count": 2, "tokens": ["d<b>", "<e>"]}
    assert found["tokenizer"]["special_added"] == ["<e>"] and found["tokenizer"]["special_removed"] == ["<s>"]
    assert found["tokenizer"]["template_changed"] is True and found["tokenizer"]["moved"] == 1


def test_how_far_the_weights_moved(pair, api, client_of, cast):
    _before, _after = pair
    client = api(cast.victor)
    asked = client.post(f"/api/v1{ADDRESS}/weights?from=1&to=2")
    assert asked.status_code == 202 and asked.json()["state"] == "queued"
    assert 'hx-trigger="every 2s"' in client_of(cast.victor).get(f"{ADDRESS}/weights?from=1&to=2").content.decode()
    assert measure_weights() is True and measure_weights() is False
    found = client.get(f"/api/v1{ADDRESS}?from=1&to=2").json()["weights"]
    assert found["state"] == "done" and found["summary"]["measured"] == 2 and found["summary"]["moved"] == 1
    assert found["summary"]["not_measured"] == 1 and found["done_bytes"] == found["total_bytes"] > 0
    first = found["tensors"][0]
    assert first["name"] == "a" and math.isclose(first["relative"], 0.1, rel_tol=1e-5)
    assert math.isclose(first["cosine"], 1, rel_tol=1e-6) and math.isclose(first["largest"], 1.2, rel_tol=1e-5)
    assert found["tensors"][1] == {"name": "same", "relative": 0.0, "cosine": 1.0, "largest": 0.0}
    page = client_of(cast.victor).get(f"{ADDRESS}/weights?from=1&to=2").content.decode()
    assert "hx-trigger" not in page and "10 %" in page


def test_measuring_is_asked_once_and_goes_on_where_a_slice_ended(pair, actor, cast):
    before, after = pair
    row = actions.ask_weights(before=before, after=after, by=actor(cast.alice))
    assert actions.ask_weights(before=before, after=after, by=actor(cast.bob)).pk == row.pk
    claimed = weight_actions.claim()
    assert claimed.pk == row.pk and weight_actions.claim() is None
    assert measuring.measure(claimed, slice_s=-1) is True
    row.refresh_from_db()
    assert row.state == "queued" and row.lease == ""
    again = weight_actions.claim(row.pk)
    assert measuring.measure(again) is False
    row.refresh_from_db()
    assert row.state == "done" and row.summary["measured"] == 2


def test_a_worker_that_lost_its_lease_writes_nothing(pair, actor, cast):
    before, after = pair
    row = actions.ask_weights(before=before, after=after, by=actor(cast.alice))
    claimed = weight_actions.claim()
    WeightComparison.objects.filter(pk=row.pk).update(lease="somebody else's")
    assert measuring.measure(claimed) is False
    row.refresh_from_db()
    assert row.state == "running" and row.summary == {}


def test_bytes_that_are_gone_end_it_with_a_reason_and_it_can_be_asked_again(pair, actor, cast):
    from registry import storage

    before, after = pair
    row = actions.ask_weights(before=before, after=after, by=actor(cast.alice))
    storage.delete(after.files.get(path="model.safetensors").blob_id)
    measure_weights(row.pk)
    row.refresh_from_db()
    assert row.state == "failed" and "can't be read" in row.error
    assert actions.ask_weights(before=before, after=after, by=actor(cast.alice)).state == "queued"


def test_identical_digests_say_so(make_asset, make_version, client_of, api, actor, cast):  # noqa: F811
    asset = make_asset()
    first, second = make_version(asset), make_version(asset)
    page = client_of(cast.alice).get(f"{ADDRESS}?from=1&to=2").content.decode()
    assert "Both have the same digest" in page and "Measure</button>" not in page
    assert api(cast.alice).get(f"/api/v1{ADDRESS}?from=1&to=2").json()["identical"] is True
    with pytest.raises(Conflict, match="same digest"):
        actions.ask_weights(before=first, after=second, by=actor(cast.alice))


def test_versions_of_two_models_and_by_alias(pair, make_asset, make_version, client_of, actor, cast):  # noqa: F811
    before, after = pair
    other = make_asset("other")
    make_version(other)
    actions.move_alias(asset=before.asset, name="candidate", version=after, by=actor(cast.alice))
    page = client_of(cast.alice).get(f"{ADDRESS}?from=candidate&to=acme/other@1").content.decode()
    assert "acme/dates version 2" in page and "acme/other version 1" in page
    assert client_of(cast.alice).get(f"{ADDRESS}?from=1&to=acme/none@1").status_code == 404
    assert client_of(cast.mallory).get(f"{ADDRESS}?from=1&to=2").status_code == 404
    assert client_of(cast.alice).get(f"{ADDRESS}?from=1&to=9").status_code == 404
    assert client_of(cast.alice).get(f"{ADDRESS}?from=1").status_code == 404
    wrong = client_of(cast.alice).get(f"{ADDRESS}?from=1&to=9").content.decode()
    assert "has no version 9" in wrong
    assert 'name="to" value="9"' in wrong  # to be put right there
    assert "To <input" not in client_of(cast.mallory).get(f"{ADDRESS}?from=1&to=9").content.decode()


@pytest.mark.parametrize("mark", ["restricted", "gated"])
def test_what_is_in_restricted_and_gated_files_is_not_compared(mark, pair, api, cast):
    before, _ = pair
    setattr(before.asset, mark, True)
    before.asset.save(update_fields=[mark])
    found = api(cast.victor).get(f"/api/v1{ADDRESS}?from=1&to=2").json()
    assert found["hidden"].lower().startswith(mark)
    assert found["tokenizer"] is None and found["configuration"][0]["changes"] == []
    asked = api(cast.victor).post(f"/api/v1{ADDRESS}/weights?from=1&to=2")
    assert asked.status_code == (403 if mark == "gated" else 202)


def test_drafts_and_datasets_are_compared_too(make_asset, make_version, make_draft, client_of, cast):  # noqa: F811
    asset = make_asset(kind="dataset")
    make_version(asset)
    make_draft(asset, {"rows.jsonl": b'{"input": "c", "other": 1}\n'})
    page = client_of(cast.alice).get("/datasets/acme/dates/compare?from=1&to=2")
    assert page.status_code == 200 and "rows.jsonl" in page.content.decode()


FLOATS = ["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F8_E8M0"]


@pytest.mark.parametrize("dtype", FLOATS)
def test_every_type_is_decoded_as_the_library_does(dtype):
    import ml_dtypes

    names = {"BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E4M3FNUZ": "float8_e4m3fnuz",
             "F8_E5M2FNUZ": "float8_e5m2fnuz", "F8_E8M0": "float8_e8m0fnu", "F16": "float16", "F32": "float32", "F64": "float64"}  # fmt: skip
    kind = np.dtype(getattr(ml_dtypes, names[dtype], None) or names[dtype])
    raw = bytes(range(256)) * kind.itemsize if kind.itemsize == 1 else np.arange(0, 60_000, 7, np.uint64).tobytes()
    with np.errstate(all="ignore"):
        expected = np.frombuffer(raw, kind).astype(np.float64)
        np.testing.assert_array_equal(weights.decode(dtype, raw).astype(np.float64), expected)


def test_a_distance_over_several_blocks_of_two_types(tmp_path, monkeypatch):
    import io

    monkeypatch.setattr(weights, "BLOCK", 1000)
    random = np.random.default_rng(3)
    a, b = random.normal(size=(7, 999)).astype(np.float32), random.normal(size=(7, 999)).astype(np.float16)
    ticks = []
    found = weights.distance(
        Tensor("w", "F32", a.shape, a.nbytes, 16), io.BytesIO(bytes(16) + a.tobytes()),
        Tensor("w", "F16", b.shape, b.nbytes, 0), io.BytesIO(b.tobytes()), ticks.append,
    )  # fmt: skip
    x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    assert math.isclose(found.relative, np.linalg.norm(y - x) / np.linalg.norm(x), rel_tol=1e-9)
    assert math.isclose(found.cosine, x @ y / np.linalg.norm(x) / np.linalg.norm(y), rel_tol=1e-9)
    assert math.isclose(found.largest, np.abs(y - x).max(), rel_tol=1e-9) and sum(ticks) == a.nbytes + b.nbytes


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([0, 0], [0, 0], (0.0, None)),
        ([0, 0], [1, 0], (None, None)),
        ([1, math.nan], [1, 1], (None, None)),
        ([1, 0], [-1, 0], (2.0, -1.0)),
    ],
)
def test_zeros_and_what_is_not_finite(before, after, expected):
    import io

    def of(values):
        raw = np.array(values, np.float32).tobytes()
        return Tensor("w", "F32", (2,), 8, 0), io.BytesIO(raw)

    found = weights.distance(*of(before), *of(after))
    assert (found.relative, found.cosine) == expected
