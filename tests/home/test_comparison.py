"""What a reviewer compares: figures with intervals, configuration key by key, prompts by message, rules as sentences."""

import io
import json
from types import SimpleNamespace

import pytest

import prompts.actions
import registry.actions
from accounts.access import Actor
from governance import actions as governance
from governance.models import ApprovalRequest
from home import approvals
from home.comparison import compare
from home.comparison.changes import describe, policy_sentences, role_sentence, role_sentences
from home.comparison.content import value_changes
from home.comparison.metrics import MetricRow


def row(after, before, name="exact_match", limits=(), **fields):
    sides = [
        None if side is None else dict(zip(("lower", "value", "upper"), side, strict=True)) for side in (after, before)
    ]
    return MetricRow(name, "acme/d", sides[0], sides[1], "", limits=limits, **fields)


@pytest.mark.parametrize(
    ("name", "after", "before", "verdict", "words"),
    [
        ("exact_match", (0.9, 0.95, 0.97), (0.7, 0.8, 0.85), "better", "Better: 15.0 points higher"),
        ("exact_match", (0.6, 0.65, 0.69), (0.7, 0.8, 0.85), "worse", "Worse: 15.0 points lower"),
        ("exact_match", (0.8, 0.85, 0.9), (0.7, 0.8, 0.85), "unclear", "may be chance"),
        ("latency_p95_ms", (400, 450, 500), (600, 700, 800), "better", "Better: 250 ms lower"),
        ("latency_p95_ms", (900, 950, 990), (600, 700, 800), "worse", "Worse: 250 ms higher"),
        ("f1_of_ours", (0.9, 0.95, 0.97), (0.7, 0.8, 0.85), "differs", "Different: 0.15 higher"),
        ("exact_match", (0.9, 0.95, 0.97), None, "new", "Nothing to compare with"),
    ],
)
def test_better_and_worse_are_said_in_words_and_only_where_the_intervals_are_apart(name, after, before, verdict, words):
    found = row(after, before, name)
    assert found.verdict == verdict
    assert words in found.words


def test_figures_without_intervals_are_never_called_better():
    found = MetricRow("exact_match", "acme/d", {"value": 0.9}, {"value": 0.1}, "")
    assert found.verdict == "unclear"
    assert found.drawing.after.left == found.drawing.after.right


def test_both_intervals_and_the_limit_are_drawn_on_one_scale():
    drawing = row((0.8, 0.9, 1.0), (0.4, 0.5, 0.6), limits=[0.2]).drawing
    assert drawing.limits[0] < drawing.before.left < drawing.before.middle < drawing.before.right
    assert drawing.before.right < drawing.after.left < drawing.after.middle < drawing.after.right <= drawing.width


def test_one_figure_alone_can_be_drawn():
    drawing = MetricRow("exact_match", "acme/d", {"value": 1.0}, None, "").drawing
    assert 0 <= drawing.after.middle <= drawing.width


def test_another_version_of_the_dataset_is_a_caution():
    assert "version 3" in row((1, 1, 1), (1, 1, 1), dataset_version=3, before_dataset_version=2).other_rows
    assert row((1, 1, 1), (1, 1, 1), dataset_version=3, before_dataset_version=3).other_rows == ""


def test_values_are_compared_by_path():
    before = {"a": 1, "gone": "x", "deep": {"b": [1, 2], "same": None}, "list": [{"k": 1}]}
    after = {"a": True, "deep": {"b": [1, 3], "same": None}, "list": [{"k": 2}], "new": {}}
    found = {change.path: (change.op, change.before, change.after) for change in value_changes(before, after)}
    assert found == {
        "a": ("changed", "1", "true"),
        "deep.b": ("changed", "[1, 2]", "[1, 3]"),
        "list[0].k": ("changed", "1", "2"),
        "new": ("added", "", "{}"),
        "gone": ("removed", "x", ""),
    }


def test_nothing_at_all_is_compared_to_nothing():
    assert value_changes({}, {}) == []
    assert [change.op for change in value_changes({"a": 1}, {})] == ["removed"]


def test_a_policy_is_shown_as_sentences_and_rules_of_another_time_are_not_hidden():
    policy = {
        "kind": "model",
        "pattern": "claims-*",
        "stage": "production",
        "checks": [{"type": "card"}],
        "reviews": {"count": 1, "role": "reviewer"},
    }
    said = policy_sentences(policy)
    assert said[0] == "For each model named claims-* to production"
    assert "Card complete" in said
    assert policy_sentences({}) == []
    assert "not understood" in policy_sentences({**policy, "checks": [{"type": "of old"}]})[-1]


def test_what_a_policy_is_for_is_no_difference_where_the_one_before_does_not_repeat_it():
    rules = {"checks": [], "reviews": {"count": 1, "role": "reviewer"}}
    asked = ApprovalRequest(
        kind="policy",
        previous={"version": 1, **rules},
        change={"action": "update", "kind": "prompt", "pattern": "*", "stage": "production", **rules, "checks": []},
    )
    change = describe(asked)
    assert change.before[0] == change.after[0] == "For each prompt to production"


def test_a_role_is_shown_as_a_sentence():
    change = {
        "role": "reviewer",
        "prefix": "claims-",
        "kind": "model",
        "stage": "production",
        "expires_at": "2027-03-01T00:00:00+00:00",
    }
    assert (
        role_sentence(change, "acme")
        == "reviewer on models that begin with acme/claims- at production until 1 Mar 2027, 00:00 UTC"
    )
    assert role_sentences({"grants": ["viewer/team/1///"]}, "acme") == ["viewer on acme"]


# With rows


@pytest.fixture
def story(cast, settings, tmp_path):
    settings.STORAGE = tmp_path / "storage"
    return SimpleNamespace(cast=cast, by=Actor(cast.alice))


