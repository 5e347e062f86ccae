"""Tiny models for tests: random weights, real files, made in well under a second."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from serving.engines.files import manifest_digest, parse_manifest

WORDS = [
    "the",
    "a",
    "sea",
    "wind",
    "tide",
    "salt",
    "foam",
    "deep",
    "blue",
    "storm",
    "sand",
    "light",
    "Rome",
    "日本",
    "café",
    "says",
    ",",
    ".",
    "!",
    "?",
    "one",
    "two",
    "three",
]

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message.role + '|>' + message.content + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def make_tokenizer(folder: Path, *, chat_template: str | None = CHAT_TEMPLATE) -> int:
    """Write a byte-level BPE tokenizer into `folder` and return the size of its vocabulary."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([" ".join(WORDS)] * 4, trainer)
    roles = ("system", "user", "assistant", "tool", "end")
    tokenizer.add_tokens([AddedToken(f"<|{role}|>", special=True) for role in roles])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", model_max_length=512
    )
    fast.chat_template = chat_template
    fast.save_pretrained(folder)
    return len(fast)


def make_llama(
    folder: Path, *, layers: int = 2, hidden: int = 64, seed: int = 0, chat_template: str | None = CHAT_TEMPLATE
) -> Path:
    """A random Llama with tokenizer and chat template; its context is 512 tokens."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = make_tokenizer(folder, chat_template=chat_template)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=hidden * 2,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        # Random weights give nearly even odds; larger ones make greedy choices differ clearly.
        model.lm_head.weight.data.mul_(8)
        model.save_pretrained(folder)
    return folder


def make_bert(folder: Path, *, layers: int = 1, hidden: int = 32, seed: int = 0) -> Path:
    """A random encoder for embeddings, without sentence-transformers files."""
    import torch
    from transformers import BertConfig, BertModel

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = make_tokenizer(folder, chat_template=None)
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=hidden * 2,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=128,
        pad_token_id=2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def manifest_of(folder: Path) -> list[dict[str, Any]]:
    """The manifest of every file in a folder, as the registry gives it."""
    return [
        {
            "path": path.relative_to(folder).as_posix(),
            "size": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]


def arguments_of(folder: Path, *, cache_dir: Path, **changes: Any) -> dict[str, Any]:
    """Engine arguments for the model in `folder`, as the reconciler writes them."""
    manifest = manifest_of(folder)
    arguments = {
        "model": "team/tiny",
        "digest": manifest_digest(parse_manifest(manifest)),
        "task": "text-generation",
        "manifest": manifest,
        "files_url": "http://127.0.0.1:9/internal/files/",
        "token": "test-token",
        "cache_dir": str(cache_dir),
        "engine": {"max_concurrency": 2},
    }
    return json.loads(json.dumps(arguments | changes))
