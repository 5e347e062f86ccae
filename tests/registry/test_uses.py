"""The lines to copy on a version's page."""

import json

import pytest

from registry import actions, uses
from registry.models import Alias


def test_the_lines_name_the_alias_and_the_site(client_of, cast, actor, make_asset, make_draft, settings):
    asset = make_asset("dates")
    version = actions.register_version(version=make_draft(asset), by=actor(cast.alice))
    page = client_of(cast.victor).get(version.get_absolute_url()).content.decode()
    assert "hf download acme/dates --revision v1" in page
    assert "models:/dates/1" in page
    actions.move_alias(asset=asset, name="candidate", version=version, by=actor(cast.alice))
    page = client_of(cast.victor).get(version.get_absolute_url()).content.decode()
    assert f"HF_ENDPOINT={settings.SITE_URL}/hf" in page
    assert "revision=&quot;candidate&quot;" in page
    actions.update_asset(asset=asset, gated=True, by=actor(cast.alice))
    assert "hf download" not in client_of(cast.victor).get(version.get_absolute_url()).content.decode()


def test_a_draft_has_none(client_of, cast, make_asset, make_draft):
    page = client_of(cast.alice).get(make_draft(make_asset("dates")).get_absolute_url()).content.decode()
    assert "Use this model" not in page


@pytest.mark.parametrize(
    ("architecture", "loader"),
    [
        ("LlamaForCausalLM", "AutoModelForCausalLM"),
        ("GPT2LMHeadModel", "AutoModelForCausalLM"),
        ("BertModel", "AutoModel"),
        ("DistilBertForSequenceClassification", "AutoModelForSequenceClassification"),
        ("T5ForConditionalGeneration", "AutoModelForSeq2SeqLM"),
        ("LlavaForConditionalGeneration", "AutoModel"),
    ],
)
def test_transformers_loads_what_the_configuration_names(make_asset, make_version, architecture, loader):
    files = {"config.json": json.dumps({"architectures": [architecture]}).encode()}
    first, *_ = uses.of(make_version(make_asset("dates"), files), [])
    assert first.title == "transformers"
    assert f"from transformers import {loader}, AutoTokenizer\nmodel = {loader}.from_pretrained(" in first.code


def test_sentence_transformers_loads_its_own(make_asset, make_version):
    files = {"config.json": b'{"architectures": ["BertModel"]}', "modules.json": b"[]"}
    first, *rest = uses.of(make_version(make_asset("embedder"), files), ["production"])
    assert first.code.endswith('SentenceTransformer("acme/embedder", revision="production")')
    assert "transformers" not in [way.title for way in rest]


def test_the_command_line_stands_where_there_is_nothing_yet(client_of, cast, make_asset):
    asset = make_asset("dates")
    assert (
        "countersign push acme/dates ./folder" in client_of(cast.alice).get(asset.get_absolute_url()).content.decode()
    )
    page = client_of(cast.victor).get(asset.get_absolute_url()).content.decode()
    assert "countersign pull acme/dates" in page
    assert "countersign push" not in page


def test_promotion_is_not_offered_for_what_is_in_production(client_of, cast, make_asset, make_version, actor):
    asset = make_asset("dates")
    version, alice = make_version(asset), client_of(cast.alice)
    assert "Request promotion" in alice.get(version.get_absolute_url()).content.decode()
    Alias.objects.create(asset=asset, name="production", version=version, updated_by=cast.alice)
    assert "Request promotion" not in alice.get(version.get_absolute_url()).content.decode()


def test_each_version_is_compared_with_the_one_before(client_of, cast, make_asset, make_version, make_draft):
    asset = make_asset("dates")
    make_version(asset)
    make_version(asset)
    make_draft(asset)
    page = client_of(cast.victor).get(asset.get_absolute_url()).content.decode()
    assert 'href="/models/acme/dates/compare?from=1&amp;to=2"' in page
    assert page.count("/compare?") == 1  # the first has none before it, a draft is not compared