def model_version(asset, by, config, card="x", **more):
    version = registry.actions.create_version(asset=asset, message="m", by=by)
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    files = {
        "config.json": config,
        "model.safetensors": len(header).to_bytes(8, "little") + header + bytes(4),
        "README.md": f"---\nlicense: mit\n---\n## Intended use\n{card}\n".encode(),
    }
    for path, content in (files | {f"{name}.json": text for name, text in more.items()}).items():
        registry.actions.add_file(version=version, path=path, stream=io.BytesIO(content), by=by)
    return registry.actions.register_version(version=version, by=by)


def request_between(story, before, after, kind="model"):
    team, asset = story.cast.team, getattr(after, "asset", None) or after.prompt
    return ApprovalRequest(
        team=team, kind=kind, asset_id=asset.pk, asset_label=str(asset), slot="production", stage="production",
        version_id=after.pk, version_number=after.number, digest=after.digest, requested_by=story.cast.alice,
        previous_version_id=before.pk if before else None, previous_number=before.number if before else None,
        previous_digest=before.digest if before else "",
    )  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("restricted", [False, True])
def test_configuration_is_compared_key_by_key_but_never_read_of_a_restricted_model(story, restricted):
    asset = registry.actions.create_asset(
        team=story.cast.team, kind="model", name="dates", task="text-generation", restricted=restricted, by=story.by
    )
    first = model_version(asset, story.by, b'{"hidden_size": 64, "model_type": "llama"}')
    second = model_version(asset, story.by, b'{"hidden_size": 128, "model_type": "llama"}', card="y")
    found = compare(request_between(story, first, second))
    (config,) = found.configuration
    if restricted:
        assert config.rows == () and "each download is an event" in config.hidden
    else:
        assert [(change.path, change.before, change.after) for change in config.rows] == [("hidden_size", "64", "128")]
    assert {change.path for change in found.files} == {"config.json", "README.md"}
    assert found.unchanged_files == 1
    assert [text.title for text in found.texts] == ["Card"]


@pytest.mark.django_db
def test_a_configuration_that_is_no_json_is_shown_as_a_changed_file_only(story):
    asset = registry.actions.create_asset(
        team=story.cast.team, kind="model", name="dates", task="text-generation", by=story.by
    )
    config = b'{"model_type": "llama"}'
    first, second = (model_version(asset, story.by, config, training_config=text) for text in (b"{}", b"{no json"))
    assert compare(request_between(story, first, second)).configuration == []
    assert [change.path for change in compare(request_between(story, first, second)).files] == ["training_config.json"]


@pytest.mark.django_db
def test_a_chat_prompt_is_compared_message_by_message(story):
    prompt = prompts.actions.create_prompt(team=story.cast.team, name="reply", by=story.by)
    system, user = {"role": "system", "content": "Be short."}, {"role": "user", "content": "{{ question }}"}
    first = prompts.actions.create_version(prompt=prompt, type="chat", template=[system, user], by=story.by)
    second = prompts.actions.create_version(
        prompt=prompt, type="chat", by=story.by, parameters={"temperature": 0.1},
        template=[{**system, "content": "Be brief."}, user, {"role": "assistant", "content": "{{ name }},"}],
    )  # fmt: skip
    found = compare(request_between(story, first, second, kind="prompt"))
    assert found.prompt is not None and found.prompt.summary == ["2 messages", "model parameters"]
    assert [(text.change.op, text.change.role_after) for text in found.prompt.texts] == [
        ("changed", "system"),
        ("same", "user"),
        ("added", "assistant"),
    ]
    assert [(title, [row.key for row in rows]) for title, rows in found.prompt.tables] == [
        ("Model parameters", ["temperature"])
    ]
    assert found.prompt.difference.variables_added == ["name"]


@pytest.mark.django_db
def test_figures_stand_beside_those_of_what_is_there_now(story, django_assert_num_queries):
    asset = registry.actions.create_asset(
        team=story.cast.team, kind="model", name="dates", task="text-generation", by=story.by
    )
    first, second = (model_version(asset, story.by, b'{"model_type": "llama"}', card=text) for text in ("a", "b"))
    for version, value in ((first, 0.5), (second, 0.7), (second, 0.9)):
        governance.deposit_evidence(
            team=story.cast.team, kind="evaluation", subject_digest=version.digest, label="Evaluation", by=story.by,
            payload={"metrics": {"exact_match": {"value": value, "lower": value - 0.1, "upper": value + 0.05, "n": 9}}, "dataset": {"label": "acme/d", "version": 1}},
        )  # fmt: skip
    request = request_between(story, first, second)
    (figures,) = compare(request, [("exact_match", "acme/d", 0.6), ("exact_match", "acme/other", 0.1)]).metrics
    assert (figures.after["value"], figures.before["value"]) == (0.9, 0.5)
    assert figures.limits == [0.6]
    with django_assert_num_queries(5):  # figures, versions, files of both, what is known of the weights
        compare(request)


@pytest.mark.django_db
def test_the_emptying_of_an_alias_is_a_change_of_values(story):
    prompt = prompts.actions.create_prompt(team=story.cast.team, name="reply", by=story.by)
    version = prompts.actions.create_version(prompt=prompt, type="text", template="Hello", by=story.by)
    asked = approvals.open_request(
        kind="prompt", asset="acme/reply", version=1, alias="production", reason="", by=story.by
    )
    approvals.decide(request=asked, verdict="approve", comment="", by=Actor(story.cast.bob))
    removal = approvals.open_removal(kind="prompt", asset="acme/reply", alias="production", reason="Over", by=story.by)
    found = compare(removal)
    assert {change.op for change in found.change.rows} == {"removed"}
    assert str(version.number) in {change.before for change in found.change.rows}
