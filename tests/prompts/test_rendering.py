"""Templates: where they are wrong, what they may do, and how long."""

import time

import pytest

from accounts.errors import Invalid, TooLarge
from prompts import checks, syntax
from prompts.checks import check_content
from prompts.findings import Findings
from prompts.rendering import render_version
from prompts.schemas import check_parameters


def render(template, variables, **fields):
    """What a text (or messages) that nobody saved yet gives."""
    kind = "text" if isinstance(template, str) else "chat"
    return render_version(check_content(type=kind, template=template, **fields), variables, by=None).rendered


@pytest.mark.parametrize(
    ("source", "place", "says"),
    [
        ("Hi {{ name }", (1, 7), "unexpected '}'"),
        ("Hi {{ name }}\n  {% for x in y %}a", (2, 20), "needs to be closed is 'for'"),
        ("a\n {{ foo | nosuch }}", (2, 11), "No filter named 'nosuch'"),
        ("{% if x %}{% endfor %}", (1, 14), "unknown tag 'endfor'"),
        ("{{ a ? }}", (1, 6), "unexpected char '?'"),
        ("x {% bogus %}", (1, 6), "unknown tag 'bogus'"),
        ("{{ a -}}\n\n  {{ b b }}", (3, 8), "got 'b'"),
        ("{{", (1, 3), "unexpected 'end of template'"),
        ("a\r\n{{ ( }}", (2, 4), "unexpected '}'"),
        ("{% include 'x' %}", (1, 13), "neither a label nor a number"),
        ("{% include x %}", (1, 4), "in quotes"),
        ("{% include 'x:1' ignore missing %}", (1, 18), "nothing behind"),
        ("{% extends 'x' %}", (1, 4), "'extends'"),
        ("x {% autoescape true %}{% endautoescape %}", (1, 6), "never escaped"),
        ("{% for a in b %}" * 30 + "{% endfor %}" * 30, (1, 1), "nested too deeply"),
        ("{{ a }}" * 6_000, (1, 1), "at most 5,000 tags"),
        ("a\n{{ x.__class__.__mro__ }}", (2, 6), "gives its '__class__' away"),
    ],
)
def test_a_template_error_has_line_and_column(source, place, says):
    with pytest.raises(syntax.SyntaxProblem) as caught:
        syntax.read(source)
    assert (caught.value.line, caught.value.column) == place
    assert says in caught.value.message


def test_variables_are_found_and_globals_are_none():
    found = syntax.read("{{ a }}{{ b|default('x') }}{% for i in range(3) %}{{ i }}{% endfor %}{% set c = d %}{{ c }}")
    assert found.variables == {"a", "b", "d"}
    assert found.needed == {"a", "d"}


def test_reading_a_template_computes_nothing():
    started = time.monotonic()
    syntax.read("{{ 'a'|center(10000000000) }}{{ 'a' * 10**12 }}")
    assert time.monotonic() - started < 1


def test_text_is_rendered_to_the_letter():
    assert render("<b>{{ name }}</b>\n", {"name": "A & B"}) == "<b>A & B</b>\n"
    assert render("{% for i in items %}{{ i }};{% endfor %}\n", {"items": ["é", 2]}) == "é;2;\n"


def test_a_chat_is_rendered_message_by_message():
    template = [{"role": "system", "content": "Be {{ mood }}."}, {"role": "user", "content": "{{ text }}"}]
    assert render(template, {"mood": "brief", "text": "hi"}) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
    ]


def test_every_unknown_and_every_missing_variable_is_named():
    with pytest.raises(Invalid) as caught:
        render("{{ a }}", {"a": 1, "b": 2, "c": 3})
    assert list(caught.value.errors) == ["variables.b", "variables.c"]
    assert "It has: a" in caught.value.detail
    with pytest.raises(Invalid) as caught:
        render("{{ a }}{{ b }}{{ c|default('') }}", {})
    assert list(caught.value.errors) == ["variables.a", "variables.b"]


def test_optional_variables_may_be_left_out():
    assert render("{% if a is defined %}{{ a }}{% endif %}{{ b|default('x') }}", {}) == "x"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{{ ''.__class__.__mro__ }}", "away"),
        ("{{ ''|attr('__class__') }}", "unsafe"),
        ("{{ ''['__class__'] }}", "unsafe"),
        ("{{ x.append(1) }}", "unsafe"),
        ("{{ x.nothing }}", "no attribute 'nothing'"),
        ("a\n{{ 1 // 0 }}", "line 2"),
        ("{% for i in range(100000) %}{% endfor %}", "at most 10000"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "without end"),
        ("{{ 'a' * 10**12 }}", "memory"),
        ("{{ 'a'|center(10000000000) }}", "memory"),
        ("{{ 'a' * 3000000 }}", "longer than"),
    ],
)
def test_the_sandbox_says_no(source, says):
    with pytest.raises(Invalid) as caught:
        render(source, {"x": []} if "x." in source else {})
    assert says in caught.value.errors["template"][0]


def test_a_template_that_computes_for_ever_is_ended():
    started = time.monotonic()
    with pytest.raises(Invalid, match="longer than 2 s"):
        render("{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}", {})
    # `[x, x]` sixty times over: a short loop, 2^60 values when written out.
    doubling = "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x=[n.x,n.x] %}{% endfor %}{{ n.x }}"
    with pytest.raises(Invalid):
        render(doubling, {})
    assert time.monotonic() - started < 25


@pytest.mark.parametrize(
    ("kind", "template", "field"),
    [
        ("poem", "x", "type"),
        ("text", ["x"], "template"),
        ("text", " \n", "template"),
        ("text", "a\x00b", "template"),
        ("text", "\ud83d", "template"),
        ("text", "{{ a", "template"),
        ("text", "{{ " + "a" * 300 + " }}", "template"),
        ("chat", "x", "template"),
        ("chat", [], "template"),
        ("chat", [{"role": "user"}], "template[0]"),
        ("chat", ["a"], "template[0]"),
        ("chat", [{"type": "placeholder", "name": "a b"}], "template[0].name"),
        ("chat", [{"role": "user", "content": []}], "template[0].content"),
        ("chat", [{"role": "user", "content": [{"type": "text"}]}], "template[0].content[0].text"),
        ("chat", [{"role": "user", "content": [{"type": "text", "text": "{{"}]}], "template[0].content[0].text"),
        ("chat", [{"role": "user", "content": "a"}, {"role": "robot", "content": "a"}], "template[1].role"),
        ("chat", [{"role": "user", "content": 3}], "template[0].content"),
        ("chat", [{"role": "user", "content": "{% if %}"}], "template[0].content"),
        ("chat", [{"role": "user", "content": "a"}] * 201, "template"),
    ],
)
def test_a_wrong_template_names_its_field(kind, template, field):
    with pytest.raises(Invalid) as caught:
        checks.check_template(kind, template)
    assert list(caught.value.errors) == [field]


def test_a_prompt_has_a_size():
    with pytest.raises(TooLarge):
        checks.check_template("text", "é" * 600_000)


@pytest.mark.parametrize("parameters", [[], "x", {"n": float("nan")}, {"n": 2**60}, {"n": "a\x00"}, {"n": "\ud800"}])
def test_parameters_survive_storing(parameters):
    findings = Findings()
    check_parameters(parameters, findings)
    assert [problem.field for problem in findings.errors] == ["parameters"]
