"""Cards as fields, their editor, and a new version that differs in its card alone."""

import pytest

from accounts.access import Actor
from accounts.errors import Conflict, Forbidden, Invalid
from registry import actions, cards
from registry.actions.aliases import authors_of
from registry.inspection.cards import parse
from tests.registry.conftest import CARD, model_files

FULL = """---
license: apache-2.0
language: [en, de]
base_model: acme/base:1
datasets: ['acme/pairs:1', squad]
metrics: [exact_match]
pipeline_tag: text-generation
library_name: transformers
tags: [dates]
widget: [{text: hello}]
model-index:
- name: dates
  results:
  - task: {type: text-generation, name: Dates}
    dataset: {name: Pairs, type: acme/pairs}
    metrics: [{type: exact_match, value: 0.9725, name: Exact match}, {type: cer, value: 1.5}]
---
# Dates

## Intended use
Dates.

## Limits
English only.
"""


@pytest.fixture
def by(cast, actor):
    return actor(cast.alice)


def test_front_matter_and_sections_become_fields():
    card = cards.structured(parse(FULL))
    assert card == {
        "intended_use": "Dates.", "limits": "English only.", "training_data": "", "licence": "apache-2.0",
        "task": "text-generation", "library": "transformers", "languages": ["en", "de"], "base_model": ["acme/base:1"],
        "datasets": ["acme/pairs:1", "squad"], "metrics": ["exact_match"], "tags": ["dates"],
        "results": [
            {"task": "Dates", "dataset": "Pairs", "metric": "Exact match", "value": "0.9725"},
            {"task": "Dates", "dataset": "Pairs", "metric": "cer", "value": "1.5"},
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    "index",
    ["model-index: 7", "model-index: [x]", "model-index: {results: [1, {metrics: a}]}", "model-index: [{results: {}}]"],
)
def test_a_model_index_of_another_shape_has_no_results(index):
    assert cards.results(parse(f"---\n{index}\n---\n# X\n")) == []


def test_what_is_written_from_fields_reads_back_and_keeps_what_the_form_does_not_show():
    fields = {
        "licence": "mit",
        "languages": "en, fr",
        "base_model": "acme/other:2",
        "datasets": "",
        "task": "",
        "tags": "a,b",
    }
    text = cards.write(FULL, fields, "# New\r\n\r\n## Limits\r\nMany: all of them\r\n")
    card = parse(text)
    assert card.front_matter["license"] == "mit" and card.front_matter["language"] == ["en", "fr"]
    assert card.front_matter["base_model"] == "acme/other:2" and "datasets" not in card.front_matter
    assert card.front_matter["widget"] == [{"text": "hello"}] and "pipeline_tag" not in card.front_matter
    assert cards.body_of(text) == "# New\n\n## Limits\nMany: all of them\n"


def test_values_that_mean_something_in_yaml_are_quoted():
    text = cards.write("", {"licence": "no", "tags": "yes, 1.0, 'x: y', [z]"}, "# X")
    assert parse(text).front_matter == {"license": "no", "tags": ["yes", "1.0", "'x: y'", "[z]"]}


def test_a_card_that_is_too_long_is_refused():
    with pytest.raises(Invalid):
        cards.write("", {}, "x" * (1 << 20))


def test_a_version_is_begun_from_another_without_copying_a_byte(make_asset, make_version, by, cast, actor):
    version = make_version(make_asset())
    draft = actions.begin_from(version=version, by=by)
    assert {f.path: f.blob_id for f in draft.files.all()} == {f.path: f.blob_id for f in version.files.all()}
    assert draft.size == version.size and draft.parent == version and draft.number == 2
    assert draft.origins.get().origin == version
    actions.write_card(version=draft, fields={"licence": "mit"}, body=CARD[29:], by=by)
    registered = actions.register_version(version=draft, by=by)
    assert registered.digest != version.digest and cards.structured(parse(registered.card))["licence"] == "mit"
    with pytest.raises(Conflict):
        actions.begin_from(version=actions.create_version(asset=version.asset, by=by), by=by)
    with pytest.raises(Forbidden):
        actions.begin_from(version=version, by=actor(cast.victor))


def test_whoever_made_the_weights_stays_an_author_when_somebody_else_changes_the_card(
    make_asset, make_version, cast, actor
):
    version = make_version(make_asset())
    draft = actions.begin_from(version=version, by=actor(cast.admin))
    actions.write_card(version=draft, fields={}, body="# Other", by=actor(cast.admin))
    assert set(authors_of(draft)) == {cast.alice.pk, cast.admin.pk}


def test_the_editor_previews_without_saving_and_saves(make_asset, make_draft, client_of, cast):
    draft = make_draft(make_asset("dates"), {})
    client, address = client_of(cast.alice), "/models/acme/dates/versions/1/card"
    assert b"## Intended use" in client.get(address).content
    sent = {"licence": "mit", "body": "# Hello\n\n<script>alert(1)</script>"}
    shown = client.post(address, {**sent, "preview": "1"}, headers={"hx-request": "true"}).content
    assert b"Hello</h2>" in shown and b"<script>" not in shown and b"<html" not in shown
    assert not draft.files.exists()
    assert b"Hello</h2>" in client.post(address, {**sent, "preview": "1"}).content  # without JavaScript: the whole page
    assert client.post(address, sent)["Location"] == "/models/acme/dates/versions/1"
    assert draft.files.get().path == "README.md"
    assert client_of(cast.victor).get(address).status_code == 403


def test_a_registered_version_gets_a_changed_card_by_a_new_version(make_asset, make_version, client_of, cast):
    make_version(make_asset("dates"))
    client = client_of(cast.alice)
    assert client.get("/models/acme/dates/versions/1/card")["Location"].endswith("/versions/1#card")
    answer = client.post("/models/acme/dates/versions/1/card/new")
    assert answer["Location"] == "/models/acme/dates/versions/2/card"
    assert b"apache-2.0" in client.get(answer["Location"]).content


def test_the_page_shows_fields_results_and_what_is_missing(make_asset, make_version, client_of, cast):
    make_version(make_asset("dates"), model_files(**{"README.md": FULL.encode()}))
    text = client_of(cast.victor).get("/models/acme/dates/versions/1").content.decode()
    assert "Exact match" in text and "0.9725" in text and "Lacks" not in text
    bare = "---\nlicense: mit\n---\n# X\n"
    make_version(make_asset("bare"), model_files(**{"README.md": bare.encode()}))
    assert "Limits is missing" in client_of(cast.victor).get("/models/acme/bare/card").content.decode()


def test_who_made_a_version_costs_the_same_however_many_hold_its_bytes(cast, django_assert_num_queries):
    asset = actions.create_tagged(team=cast.team, kind="model", name="same", tags={}, by=Actor(cast.alice))
    for maker in (cast.alice, cast.admin, cast.alice, cast.alice, cast.alice):
        version = actions.register_elsewhere(asset=asset, source="s3://b/x", tags={}, facts={}, by=Actor(maker))
    with django_assert_num_queries(4):
        assert set(authors_of(version)) == {cast.alice.pk, cast.admin.pk}
