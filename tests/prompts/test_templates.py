"""Mustache, typed inputs, messages, schemas, and all problems at once: without a database."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.errors import Invalid
from prompts import syntax
from prompts.checks import check_content, examine
from prompts.rendering import inputs_of, render_version


def render(template, variables=None, **fields):
    fields = {"type": "text" if isinstance(template, str) else "chat", "format": "mustache", **fields}
    return render_version(check_content(template=template, **fields), variables or {}, by=None).rendered


def problems(**fields):
    found = examine({"type": "text", "template": "x", **fields})[1].problems
    return [(problem.field, problem.severity) for problem in found]


@pytest.mark.parametrize(
    ("template", "variables", "text"),
    [
        ("Hi {{ name }} {{{name}}} {{&name}}", {"name": "<b>"}, "Hi <b> <b> <b>"),
        ("{{#on}}yes {{x}}{{/on}}{{^on}}no{{/on}}", {"on": True, "x": 1}, "yes 1"),
        ("{{#on}}yes{{/on}}{{^on}}no{{/on}}", {"on": []}, "no"),
        ("{{#people}}{{name}},{{/people}}", {"people": [{"name": "a"}, {"name": "b"}]}, "a,b,"),
        ("{{#words}}{{.}}{{/words}}", {"words": ["ä", 2, True]}, "ä2true"),
        ("{{a.b.c}} {{a}}", {"a": {"b": {"c": None}}}, ' {"b": {"c": null}}'),
        ("a\n  {{! a remark }}\nb\n{{#s}}\nc\n{{/s}}\n", {"s": 1}, "a\nb\nc\n"),
        ("{{=<% %>=}}<% x %> {{raw}}", {"x": "1"}, "1 {{raw}}"),
        ("שלום {{שם}} 👩‍👩‍👧", {"שם": "דנה"}, "שלום דנה 👩‍👩‍👧"),
    ],
)
def test_mustache_renders_to_the_letter(template, variables, text):
    assert render(template, variables) == text


@pytest.mark.parametrize(
    ("template", "place", "says"),
    [
        ("a\n {{ b", (2, 2), "not closed"),
        ("{{#a}}\n{{/b}}", (2, 4), "close it before"),
        ("{{/a}}", (1, 4), "was not opened"),
        ("x {{#a}}", (1, 6), "add '{{/a}}'"),
        ("{{ a b }}", (1, 5), "unexpected ' '"),
        ("{{}}", (1, 3), "without a name"),
        ("{{<a}}", (1, 3), "inheritance"),
        ("{{=a=}}", (1, 3), "delimiters"),
        ("{{> tone}}", (1, 5), "neither a label nor a number"),
        ("{{#a}}" * 30 + "{{/a}}" * 30, (1, 121), "nested too deeply"),
    ],
)
def test_a_mustache_error_has_line_and_column(template, place, says):
    with pytest.raises(syntax.SyntaxProblem) as caught:
        syntax.read(template, "mustache")
    assert (caught.value.line, caught.value.column) == place
    assert says in caught.value.message


def test_a_missing_name_is_named_and_a_nested_loop_ends():
    with pytest.raises(Invalid) as caught:
        render("{{a}}{{b}}", {"a": 1})
    assert list(caught.value.errors) == ["variables.b"]
    with pytest.raises(Invalid, match="entered more than"):
        render("{{#a}}{{#a}}{{#a}}{{#a}}{{/a}}{{/a}}{{/a}}{{/a}}", {"a": [1] * 200})


def place_of_problem(text, form):
    try:
        syntax.read(text, form)
    except syntax.SyntaxProblem as problem:
        return problem.line, problem.column
    return None


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(st.sampled_from("{}#^/>!=& ab.\n%\"'|x:@1"), max_size=40), st.sampled_from(["mustache", "jinja2"]))
def test_whatever_is_written_is_read_or_refused_with_a_place(text, form):
    found = place_of_problem(text, form)
    assert found is None or (1 <= found[0] <= text.count("\n") + 1 and found[1] >= 1)


TONES = {"name": "tone", "type": "string", "enum": ["kind", "cold"], "default": "kind"}


@pytest.mark.parametrize(
    ("declared", "value", "says"),
    [
        ({"type": "integer"}, "5", "Expected a whole number, got the text '5'"),
        ({"type": "integer"}, 1.5, "Expected a whole number, got the number 1.5"),
        ({"type": "number", "maximum": 2}, 3, "at most 2"),
        ({"type": "boolean"}, 1, "true or false"),
        ({"type": "string"}, 5, "Expected text, got the number 5"),
        ({"type": "string", "pattern": "^[a-z]+$"}, "A1", "matches"),
        ({"type": "string", "max_length": 2}, "abc", "at most 2, got 3"),
        ({"type": "array", "items": {"type": "number"}}, [1, "2"], "Item 2: Expected a number"),
        ({"enum": ["a", "b"]}, "c", 'one of "a", "b"'),
        ({"type": "messages"}, [{"content": "x"}], "Expected messages"),
        ({}, "\ud83d", "half of a character"),
    ],
)
def test_a_value_of_the_wrong_type_says_what_was_expected(declared, value, says):
    with pytest.raises(Invalid) as caught:
        render("{{#x}}{{/x}}", {"x": value}, inputs=[{"name": "x", **declared}])
    assert says in caught.value.errors["variables.x"][0]


def test_defaults_are_taken_and_optional_inputs_may_be_missing():
    rows = [TONES, {"name": "note", "required": False}]
    assert render("{{tone}}{{#note}}: {{note}}{{/note}}", inputs=rows) == "kind"
    assert [row.name for row in inputs_of(check_content(type="text", template="{{ z }}", inputs=rows))] == [
        "tone",
        "note",
        "z",
    ]
    with pytest.raises(Invalid) as caught:
        render("{{x}}", inputs=[{"name": "x", "type": "integer"}])
    assert "a whole number" in caught.value.errors["variables.x"][0]


def test_a_hostile_pattern_is_ended():
    started = time.monotonic()
    rows = [{"name": "x", "pattern": r"^(([a-z])+.)+[A-Z]([a-z])+$"}]
    with pytest.raises(Invalid):
        render("{{x}}", {"x": "a" * 5_000}, inputs=rows)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("x", "inputs[0]"),
        ({"name": "a b"}, "inputs[0].name"),
        ({"name": "x", "type": "date"}, "inputs[0].type"),
        ({"name": "x", "defalt": 1}, "inputs[0].defalt"),
        ({"name": "x", "type": "integer", "default": "1"}, "inputs[0].default"),
        ({"name": "x", "minimum": 1}, "inputs[0].minimum"),
        ({"name": "x", "pattern": "("}, "inputs[0].pattern"),
        ({"name": "x", "enum": []}, "inputs[0].enum"),
        ({"name": "x", "type": "number", "minimum": 2, "maximum": 1}, "inputs[0].minimum"),
    ],
)
def test_a_wrong_declaration_names_its_field(row, field):
    assert (field, "error") in problems(inputs=[row])


def test_every_problem_is_listed_at_once():
    content, findings = examine(
        {
            "type": "text", "template": "Hi {{ nmae }}", "inputs": [{"name": "name"}], "tools": [{"type": "x"}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": 3}}}, "model": "a\nb",
        }
    )  # fmt: skip
    assert {p.field for p in findings.errors} == {"tools[0]", "response_format.json_schema.schema.type", "model"}
    near = next(p for p in findings.problems if "did you mean 'name'" in p.message)
    assert (near.severity, near.line, near.column) == ("warning", 1, 7)
    assert any(p.field == "inputs[0]" and p.severity == "warning" for p in findings.problems)
    assert content.variables == ["nmae"]


@pytest.mark.parametrize(
    ("schema", "fine"),
    [
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"type": "string"}}}, True),
        ({"$ref": "#/$defs/b"}, False),
        ({"$ref": "https://example.com/schema"}, False),
        ({"type": "objekt"}, False),
        ({"properties": []}, False),
    ],
)
def test_schemas_are_checked(schema, fine):
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    assert (problems(response_format=form) == []) is fine
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    assert (problems(tools=[tool]) == []) is fine


def test_messages_keep_what_is_theirs_and_placeholders_take_messages():
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{{}}"}}
    template = [
        {
            "role": "system",
            "content": [{"type": "text", "text": "Be {{mood}}"}, {"type": "file", "file": {"file_id": "x"}}],
        },
        {"type": "placeholder", "name": "history"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "{{result}}", "tool_call_id": "1", "mine": 1},
    ]
    history = [{"role": "user", "content": "{{ not a template }}"}]
    done = render(template, {"mood": "kind", "result": "3", "history": history})
    assert done[0]["content"][0]["text"] == "Be kind" and done[0]["content"][1] == {
        "type": "file",
        "file": {"file_id": "x"},
    }
    assert done[1] == history[0]
    assert done[2]["tool_calls"] == [call]
    assert done[3] == {"role": "tool", "content": "3", "tool_call_id": "1", "mine": 1}
    with pytest.raises(Invalid) as caught:
        render(template, {"mood": "kind", "result": "3"})
    assert list(caught.value.errors) == ["variables.history"]


def test_a_megabyte_is_read_and_rendered_in_time():
    started = time.monotonic()
    text = "word {{x}} and more\n" * 2_000 + "a" * 900_000
    assert len(render(text, {"x": "1"})) < 1_048_576
    assert time.monotonic() - started < 10
