"""Prompts that include others: what they may, what they show, and what changes when something moves."""

import threading

import pytest
from django.db import connection

from accounts.errors import Conflict, Forbidden, Invalid
from governance.actions import review
from governance.ledger.models import AuditEvent
from governance.models import ApprovalRequest
from prompts import actions
from prompts.checks import check_content
from prompts.composition import graph_of, impact_of
from prompts.models import Include, Prompt
from prompts.reads import get_prompt
from prompts.rendering import render_version


@pytest.fixture
def by(cast, actor):
    return actor(cast.alice)


@pytest.fixture
def write(cast, by):
    """write('greeting', 'Hi', 'staging'): the next version of a prompt of acme, and labels on it."""

    def written(name, text, *labels, format="jinja2", team=None, **fields):
        team = team or cast.team
        prompt = Prompt.objects.filter(team=team, name=name).first()
        prompt = prompt or actions.create_prompt(team=team, name=name, by=by)
        fields = {"type": "text", "template": text, "format": format, **fields}
        version = actions.create_version(prompt=prompt, by=by, **fields)
        for label in labels:
            actions.move_label(prompt=prompt, label=label, version=version, by=by)
        return version

    return written


def text_of(version, by, **variables):
    return render_version(version, variables, by=by).text


def test_a_prompt_includes_another_at_a_label_and_at_a_number(write, by):
    tone = write("style/tone", "Be {{ mood }}.", "staging")
    main = write("main", '{% include "style/tone@staging" %} {% include "acme/style/tone:1" %} {{ x }}')
    assert main.variables == ["mood", "x"]
    assert {(row.written, row.label, row.number) for row in Include.objects.filter(version=main)} == {
        ("style/tone@staging", "staging", None),
        ("acme/style/tone:1", "", 1),
    }
    assert text_of(main, by, mood="kind", x="Go") == "Be kind. Be kind. Go"
    write("style/tone", "Stay {{ mood }}!", "staging")
    done = render_version(main, {"mood": "calm", "x": "Go"}, by=by)
    assert done.text == "Stay calm! Be calm. Go"
    assert {(str(prompt), version.number) for prompt, version in done.used} == {
        ("acme/style/tone", 1),
        ("acme/style/tone", 2),
    }
    assert main.digest != write("main", '{% include "style/tone@staging" %}').digest
    assert tone.digest == done.used[0][1].digest or tone.digest == done.used[1][1].digest


def test_the_formats_mix_and_an_include_sees_the_calls_variables_alone(write, by):
    write("note", "({{#who}}for {{who}}{{/who}})", "staging", format="mustache")
    main = write("main", '{% for who in people %}{{ who }}{% include "note@staging" %};{% endfor %}')
    assert text_of(main, by, people=["a", "b"], who="all") == "a(for all);b(for all);"
    outer = write("outer", "{{> note@staging}}\nthen", format="mustache")
    assert text_of(outer, by, who="me") == "(for me)\nthen"


def test_defaults_of_an_included_prompt_hold_and_its_errors_are_named(write, by):
    write("tone", "{{ mood }}{{ n + 1 }}", "staging", inputs=[{"name": "mood", "default": "kind"}])
    main = write("main", '{% include "tone@staging" %}')
    assert text_of(main, by, n=1) == "kind2"
    with pytest.raises(Invalid) as caught:
        text_of(main, by, n=[])
    assert "in the included acme/tone version 1, line 1" in caught.value.errors["template"][0]
    with pytest.raises(Invalid) as caught:
        text_of(main, by)
    assert list(caught.value.errors) == ["variables.n"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("tone", "neither a label nor a number"),
        ("tone@production", "has no label 'production'"),
        ("tone:7", "has no version 7"),
        ("nothing@latest", "no prompt 'nothing' that you can see"),
        ("chat@latest", "is a chat prompt"),
        ("main@staging", "include itself: acme/main → acme/main@staging"),
    ],
)
def test_an_include_that_leads_nowhere_is_refused_where_it_stands(write, by, name, says):
    write("tone", "kind", "staging")
    write("chat", [{"role": "user", "content": "a"}], type="chat")
    write("main", "x", "staging")
    before = get_prompt(by, "acme/main").last_number
    with pytest.raises(Invalid) as caught:
        write("main", f'a\n  {{% include "{name}" %}}')
    assert caught.value.errors["template"][0].startswith("line 2, column 15: ")
    assert says in caught.value.errors["template"][0]
    assert get_prompt(by, "acme/main").last_number == before


