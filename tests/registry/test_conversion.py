"""Checkpoints become safetensors in a process that runs nothing of theirs."""

import io
import json
import pickle

import pytest
import torch
from safetensors.torch import load

from accounts.errors import Conflict
from registry import actions, storage
from registry.models import Conversion, Link
from registry.tasks import convert, convert_waiting, scan
from tests.registry.conftest import model_files

pytestmark = pytest.mark.django_db


class Evil:
    def __reduce__(self):
        import os

        return os.system, ("touch /tmp/countersign-was-here",)


def saved(value, **options):
    out = io.BytesIO()
    torch.save(value, out, **options)
    return out.getvalue()


def weights():
    whole = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    return {"embed.weight": whole, "head.weight": whole, "part": whole[1:], "turned": whole.t()}


@pytest.fixture
def checkpoint(make_asset, make_version):
    """checkpoint(files) -> a registered version with these instead of safetensors."""

    def make(**files):
        return make_version(make_asset(), model_files(**{"model.safetensors": None, **files}))

    return make


def done(version, by):
    made = actions.start_conversion(version=version, by=by)
    convert(made.pk)
    made.refresh_from_db()
    return made


def read(version, path):
    with storage.open_blob(version.files.get(path=path).blob_id) as stream:
        return stream.read()


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}])
def test_a_checkpoint_becomes_a_version_with_safetensors(options, checkpoint, cast, actor):
    source = checkpoint(**{"pytorch_model.bin": saved(weights(), **options), "optimizer.pt": saved({"step": 1})})
    made = done(source, actor(cast.alice))
    assert made.state == "done", made.detail
    result = made.result
    assert result.is_registered and result.number == 2
    paths = set(result.files.values_list("path", flat=True))
    assert "model.safetensors" in paths and not paths & {"pytorch_model.bin", "optimizer.pt"}
    held = dict(source.files.values_list("path", "blob_id"))
    assert result.files.get(path="config.json").blob_id == held["config.json"]
    tensors = load(read(result, "model.safetensors"))
    for name, tensor in weights().items():
        assert torch.equal(tensors[name], tensor), name
    assert Link.objects.filter(version=result, relation="converted_from", origin=source).exists()
    scan(result.pk)
    from registry.scans import state_of

    assert state_of(result).verdict == "clean"


def test_pieces_keep_their_index(checkpoint, cast, actor):
    index = {"metadata": {"total_size": 32}, "weight_map": {"a": "pytorch_model-00001-of-00002.bin"}}
    source = checkpoint(
        **{
            "pytorch_model-00001-of-00002.bin": saved({"a": torch.ones(4)}),
            "pytorch_model-00002-of-00002.bin": saved({"b": torch.zeros(4)}),
            "pytorch_model.bin.index.json": json.dumps(index).encode(),
        }
    )
    made = done(source, actor(cast.alice))
    assert made.state == "done", made.detail
    found = json.loads(read(made.result, "model.safetensors.index.json"))
    assert found["weight_map"] == {
        "a": "model-00001-of-00002.safetensors",
        "b": "model-00002-of-00002.safetensors",
    }


def test_a_training_checkpoint_gives_its_weights_alone(checkpoint, cast, actor):
    source = checkpoint(**{"last.ckpt": saved({"state_dict": {"w": torch.ones(2)}, "epoch": 3})})
    made = done(source, actor(cast.alice))
    assert list(load(read(made.result, "last.safetensors"))) == ["w"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (pickle.dumps(Evil()), "would call"),
        (b"not a checkpoint at all", "pytorch_model.bin"),
        (saved([1, 2, 3]), "not weights by name"),
        (saved({"a": 1}), "no weights by name"),
    ],
)
def test_what_is_no_plain_checkpoint_fails_with_the_reason_and_leaves_nothing(content, why, checkpoint, cast, actor):
    from pathlib import Path

    source = checkpoint(**{"pytorch_model.bin": content})
    made = done(source, actor(cast.alice))
    assert made.state == "failed" and why in made.detail, made.detail
    assert not Path("/tmp/countersign-was-here").exists()
    assert source.asset.versions.count() == 1


def test_one_conversion_at_a_time_and_only_where_there_is_something(checkpoint, make_asset, make_version, cast, actor):
    alice = actor(cast.alice)
    with pytest.raises(Conflict, match="nothing to convert"):
        actions.start_conversion(version=make_version(make_asset("plain")), by=alice)
    source = checkpoint(**{"pytorch_model.bin": saved({"a": torch.ones(2)})})
    actions.start_conversion(version=source, by=alice)
    with pytest.raises(Conflict, match="already"):
        actions.start_conversion(version=source, by=alice)


def test_one_that_a_worker_left_lying_is_taken_up_again(checkpoint, cast, actor):
    alice = actor(cast.alice)
    source = checkpoint(**{"pytorch_model.bin": saved({"a": torch.ones(2)})})
    made = actions.start_conversion(version=source, by=alice)
    draft = actions.create_version(asset=source.asset, by=alice)
    Conversion.objects.filter(pk=made.pk).update(state="running", result=draft)
    assert convert_waiting() == 1
    made.refresh_from_db()
    assert made.state == "done" and made.result.number == 3
    assert not source.asset.versions.filter(number=2).exists()


def test_over_rest(checkpoint, cast, api):
    source = checkpoint(**{"pytorch_model.bin": saved({"a": torch.ones(2)})})
    address = f"/api/v1{source.get_absolute_url()}/conversion"
    client = api(cast.alice)
    assert client.get(address).status_code == 404
    assert api(cast.victor).post(address).status_code == 403
    assert client.post(address).status_code == 202
    convert_waiting()
    answer = client.get(address).json()
    assert (answer["state"], answer["version"]) == ("done", 2)
    assert client.get(f"/api/v1{source.get_absolute_url()}/scan").json()["state"] == "queued"
