"""What differs between the tokenizers of two versions: the tokens that they know, the special ones, and the chat template."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from accounts.errors import Invalid
from registry import tensors
from registry.inspection import configs
from registry.inspection.manifest import Manifest
from registry.inspection.source import plain
from registry.models import Version

# Two of them are read at once, while a page waits.
MAX_BYTES = 32 << 20
_FILE, _SETTINGS, _TEMPLATE = "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"
_MOST_LISTED = 200


@dataclass(frozen=True)
class TokenizerChanges:
    """Counts are whole, lists are cut. `why_not`: why the vocabularies are not compared, in a sentence."""

    before_kind: str = ""
    after_kind: str = ""
    before_size: int = 0
    after_size: int = 0
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    added_count: int = 0
    removed_count: int = 0
    moved_count: int = 0  # tokens of both with another number
    special_added: list[str] = field(default_factory=list)
    special_removed: list[str] = field(default_factory=list)
    before_template: str = ""
    after_template: str = ""
    why_not: str = ""

    @property
    def any(self) -> bool:
        return bool(
            self.added_count
            or self.removed_count
            or self.moved_count
            or self.special_added
            or self.special_removed
            or self.before_kind != self.after_kind
            or self.before_template != self.after_template
            or self.why_not
        )


def compare(before: Version, after: Version) -> TokenizerChanges | None:
    """None where neither has a tokenizer, or both have the same files of it."""
    old, new = tensors.manifest(before), tensors.manifest(after)
    paths = (_FILE, _SETTINGS, _TEMPLATE)
    if all(_sha(old, path) == _sha(new, path) for path in paths):
        return None
    try:
        templates = _template(old), _template(new)
        if _sha(old, _FILE) == _sha(new, _FILE):
            return TokenizerChanges(before_template=templates[0], after_template=templates[1])
        if any(path in files and files.size(path) > MAX_BYTES for files in (old, new) for path in (_FILE,)):
            return TokenizerChanges(why_not=f"A tokenizer.json has more than {MAX_BYTES >> 20} MiB.")
        return _vocabularies(configs.obj(old, _FILE), configs.obj(new, _FILE), templates)
    except Invalid as problem:
        return TokenizerChanges(why_not=problem.detail)


def _sha(files: Manifest, path: str) -> str:
    return files.sha256(path) if path in files else ""


def _vocabularies(old: dict[str, Any], new: dict[str, Any], templates: tuple[str, str]) -> TokenizerChanges:
    was, now = _numbers(old), _numbers(new)
    added = [token for token in now if token not in was]
    removed = [token for token in was if token not in now]
    special_was, special_now = configs.special_tokens(old), configs.special_tokens(new)
    return TokenizerChanges(
        _kind(old),
        _kind(new),
        len(was),
        len(now),
        [plain(token, 100) for token in added[:_MOST_LISTED]],
        [plain(token, 100) for token in removed[:_MOST_LISTED]],
        len(added),
        len(removed),
        sum(1 for token, number in now.items() if token in was and was[token] != number),
        [token for token in special_now if token not in special_was][:_MOST_LISTED],
        [token for token in special_was if token not in special_now][:_MOST_LISTED],
        *templates,
    )


def _numbers(tokenizer: dict[str, Any]) -> dict[str, int | None]:
    """Every token with its number."""
    model = tokenizer.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    found: dict[str, int | None] = {}
    for place, token in enumerate(configs.vocabulary_of(tokenizer)):
        number = vocabulary.get(token) if isinstance(vocabulary, dict) else place
        found.setdefault(token, number if type(number) is int else None)
    return found


def _kind(tokenizer: dict[str, Any]) -> str:
    model = tokenizer.get("model")
    return plain(model.get("type"), 60) if isinstance(model, dict) else ""


def _template(files: Manifest) -> str:
    if _TEMPLATE in files:
        return plain(files.text(_TEMPLATE, 1 << 20), 200_000)
    value = configs.obj(files, _SETTINGS).get("chat_template")
    if isinstance(value, list):  # several, by name
        value = "\n\n".join(str(one.get("template", "")) for one in value if isinstance(one, dict))
    return plain(value, 200_000)