def test_cycles_are_refused_with_their_path(write, by):
    write("a", "one", "staging")
    b = write("b", "{{> a@staging}}", "staging", format="mustache")
    with pytest.raises(Invalid) as caught:
        write("a", '{% include "b@staging" %}')
    assert "acme/a → acme/b@staging → acme/a@staging" in caught.value.errors["template"][0]
    assert text_of(b, by) == "one"


def crossed(write):
    """a includes b and b includes a, both at a label that does not point there yet."""
    write("a", "one", "staging")
    write("b", "two", "staging")
    return write("a", '{% include "b@staging" %}'), write("b", '{% include "a@staging" %}')


def move(version, by):
    return actions.move_label(prompt=version.prompt, label="staging", version=version, by=by)


def test_a_move_that_would_close_a_cycle_is_refused(write, by):
    a, b = crossed(write)
    move(a, by)
    with pytest.raises(Conflict) as caught:
        move(b, by)
    assert caught.value.code == "include_cycle"
    assert "acme/b@staging → acme/a@staging → acme/b@staging" in caught.value.detail
    assert text_of(b, by) == "two"


def test_latest_closes_cycles_too(write, by):
    write("a", "one")
    first = write("b", '{% include "a@latest" %}')
    with pytest.raises(Invalid, match="include itself"):
        write("a", '{% include "b@latest" %}')
    assert text_of(first, by) == "one"


def test_includes_go_ten_deep(write, by):
    last = write("p0", "end", "staging")
    for number in range(1, 11):
        last = write(f"p{number}", f'{{% include "p{number - 1}@staging" %}}', "staging")
    assert text_of(last, by) == "end"
    with pytest.raises(Invalid, match="at most 10 deep"):
        write("p11", '{% include "p10@staging" %}')


def test_rendering_costs_the_same_however_many_are_included(write, by, django_assert_max_num_queries):
    for number in range(12):
        write(f"p{number}", "x", "staging")
    many = write("many", "".join(f'{{% include "p{number}@staging" %}}' for number in range(12)))
    with django_assert_max_num_queries(4):
        assert text_of(many, by) == "x" * 12
    alone = write("alone", "x")
    with django_assert_max_num_queries(0):
        text_of(alone, by)


def test_what_vanished_is_named(write, by):
    write("tone", "kind", "staging")
    main = write("main", '{% include "tone@staging" %}')
    actions.remove_label(prompt=get_prompt(by, "acme/tone"), label="staging", by=by)
    with pytest.raises(Conflict) as caught:
        text_of(main, by)
    assert "acme/tone@staging, which is not there any more" in caught.value.detail


def test_another_teams_prompt_is_included_by_those_who_see_it(write, cast, actor, by):
    from accounts.actions import create_team, grant_role

    admin = actor(cast.admin)
    other = create_team(name="style", by=admin)
    grant_role(user=cast.alice, role="contributor", on=other, by=admin)
    alice = actor(cast.alice)
    prompt = actions.create_prompt(team=other, name="tone", by=alice)
    actions.create_version(prompt=prompt, type="text", template="kind", by=alice)
    main = actions.create_version(
        prompt=actions.create_prompt(team=cast.team, name="main", by=alice),
        type="text", template='{% include "style/tone:1" %}', by=alice,
    )  # fmt: skip
    assert text_of(main, alice) == "kind"
    with pytest.raises(Forbidden) as caught:
        text_of(main, actor(cast.bob))
    assert caught.value.permission == "asset.view"
    with pytest.raises(Invalid, match="that you can see"):
        check_content(type="text", template='{% include "style/tone:1" %}', team=cast.team, by=actor(cast.bob))


