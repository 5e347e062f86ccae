"""Search: ranks, slips of the finger, facets, what one may see, and what changes reach it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actions import create_team, grant_role
from accounts.roles import Role
from registry import actions, reads, search
from registry.models import Asset, AssetSearch, SearchWord
from registry.search.words import distance, meant_by, words_of_name

from .conftest import model_files

CARD = """---
license: apache-2.0
language: [en, de]
library_name: transformers
tags: [dates, history]
base_model: acme/quokka-base
---
# About
Turns medieval charters into calendar days.
"""


@pytest.fixture
def find(cast, actor):
    """find('text', user=…, **facets) -> names on the first page."""

    def ask(text="", user=None, **facets):
        by = actor(user or cast.alice)
        return [row.name for row in found(by, text, **facets).rows]

    return ask


def found(by, text="", cursor="", limit=50, **facets):
    query = search.Query(
        text=text,
        **{name: (value,) if isinstance(value, str) and name != "sort" else value for name, value in facets.items()},
    )
    return search.find(reads.visible_assets(by, "model"), query, cursor=cursor, limit=limit)


def test_ranks_are_exact_name_then_beginning_then_word_then_card(make_asset, make_version, find):
    make_asset("llama")
    make_asset("llama-chat")
    make_asset("my-llama")
    make_version(make_asset("other"), model_files(**{"README.md": b"# A\nLike llama but smaller."}))
    make_asset("unrelated")
    assert find("llama") == ["llama", "llama-chat", "my-llama", "other"]
    assert find("LLAMA")[0] == "llama"
    assert find("acme/llama")[:2] == ["llama", "llama-chat"]
    assert find("lla") == ["llama-chat", "llama", "my-llama", "other"]


def test_of_equals_the_last_changed_comes_first(make_asset, find, cast, actor):
    one, _ = make_asset("date-a"), make_asset("date-b")
    assert find("date") == ["date-b", "date-a"]
    actions.update_asset(asset=one, description="newer", by=actor(cast.alice))
    assert find("date") == ["date-a", "date-b"]
    assert find("date", sort="name") == ["date-a", "date-b"]
    assert find("date", sort="created") == ["date-b", "date-a"]


def test_names_fall_apart_at_every_seam():
    assert words_of_name("Llama3-8b.InstructChat") == [
        "llama3", "llama", "3", "8b", "8", "b", "instructchat", "instruct", "chat",
    ]  # fmt: skip


def test_all_words_in_any_order_and_as_beginnings(make_asset, find):
    make_asset("date-normaliser", description="Café menus of Zürich")
    assert find("norm dat") == ["date-normaliser"]
    assert find("cafe zurich") == ["date-normaliser"]
    assert find("norm banana") == []


@pytest.mark.parametrize("slip", ["normaliesr", "nrmaliser", "normaliserr", "nermaliser", "normaliezr"])
def test_a_slip_finds_what_was_meant(make_asset, cast, actor, slip, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        make_asset("date-normaliser")
    page = found(actor(cast.alice), f"date {slip}")
    assert [row.name for row in page.rows] == ["date-normaliser"]
    assert page.corrected[slip] == "normaliser"


def test_a_word_that_fits_is_never_corrected(make_asset, cast, actor, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        make_asset("llamas"), make_asset("lamas")
    page = found(actor(cast.alice), "lamas")
    assert ([row.name for row in page.rows], page.corrected) == (["lamas"], {})


def test_words_of_what_one_may_not_see_are_never_suggested(make_asset, cast, actor, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        make_asset("merger-confidential")
    other = create_team(name="globex", title="Globex", by=actor(cast.admin))
    grant_role(user=cast.mallory, role=Role.CONTRIBUTOR, on=other, by=actor(cast.admin))
    page = found(actor(cast.mallory), "confidentail")
    assert (page.rows, page.corrected) == ([], {})


def test_distance_counts_a_swap_as_one():
    assert [distance("abcd", other) for other in ("abcd", "abdc", "abc", "abxd", "badc")] == [0, 1, 1, 1, 2]


def test_short_words_and_numbers_are_not_guessed(db):
    search.learn(["cat", "llama", "2024"])
    assert list(SearchWord.objects.values_list("word", flat=True)) == ["llama"]
    assert meant_by("cta") == []


def test_what_strangers_may_not_see_is_not_found(make_asset, find, cast):
    make_asset("date-normaliser")
    assert find("date", user=cast.victor) == ["date-normaliser"]
    assert find("date", user=cast.mallory) == []


def test_a_grant_on_one_asset_finds_that_one(make_asset, find, cast, actor):
    make_asset("date-a")
    grant_role(user=cast.mallory, role=Role.VIEWER, on=make_asset("date-b"), by=actor(cast.admin))
    assert find("date", user=cast.mallory) == ["date-b"]


def test_facets_come_from_card_and_files(make_asset, make_version, find, cast, actor):
    make_version(make_asset("carded"), model_files(**{"README.md": CARD.encode()}))
    make_asset("bare")
    row = AssetSearch.objects.get(name="carded")
    assert (row.licence, row.languages, row.library, row.architecture) == (
        "apache-2.0", ["de", "en"], "transformers", "LlamaForCausalLM",
    )  # fmt: skip
    for facet, value in (
        ("licence", "apache-2.0"), ("language", "de"), ("library", "transformers"), ("tag", "history"), ("size", "under-100m"),
    ):  # fmt: skip
        assert find(**{facet: value}) == ["carded"], facet
    assert find("charters medieval") == ["carded"]
    assert find("quokka") == ["carded"]
    by = actor(cast.alice)
    counted = search.count(reads.visible_assets(by, "model"), search.Query())
    assert (counted.total, counted.more) == (2, False)
    assert [(one.value, one.count) for one in counted.values["language"]] == [("de", 1), ("en", 1)]
    assert [(one.value, one.count) for one in counted.values["team"]] == [("acme", 2)]


def test_counts_stop_at_the_bound(make_asset, cast, actor, monkeypatch):
    monkeypatch.setattr("registry.search.facets.BOUND", 2)
    for name in "abc":
        make_asset(f"date-{name}")
    counted = search.count(reads.visible_assets(actor(cast.alice), "model"), search.Query(text="date"))
    assert (counted.total, counted.more) == (2, True)


def test_stage_team_and_archive(make_asset, make_version, find, cast, actor):
    by = actor(cast.alice)
    asset = make_asset("date-a")
    actions.move_alias(asset=asset, name="staging", version=make_version(asset), by=by)
    make_asset("date-b")
    assert find(stage="staging") == ["date-a"]
    assert find(team="acme", text="date-b") == ["date-b"]
    assert find(team="globex") == []
    actions.archive_asset(asset=asset, by=by)
    assert find("date") == ["date-b"]
    assert find("date", archived=True) == ["date-a"]


def test_changes_reach_the_search_in_their_own_transaction(make_asset, find, cast, actor):
    by, asset = actor(cast.alice), make_asset("date-a")
    actions.rename_asset(asset=asset, name="charter", by=by)
    assert (find("charter"), find("date-a")) == (["charter"], [])
    actions.set_tag(asset=asset, key="owner", value="quokka team", by=by)
    assert (find("quokka"), find(tag="owner:quokka team")) == (["charter"], ["charter"])
    actions.delete_tag(asset=asset, key="owner", by=by)
    assert find("quokka") == []
    actions.update_asset(asset=asset, description="Reads wallabies", by=by)
    assert find("wallab") == ["charter"]
    actions.delete_asset(asset=asset, by=by)
    assert find("charter") == []


def test_what_came_in_past_the_actions_is_caught_up_with(make_asset, find):
    make_asset("date-a")
    AssetSearch.objects.all().delete()
    assert (find("date"), find()) == ([], ["date-a"])
    assert search.refresh_many(search.stale()) == 1
    assert find("date") == ["date-a"]
    assert list(search.stale()) == []


def test_a_late_catching_up_never_undoes_a_newer_change(make_asset, find, monkeypatch):
    from datetime import timedelta

    from django.utils import timezone

    asset = make_asset("date-a")
    monkeypatch.setattr(
        "registry.search.documents.timezone.now",
        lambda: timezone.datetime.now(timezone.get_current_timezone()) - timedelta(hours=1),
    )
    Asset.objects.filter(pk=asset.pk).update(name="old-reading")
    search.refresh_many([asset.pk])
    assert AssetSearch.objects.get(pk=asset.pk).name == "date-a"


@pytest.mark.parametrize("many", [2_000, 5, 3, 0])  # more than so much is walked to, not fetched
def test_pages_go_through_every_rank_once(make_asset, cast, actor, monkeypatch, many):
    monkeypatch.setattr("registry.search.probe.MOST", many)
    names = ["date", *(f"date-{n}" for n in range(4)), *(f"my-{n}-date" for n in range(4))]
    for name in names:
        make_asset(name)
    make_asset("far", description="a date in it")
    by, seen, cursor = actor(cast.alice), [], ""
    while True:
        page = found(by, "date", cursor=cursor, limit=3)
        seen += [row.name for row in page.rows]
        assert len(page.rows) <= 3
        cursor = page.next
        if not cursor:
            break
    by_rank = ["date", *(f"date-{n}" for n in (3, 2, 1, 0)), *(f"my-{n}-date" for n in (3, 2, 1, 0)), "far"]
    assert seen == by_rank


def test_who_sees_little_of_much_finds_it_by_each_rank(make_asset, cast, actor, monkeypatch):
    monkeypatch.setattr("registry.search.probe.MOST", 3)
    for name in ("date-a", "my-date", "date-b", "your-date"):
        make_asset(name)
    make_asset("far-a", description="a date in it")
    shown = [make_asset("far-b", description="a date in it"), *Asset.objects.filter(name__in=["my-date", "date-a"])]
    for asset in shown:
        grant_role(user=cast.mallory, role=Role.VIEWER, on=asset, by=actor(cast.admin))
    assert [row.name for row in found(actor(cast.mallory), "date").rows] == ["date-a", "my-date", "far-b"]


@pytest.mark.parametrize("cursor", ["x", "9.", "WzBd", "~", "1", "²."])
def test_a_made_up_cursor_is_refused(make_asset, cast, actor, cursor):
    from accounts.errors import Invalid

    make_asset("date-a")
    if cursor == "~":
        assert found(actor(cast.alice), "date", cursor=cursor).rows
        return
    with pytest.raises(Invalid):
        found(actor(cast.alice), "date", cursor=cursor)


@pytest.mark.parametrize("text", ["'", "\\", "& |", "a' & 'b", "\0", "((", ":*", "é" * 300, "x" * 500, "%", "_"])
def test_any_text_can_be_asked(make_asset, find, text):
    make_asset("date-a")
    assert isinstance(find(text), list)


def test_queries_do_not_grow_with_what_is_found(make_asset, cast, actor):
    def cost():
        with CaptureQueriesContext(
            connection,
        ) as seen:
            found(actor(cast.alice), "date")
        return len(seen)

    make_asset("date-a")
    few = cost()
    for n in range(10):
        make_asset(f"date-{n}")
    assert cost() == few <= 9


def test_the_list_shows_facets_chips_and_only_the_found_part_while_one_types(make_asset, make_version, client_of, cast):
    make_version(make_asset("carded"), model_files(**{"README.md": CARD.encode()}))
    make_asset("bare")
    page = client_of(cast.victor)
    whole = page.get("/models/?q=card").text
    assert "acme/</span><strong>carded" in whole
    assert "<strong>bare" not in whole
    part = page.get("/models/?q=card", headers={"hx-request": "true", "hx-target": "div#found"}).text
    assert part.lstrip().startswith('<div id="found"')
    chosen = page.get("/models/?licence=apache-2.0").text
    assert 'aria-label="Remove filter Licence: apache-2.0"' in chosen
    assert 'aria-label="Tag"' in chosen
    assert "Nothing fits" in page.get("/models/?licence=none").text


def test_rest_searches_counts_and_refuses_an_unknown_order(make_asset, make_version, api, cast):
    make_version(make_asset("carded"), model_files(**{"README.md": CARD.encode()}))
    make_asset("bare")
    client = api(cast.victor)
    found = client.get("/api/v1/models?q=card&language=de").json()
    assert [row["name"] for row in found["results"]] == ["carded"]
    assert found["corrected"] == {}
    counted = client.get("/api/v1/models/facets?q=card").json()
    assert counted["total"] == 1
    assert counted["facets"]["licence"] == [{"value": "apache-2.0", "title": "apache-2.0", "count": 1}]
    assert client.get("/api/v1/models?sort=size").status_code == 400
    assert client.get("/api/v1/models?q=card&cursor=made-up").status_code == 400
    assert [row["name"] for row in client.get("/api/v1/models?search=bare&alias=").json()["results"]] == ["bare"]
