"""What somebody tries who may write prompts: texts, patterns, files and differences that keep the house busy, and ways past a review."""

import random
import time

import pytest

from accounts.errors import Forbidden, Problem
from governance import actions as governance
from prompt_tests.assertions import schemas
from prompts import actions, differences, inputs, merging, patterns
from prompts.checks import examine
from prompts.exchange import Unreadable, uploads, yaml_files

SOON = 12.0  # seconds of this process: minutes or hours before


@pytest.fixture(autouse=True)
def soon():
    began = time.process_time()
    yield
    assert time.process_time() - began < SOON


def prompt_of(cast, by, name, text, *labels):
    prompt = actions.create_prompt(team=cast.team, name=name, by=by)
    version = actions.create_version(prompt=prompt, type="text", template=text, by=by)
    for label in labels:
        actions.move_label(prompt=prompt, label=label, version=version, by=by)
    return version


def test_a_prompt_is_not_restored_under_a_name_of_stricter_policies(cast, actor):
    """Its label stands where nothing guards it; restored elsewhere it would be in a stage that nobody approved."""
    by = actor(cast.alice)
    governance.create_policy(
        team=cast.team, kind="prompt", pattern="live*", stage="staging", checks=[], reviews={"count": 1}, by=actor(cast.admin)
    )  # fmt: skip
    version = prompt_of(cast, by, "sandbox/reply", "Say yes to all.", "staging")
    prompt = actions.delete_prompt(prompt=version.prompt, by=by)
    with pytest.raises(Forbidden, match=r"policy\.edit"):
        actions.restore_prompt(prompt=prompt, name="live-reply", by=by)
    assert actions.restore_prompt(prompt=prompt, name="sandbox/again", by=by).name == "sandbox/again"


def test_who_wrote_a_pinned_part_does_not_approve_the_whole(cast, actor):
    """The reviewer writes the text, and lets somebody else include it."""
    from accounts.actions import grant_role

    grant_role(user=cast.bob, role="contributor", on=cast.team, by=actor(cast.admin))
    prompt_of(cast, actor(cast.bob), "tone", "Grant every refund.")
    whole = prompt_of(cast, actor(cast.alice), "reply", "{% include 'tone:1' %} Thanks.")
    request = actions.request_move(version=whole, slot="production", by=actor(cast.alice))
    assert set(request.author_ids) == {cast.alice.pk, cast.bob.pk}
    with pytest.raises(Problem):
        governance.review(request=request, on=whole.prompt, verdict="approve", comment="", by=actor(cast.bob))


@pytest.mark.parametrize(
    "pattern",
    ["a{1000000000}", "(?:a{999}){999}", "(?:(?:a{999}[)]){999}){999}", "(?V1)(?:(?:a{999}[[b])]){999}",
     "(?:a{999}(?#(()){999}", "(?x)a {1 0 0 0 0 0 0 0 0}", "[ab]{60000,}"],
)  # fmt: skip
def test_a_pattern_does_not_take_all_memory(pattern):
    with pytest.raises(ValueError, match=r"repeats too much|A pattern here"):
        patterns.compiled(pattern)
    _, findings = examine({"template": "{{ x }}", "inputs": [{"name": "x", "type": "string", "pattern": pattern}]})
    assert [one.field for one in findings.errors] == ["inputs[0].pattern"]


@pytest.mark.parametrize(
    "pattern", [r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", r"^\+?[1-9]\d{1,14}$", "[]{3}]", "a{,5}", r"(?:ab){e<=1}"]
)
def test_patterns_that_people_write_are_taken(pattern):
    assert patterns.compiled(pattern)


def test_many_slow_patterns_have_one_clock():
    rows = [{"name": f"x{i}", "type": "string", "pattern": "^(([a-z])+.)+[A-Z]([a-z])+$"} for i in range(200)]
    began = time.monotonic()
    _, wrong = inputs.fill(inputs.declared_in(rows), {f"x{i}": "a" * 3_000 + "!" for i in range(200)})
    assert len(wrong) == 200 and time.monotonic() - began < 2 * SOON


def test_numbers_without_end_are_refused():
    for given in ({"minimum": 10**400}, {"default": 10**400}):
        content, _ = examine({"template": "{{ x }}", "inputs": [{"name": "x", "type": "integer", **given}]})
        assert content.variables == ["x"]
    _, findings = examine({"template": "{{ " + "9" * 5_000 + " }}"})
    assert "digits" in findings.errors[0].message


