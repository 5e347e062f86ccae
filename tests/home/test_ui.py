"""The built-in tags: what they show, and that what people wrote stays text."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.template import engines
from django.test import RequestFactory

from home.differences import rows
from home.markdown_html import render as markdown
from home.templatetags import ui

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVIL = "<script>alert(1)</script>\"'&"


def show(source, path="/", **context):
    return engines["django"].from_string(source).render(context, RequestFactory().get(path))


@pytest.mark.parametrize(
    "ago,text",
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=59, seconds=50), "1 hour ago"),
        (timedelta(hours=3), "3 hours ago"),
        (timedelta(days=2), "2 days ago"),
        (timedelta(days=45), "15 Jan 2026"),
        (timedelta(minutes=-10), "in 10 minutes"),
    ],
)
def test_relative_times(ago, text):
    assert ui.relative(NOW - ago, NOW) == text


@pytest.mark.parametrize(
    "seconds,text",
    [(0.0042, "4 ms"), (0.85, "850 ms"), (12.44, "12.4 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (None, "–")],
)
def test_durations(seconds, text):
    assert ui.duration(seconds) == text


def test_digest_is_short_with_the_whole_at_hand():
    html = ui.digest("sha256:" + "ab" * 32)
    assert ">abababababab<" in html
    assert html.count("sha256:" + "ab" * 32) == 2  # title and copy button


def test_interval_has_the_unit_and_both_bounds():
    text = re.sub(r"<[^>]+>", "", ui.interval(0.972, 0.946, 0.986, percent=True))
    assert text == "97.2 % 94.6 – 98.6"
    assert "–" in ui.interval(None)


def test_a_running_job_is_busy_and_a_running_deployment_is_well():
    assert "state-busy" in ui.state_badge("running", "job")
    assert "state-good" in ui.state_badge("running")


@pytest.mark.parametrize(
    "source",
    [
        "{% crumb x x %}", "{% copy x %}", "{% digest x %}", "{% state_badge x %}", "{% stage_badge x %}", "{% person x %}",
        "{% diff x '' %}", "{% diff '' x %}", "{{ x|markdown }}", "{% icon 'box' x %}", "{% words xs %}",
        "{% chart 'line' series title=x %}", "{% include 'components/empty.html' with title=x text=x command=x %}",
        "{% include 'components/confirm.html' with id='a' action='/' label=x typed=x %}",
    ],
)  # fmt: skip
def test_what_people_wrote_stays_text(source):
    html = show(source, x=EVIL, xs=[EVIL], series=[{"name": EVIL, "points": []}])
    assert "<script>alert" not in html


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "vbscript:x"])
def test_markdown_lets_no_script_address_through(address):
    assert "href" not in markdown(f"[a]({address})")


def test_markdown_leaves_out_front_matter_and_moves_headings_down():
    html = markdown("---\nlicense: mit\n---\n# Title\n\n|a|b|\n|-|-|\n|1|2|\n")
    assert "license" not in html
    assert "<h2>Title</h2>" in html
    assert "<td>1</td>" in html


def test_difference_marks_words_and_folds_what_is_the_same():
    before = "\n".join(["one two three", *map(str, range(20))])
    after = "\n".join(["one 2 three", *map(str, range(20)), "new"])
    found = list(rows(before, after))
    changed = next(row for row in found if row.kind == "changed")
    assert (changed.left, changed.right) == ("one <del>two</del> three", "one <ins>2</ins> three")
    assert [row.kind for row in found].count("fold") == 1
    assert found[-1].kind == "added"
    assert sum(row.count for row in found) == 20 - 6


def test_query_changes_the_address_and_drops_the_cursor():
    assert show("{% query stage='x y' %}", "/?a=1&cursor=abc") == "?a=1&amp;stage=x+y"
    assert show("{% query a=None %}", "/?a=1") == "?"


def test_chips_name_the_choice_and_take_it_away():
    filters = [
        {"name": "task", "kind": "choice", "label": "Task", "value": "gen", "choices": [("gen", "Generation")]},
        {"name": "q", "kind": "search", "label": "Search", "value": ""},
    ]
    html = show("{% include 'components/filters.html' %}", "/?task=gen&q=", filters=filters)
    assert "Remove filter Task: Generation" in html
    assert html.count('class="chip"') == 1


def test_the_pattern_of_a_typed_name_matches_just_it():
    assert re.fullmatch(ui.pattern("acme/a.b-c"), "acme/a.b-c")
    assert not re.fullmatch(ui.pattern("acme/a.b-c"), "acme/axb-c")


def test_every_icon_that_is_used_is_in_the_sprite():
    sprite = set(re.findall(r'symbol id="([^"]+)"', (settings.ROOT / "static/img/icons.svg").read_text()))
    used = {}
    sources = [
        *(settings.ROOT / "templates").rglob("*.html"),
        *(path for app in ("registry", "prompts", "governance", "platform") for path in (settings.ROOT / app).rglob("*.py")),
    ]  # fmt: skip
    for path in sources:
        text = path.read_text()
        for name in re.findall(r"""\{% icon ["']([a-z0-9-]+)["']""", text) + re.findall(r'icon="([a-z0-9-]+)"', text):
            used[name] = path
    used |= dict.fromkeys(icon for _, _, icon in ui.STATES.values())
    assert len(used) > 30
    assert {name: used[name] for name in set(used) - sprite} == {}


def test_no_page_runs_inline_script():
    """The Content-Security-Policy would not let it."""
    wrong = []
    for path in (settings.ROOT / "templates").rglob("*.html"):
        text = path.read_text()
        if re.search(
            r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>|\son[a-z]+=\"|hx-on|javascript:|<style", text
        ):
            wrong.append(path.name)
    assert not wrong


def test_every_static_file_that_a_template_names_is_there():
    from django.contrib.staticfiles import finders

    missing = []
    for path in Path(settings.ROOT / "templates").rglob("*.html"):
        for name in re.findall(r"""\{% static ["']([^"']+)["'] %\}""", path.read_text()):
            if not name.startswith("vendor/") and not finders.find(name):
                missing.append((path.name, name))
    assert not missing


@pytest.mark.parametrize(("name", "wraps"), [("Dana", False), ("Maximiliana von und zu Hohenlohe-Langenburg", True)])
def test_a_long_name_may_wrap(name, wraps):
    assert ("person-long" in ui.person(name)) is wraps


def test_a_difference_that_would_take_too_long_is_one_block_between_what_is_alike(monkeypatch):
    from accounts.matching import Budget

    monkeypatch.setattr("home.differences.Budget", lambda: Budget(5))
    before, after = "a\nb\nc\nd\nsame\nx y z\nend", "a\nb\nc\nd\nsame\nx q z\nnew\nend"
    found = [(row.kind, row.left, row.right, row.count) for row in rows(before, after)]
    assert found == [
        ("fold", "", "", 2),
        ("same", "c", "c", 0), ("same", "d", "d", 0), ("same", "same", "same", 0),
        ("changed", "<del>x y z</del>", "<ins>x q z</ins>", 0), ("added", "", "new", 0),
        ("same", "end", "end", 0),
    ]  # fmt: skip
    assert list(rows(before, before)) == []


def test_the_opening_of_a_card_is_plain_text():
    text = "- Dates from **1900**, see `acme/dates`\n- [more](https://example.com/x) `y`\n\nLater"
    assert ui.opening(text) == "Dates from 1900, see acme/dates\nmore y"
    assert ui.opening("2 * 3 - 4 is a sum_of_things") == "2 * 3 - 4 is a sum_of_things"
