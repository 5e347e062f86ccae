"""Counting tokens: with the model's own tokenizer where there is one, and saying with what else."""

import hashlib
import io
import json

import pytest
from django.utils import timezone
from tokenizers import Tokenizer, models, pre_tokenizers

from accounts.errors import TooLarge
from registry import storage
from registry.models import Blob, File, Version
from serving import tokenizing
from serving.chat_template import TemplateRefused, fill
from tests.serving.conftest import make_version

WORDS = {"[UNK]": 0, "hello": 1, "world": 2, "user": 3, "<": 4, ">": 5}
TEMPLATE = "{% for m in messages %}<{{ m.role }}> {{ m.content }}{% endfor %}"


def tokenizer_json():
    made = Tokenizer(models.WordLevel(WORDS, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.enable_truncation(2)
    return made.to_str().encode()


def put(version, path, content):
    digest = hashlib.sha256(content).hexdigest()
    storage.receive(io.BytesIO(content), limit=1 << 20).place()
    blob, _ = Blob.objects.get_or_create(sha256=digest, defaults={"size": len(content)})
    File.objects.create(version=version, path=path, blob=blob, added_by=version.created_by)


@pytest.fixture(autouse=True)
def _forget():
    tokenizing._cache.clear()


def unregistered(cast, name):
    """A version that still takes files."""
    return make_version(cast, name=name, state="draft", digest="", registered_at=None, registered_by=None)


@pytest.fixture
def model(cast):
    version = unregistered(cast, "date-normaliser")
    put(version, "tokenizer.json", tokenizer_json())
    put(version, "tokenizer_config.json", json.dumps({"chat_template": TEMPLATE, "eos_token": "</s>"}).encode())
    facts = {"digest": f"sha256:{'0' * 64}", "registered_at": timezone.now(), "registered_by": cast.alice}
    Version.objects.filter(pk=version.pk).update(state="registered", **facts)
    return version


def test_a_text_is_counted_with_the_models_own_tokenizer(model, cast, actor):
    for name in ("acme/date-normaliser", "acme/date-normaliser:1"):
        found = tokenizing.count(name, "hello hello world nothing", actor(cast.victor))
        assert (found.tokens, found.exact) == (4, True)
        assert "date-normaliser" in found.counted_with


def test_messages_go_through_the_chat_template(model, cast, actor):
    found = tokenizing.count("acme/date-normaliser", [{"role": "user", "content": "hello"}], actor(cast.victor))
    assert (found.tokens, found.exact) == (4, True)
    assert "chat template" in found.counted_with


@pytest.mark.parametrize("name", ["", "gpt-4o", "acme/nothing", "acme/date-normaliser:9", "acme/date-normaliser@no"])
def test_an_unknown_tokenizer_is_said(model, cast, actor, name):
    found = tokenizing.count(name, "hello world", actor(cast.victor))
    assert found.tokens > 0 and not found.exact
    assert "since" in found.counted_with


def test_a_model_that_one_may_not_see_counts_as_unknown(model, cast, actor):
    found = tokenizing.count("acme/date-normaliser", "hello", actor(cast.mallory))
    assert not found.exact and "no model 'acme/date-normaliser' that you can see" in found.counted_with


def test_a_broken_tokenizer_is_said(cast, actor):
    version = unregistered(cast, "broken")
    put(version, "tokenizer.json", b'{"model": 3}')
    found = tokenizing.count("acme/broken:1", "hello", actor(cast.victor))
    assert not found.exact and "can't be read" in found.counted_with


def test_a_tokenizer_that_makes_a_terabyte_of_a_letter_takes_nobody_along(model, cast, actor):
    doubling = [{"type": "Replace", "pattern": {"String": "l"}, "content": "ll"}] * 40
    hostile = {**json.loads(tokenizer_json()), "normalizer": {"type": "Sequence", "normalizers": doubling}}
    put(unregistered(cast, "hostile"), "tokenizer.json", json.dumps(hostile).encode())
    found = tokenizing.count("acme/hostile:1", "hello " * 1_000, actor(cast.victor))
    assert not found.exact and "too much time or memory" in found.counted_with
    # The next one is counted as ever, and by a process that is there already.
    for _ in range(2):
        assert tokenizing.count("acme/date-normaliser", "hello", actor(cast.victor)).exact


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "time or memory"),
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
    ],
)
def test_a_models_chat_template_is_not_trusted(template, says):
    with pytest.raises(TemplateRefused, match=says):
        fill(template, [{"role": "user", "content": "x"}])


def test_over_rest(model, cast, api):
    victor = api(cast.victor)
    done = victor.post("/api/v1/tokenize", {"model": "acme/date-normaliser", "text": "hello world"}).json()
    assert (done["tokens"], done["exact"]) == (2, True)
    assert victor.post("/api/v1/tokenize", {"model": "x"}).status_code == 400
    assert victor.post("/api/v1/tokenize", {"messages": [{"content": "x"}]}).json()["errors"].keys() == {"messages[0]"}


def test_a_megabyte_is_the_most(cast, actor):
    with pytest.raises(TooLarge):
        tokenizing.count("x", "a" * (1024 * 1024 + 1), actor(cast.victor))