def test_thousands_of_names_are_looked_over_at_once():
    names = "".join(f"{{{{ v{i:05}_{'abc' * 10} }}}}" for i in range(4_900))
    content, findings = examine({"template": names, "inputs": [{"name": "other"}]})
    assert len(content.variables) == 4_900 and not findings.errors
    assert any("more names" in one.message for one in findings.problems)


def test_tags_that_never_end_are_looked_over_once():
    raw = "{% raw %}" + "{{" * 4_900 + "a" * 500_000 + "{% endraw %}{{ name }}"
    _, findings = examine({"template": raw, "inputs": [{"name": "other"}]})
    assert not findings.errors


@pytest.mark.parametrize(
    ("template", "form"),
    [
        ("".join(f'{{% include "a{i}@b" %}}{" " * 180}\n' for i in range(4_900)), "jinja2"),
        ("{{=< >=}}" + "<x>" * 300_000, "mustache"),
        ("{{=<< >>=}}" + "".join(f"<<> a{i}@b>>\n" for i in range(60_000)), "mustache"),
    ],
)
def test_includes_and_tags_are_counted_before_they_are_looked_up(template, form):
    _, findings = examine({"template": template, "format": form})
    assert "at most" in findings.errors[0].message


def test_long_texts_are_compared_and_merged_within_bounds():
    many = " ".join(f"w{i}" for i in range(1_490))
    more = " ".join(f"w{i} x" for i in range(745))
    assert differences.words(many, more)
    line = "a\n" * 100_000
    merged = merging.merge({"template": line}, {"template": line + "b\n"}, {"template": "b\n" + line})
    assert [clash.theirs for clash in merged.clashes] == ["b\n" + line]


def test_a_small_change_in_a_long_line_is_still_shown_by_word():
    words = [f"w{i}" for i in random.Random(5).choices(range(400), k=1_400)]
    changed = [*words]
    changed[700] = "new"
    pieces = differences.words(" ".join(words), " ".join(changed))
    assert [piece.text for piece in pieces if piece.op != "equal"] == [words[700], "new"]


@pytest.mark.parametrize(
    "text", ["[" * 200_000, "a: [" + "a," * 150_000 + "]", "a: 1:" + ":".join(["59"] * 50_000), "a: " + "1" * 5_000]
)
def test_yaml_that_takes_long_is_not_read(text):
    with pytest.raises(Unreadable):
        yaml_files.mapping("a.yaml", text)


@pytest.mark.parametrize(
    "row",
    [
        {"registered_model": {"name": "a"}, "model_versions": [{"version": "1", "tags": {"mlflow.prompt.text": "x"}, "aliases": 5}]},
        {"registered_model": {"name": "a", "aliases": [{"alias": [], "version": 1}]}, "model_versions": []},
        {"registered_model": {"name": "a"}, "model_versions": [{"version": "1" * 5_000, "tags": {"mlflow.prompt.text": "x"}}]},
    ],
)  # fmt: skip
def test_an_export_of_nonsense_is_an_error_with_a_place(row):
    try:
        assert isinstance(uploads.read_document("document", row), list)
    except Unreadable as problem:
        assert problem.where.startswith("document")  # noqa: PT017  the one or the other


def test_doors_read_almost_an_include_in_one_pass():
    from doors.langfuse import references
    from doors.prompt_texts import _INCLUDES

    texts = ["{{! {{>" + " " * 500_000 + "x{ }}", "{% include '" + "'" * 500_000, "{% include 'a" * 50_000]
    for text in texts:
        assert not any(pattern.search(text) for pattern in (*_INCLUDES.values(), references._OURS))
    assert (
        references._OURS.sub(references._tag, "{{> style/my tone@live }}")
        == "@@@langfusePrompt:name=style/my tone|label=live@@@"
    )


def test_a_schema_that_doubles_with_each_reference_is_given_up():
    parts = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(40)}
    passed, reason = schemas.decide("[]", {"$ref": "#/$defs/d0", "$defs": {**parts, "d40": {}}})
    assert not passed and "too often" in reason
    assert schemas.decide("[" + ",".join('{"a":1}' for _ in range(20_000)) + "]", {"uniqueItems": True})[0] is False
    assert schemas.decide('[{"a":1},{"a":true}]', {"uniqueItems": True})[0] is True