def test_behind_a_protected_label_nothing_changes_unapproved(write, cast, actor, by):
    write("tone", "kind", "staging")
    loose = write("main", '{% include "tone@staging" %}')
    asks = [
        lambda: actions.request_move(version=loose, slot="production", by=by),
        lambda: actions.move_label(prompt=loose.prompt, label="production", version=loose, by=by),
    ]
    for ask in asks:
        with pytest.raises(Conflict) as caught:
            ask()
        assert caught.value.code == "include_unprotected" and "acme/tone@staging" in caught.value.detail
    indirect = write("outer", '{% include "main:1" %}')
    with pytest.raises(Conflict, match="acme/main version 1 includes acme/tone@staging"):
        actions.request_move(version=indirect, slot="production", by=by)
    pinned = write("main", '{% include "tone:1" %}')
    request = actions.request_move(version=pinned, slot="production", reason="go", by=by)
    review(request=request, verdict="approve", comment="", on=pinned.prompt, by=actor(cast.bob))
    moves = get_prompt(by, "acme/main").labels.values_list("name", "version__number")
    assert ("production", 2) in set(moves) or request.state != "applied"


def test_impact_follows_labels_upwards(write, cast, actor, by, django_assert_max_num_queries):
    write("tone", "kind", "staging")
    write("middle", '{% include "tone@staging" %}', "staging")
    write("top", '{% include "middle@staging" %}', "candidate")
    write("old", '{% include "tone@staging" %}')
    write("old", "no more")
    write("pinned", '{% include "tone:1" %}')
    with django_assert_max_num_queries(20):
        found = impact_of(get_prompt(by, "acme/tone"), "staging", by)
    assert [(str(row.prompt), row.depth, row.labels) for row in found.rows] == [
        ("acme/middle", 1, ["staging", "latest"]),
        ("acme/top", 2, ["candidate", "latest"]),
    ]
    assert (found.others, found.hidden) == (1, 0)
    assert not impact_of(get_prompt(by, "acme/tone"), "production", by)
    assert len(impact_of(get_prompt(by, "acme/tone"), None, by).rows) == 3
    assert impact_of(get_prompt(by, "acme/tone"), "staging", actor(cast.mallory)).hidden == 2
    graph = graph_of(get_prompt(by, "acme/middle").versions.first(), by)
    assert {node.label: node.layer for node in graph.nodes.values()} == {
        "acme/tone version 1": -1,
        "acme/middle version 1": 0,
        "acme/top version 1": 1,
    }
    assert len(graph.edges) == 2


def test_composition_over_rest(write, cast, api, by):
    write("tone", "Be {{ mood }}.", "staging")
    write("main", '{% include "tone@staging" %}', "candidate")
    alice, base = api(cast.alice), "/api/v1/prompts/acme"
    rows = alice.get(f"{base}/tone/impact?label=staging").json()["results"]
    assert [(row["prompt"], row["labels"]) for row in rows] == [("acme/main", ["candidate", "latest"])]
    graph = alice.get(f"{base}/main/graph").json()
    assert [(edge["at"]) for edge in graph["edges"]] == ["staging"]
    done = alice.post(f"{base}/main/render", {"label": "candidate", "variables": {"mood": "kind"}}).json()
    assert (done["rendered"], done["used"][0]["prompt"]) == ("Be kind.", "acme/tone")
    unsaved = {"type": "text", "template": '{% include "tone@staging" %}!', "variables": {"mood": "kind"}}
    assert alice.post(f"{base}/render", unsaved).json()["rendered"] == "Be kind.!"
    checked = alice.post(f"{base}/check", {"type": "text", "template": '{% include "tone:9" %}{{'}).json()
    assert checked["digest"] is None and [p["line"] for p in checked["problems"]] == [1]
    assert api(cast.mallory).post(f"{base}/check", unsaved).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_two_moves_at_once_close_no_cycle(write, by):
    pair = crossed(write)
    refused = []

    def run(version):
        try:
            move(version, by)
        except Conflict as problem:
            refused.append(problem.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[version]) for version in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["include_cycle"]


