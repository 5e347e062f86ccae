"""transformers, datasets, the hf command and HfFileSystem, none of them changed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from registry.models import Asset, Version

pytestmark = pytest.mark.django_db(transaction=True)
TINY = """
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

words = Tokenizer(models.WordLevel({"<unk>": 0, "hello": 1, "world": 2}, unk_token="<unk>"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", pad_token="<unk>")
config = LlamaConfig(vocab_size=8, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
                     num_key_value_heads=2, max_position_embeddings=32)
torch.manual_seed(0)
model = LlamaForCausalLM(config)
"""


@pytest.mark.parametrize("xet", [False, True])
def test_transformers_push_and_load_by_alias(hub, cast, actor, xet):
    hub(
        cast.alice,
        TINY + 'model.push_to_hub("acme/tiny")\ntokenizer.push_to_hub("acme/tiny")\n',
        xet=xet,
    )
    asset = Asset.objects.get(name="tiny")
    newest = Version.objects.filter(asset=asset).latest("number")
    assert newest.facts["architecture"] == "LlamaForCausalLM"
    assert newest.facts["servable"]
    hub(cast.alice, 'api.create_tag("acme/tiny", tag="candidate")')
    hub(cast.alice, 'api.upload_file(path_or_fileobj=b"# Later", path_in_repo="README.md", repo_id="acme/tiny")')
    said = hub(
        cast.victor,
        TINY
        + """
back = AutoModelForCausalLM.from_pretrained("acme/tiny", revision="candidate")
print(torch.equal(back.lm_head.weight, model.lm_head.weight))
print(AutoTokenizer.from_pretrained("acme/tiny", revision="candidate")("hello world")["input_ids"])
print(api.model_info("acme/tiny").safetensors.total == sum(p.numel() for p in model.parameters()))
""",
        xet=xet,
    ).splitlines()
    assert said[-3:] == ["True", "[1, 2]", "True"]


def test_datasets_load_by_name(hub, cast, tmp_path):
    rows = [{"text": f"row {number}", "label": number % 2} for number in range(20)]
    there = tmp_path / "there"
    there.mkdir()
    (there / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (there / "test.csv").write_text("text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in rows[:5]))
    said = hub(
        cast.alice,
        f"""
        import datasets
        for name, path in (("lines", "train.jsonl"), ("sheet", "test.csv")):
            api.create_repo(f"acme/{{name}}", repo_type="dataset")
            api.upload_file(path_or_fileobj={str(there)!r} + "/" + path, path_in_repo=path, repo_id=f"acme/{{name}}", repo_type="dataset")
        print(datasets.load_dataset("acme/lines", split="train")[19], datasets.load_dataset("acme/sheet")["test"].num_rows)
        made = datasets.Dataset.from_list([{{"text": "a", "n": 1}}, {{"text": "b", "n": 2}}])
        made.push_to_hub("acme/pushed")
        print(datasets.load_dataset("acme/pushed", split="train").to_list())
        print(list(datasets.load_dataset("acme/lines", split="train", streaming=True).take(1)))
        """,
        env={"HF_DATASETS_CACHE": str(tmp_path / "datasets")},
    ).splitlines()
    assert said[0] == "{'text': 'row 19', 'label': 1} 5"
    assert said[1] == "[{'text': 'a', 'n': 1}, {'text': 'b', 'n': 2}]"
    assert said[2] == "[{'text': 'row 0', 'label': 0}]"


def test_the_file_system(hub, cast):
    said = hub(
        cast.alice,
        """
        api.create_repo("acme/tiny")
        fs = HfFileSystem()
        with fs.open("acme/tiny/sub/notes.txt", "w") as out:
            out.write("a note")
        print(fs.ls("acme/tiny", detail=False), fs.read_text("acme/tiny/sub/notes.txt"), fs.glob("acme/tiny/**/*.txt"))
        print(fs.open("acme/tiny/sub/notes.txt", "rb", block_size=4).read(3))
        print(fs.exists("acme/tiny/none"), fs.isdir("acme/tiny/sub"))
        """,
    ).splitlines()
    assert said == ["['acme/tiny/sub'] a note ['acme/tiny/sub/notes.txt']", "b'a n'", "False True"]


def test_the_command(site, api, cast, tmp_path):
    environment = {
        "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "HF_ENDPOINT": site.hf, "HF_TOKEN": api(cast.alice).key,
        "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1",
    }  # fmt: skip
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")

    def hf(*words: str) -> str:
        command = [str(Path(sys.executable).parent / "hf"), *words]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "acme" in hf("auth", "whoami")
    hf("upload", "acme/tiny", str(folder))
    hf("download", "acme/tiny", "--local-dir", "down")
    assert (tmp_path / "down" / "config.json").read_text() == "{}"