def test_what_latest_becomes_by_deleting_or_restoring_closes_no_cycle(write, by):
    write("a", "one")
    first = write("b", '{% include "a@latest" %}')
    second = write("b", "two")
    write("a", '{% include "b@latest" %}')
    with pytest.raises(Conflict) as caught:
        actions.delete_version(version=second, by=by)
    assert caught.value.code == "include_cycle" and "'latest' would be version 1" in caught.value.detail
    assert "acme/b@latest → acme/a@latest → acme/b@latest" in caught.value.detail
    second.refresh_from_db()
    assert second.deleted_at is None
    assert text_of(first, by) == "two"


def test_what_is_restored_closes_no_cycle(write, by):
    write("d", "four")
    write("c", "plain")
    loop = write("c", '{% include "d@latest" %}')
    actions.delete_version(version=loop, by=by)
    write("d", '{% include "c@latest" %}')
    with pytest.raises(Conflict) as caught:
        actions.restore_version(version=loop, by=by)
    assert (
        caught.value.code == "include_cycle" and "acme/c@latest → acme/d@latest → acme/c@latest" in caught.value.detail
    )
    # It comes back where it is not the newest.
    write("c", "newer")
    assert actions.restore_version(version=loop, reason="needed", by=by).deleted_at is None
    assert AuditEvent.objects.filter(action="prompt_version.restored").get().reason == "needed"


def test_a_prompt_that_comes_back_closes_no_cycle(write, by):
    write("f", "plain", "staging")
    write("e", "plain", "staging")
    g = write("g", '{% include "e@staging" %}', "staging")
    e = write("e", '{% include "f@staging" %}', "staging")
    actions.delete_prompt(prompt=g.prompt, by=by)
    actions.delete_prompt(prompt=e.prompt, by=by)
    actions.restore_prompt(prompt=g.prompt, by=by)
    write("f", '{% include "g@staging" %}', "staging")
    with pytest.raises(Conflict) as caught:
        actions.restore_prompt(prompt=e.prompt, by=by)
    assert caught.value.code == "include_cycle" and "acme/e can't come back with 'staging'" in caught.value.detail
    assert Prompt.objects.get(pk=e.prompt.pk).deleted_at is not None


def test_a_broken_glass_lets_nothing_unprotected_in(write, cast, actor):
    admin = actor(cast.admin)
    write("tone", "kind", "staging")
    loose = write("main", '{% include "tone@staging" %}')
    emergency = "Customers are insulted by what is there now."
    with pytest.raises(Conflict) as caught:
        actions.break_glass(version=loose, slot="production", reason=emergency, by=admin)
    assert caught.value.code == "include_unprotected" and not loose.prompt.labels.exists()
    pinned = write("main", '{% include "tone:1" %}')
    actions.break_glass(version=pinned, slot="production", reason=emergency, by=admin)
    assert pinned.prompt.labels.get().version == pinned


def test_no_door_lets_an_unprotected_include_behind_a_protected_label(write, cast, api, by):
    write("tone", "kind", "staging")
    write("main", '{% include "tone@staging" %}')
    client = api(cast.alice, team=cast.team)
    doors = {
        "rest": client.put("/api/v1/prompts/acme/main/labels/production", {"version": 1}),
        "request": client.post(
            "/api/v1/requests",
            {"kind": "prompt", "asset": "acme/main", "version": 1, "alias": "production", "reason": "go"},
        ),
        "langfuse": client.patch("/api/public/v2/prompts/main/versions/1", {"newLabels": ["production"]}),
        "mlflow": client.post(
            "/api/2.0/mlflow/registered-models/alias", {"name": "main", "alias": "production", "version": "1"}
        ),
    }
    for door, answer in doors.items():
        assert 400 <= answer.status_code < 500, door
        assert "moves without an approval" in answer.content.decode(), door
    assert not ApprovalRequest.objects.filter(asset_label="acme/main").exists()
    assert not get_prompt(by, "acme/main").labels.exists()
