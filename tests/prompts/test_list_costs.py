"""Every list of a prompt's costs the same queries for five rows and for fifty, over REST and as a page; in any role."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.access import Actor
from prompts import actions
from prompts.models import (
    Label,
    LabelMove,
    Prompt,
    PromptBranch,
    PromptDraft,
    PromptTag,
    PromptUse,
    PromptVersion,
    PromptVersionTag,
)
from prompts.reads import labels_at, last_moves

API, PAGE = "/api/v1/prompts/acme/support/one", "/prompts/acme/support/one"
REST = [
    f"{API}/versions", f"{API}/labels", f"{API}/labels?at=2099-01-01", f"{API}/labels/l0/history", f"{API}/branches", f"{API}/drafts",
    f"{API}/tags", f"{API}/versions/1/tags", f"{API}/usage", "/api/v1/prompts?team=acme&deleted=1", "/api/v1/prompts?q=one", "/api/v1/prompt-drafts",
    "/api/v1/prompts?label=l0", "/api/v1/prompt-folders?team=acme",
]  # fmt: skip
PAGES = [
    PAGE, f"{PAGE}/versions/1", f"{PAGE}/labels", f"{PAGE}/labels?label=l0&at=2099-01-01", f"{PAGE}/branches", f"{PAGE}/usage",
    f"{PAGE}/tests", "/playground/", f"{PAGE}/settings", "/prompts/", "/prompts/?folder=support", "/prompts/?state=deleted", "/prompts/?q=one",
]  # fmt: skip


def grow(cast, prompt, first, last):
    """Rows number `first` to `last` of whatever is listed, by hand: what the actions make is the same."""
    by, now, one = cast.alice, timezone.now(), prompt.versions.get(number=1)
    numbers = range(first, last + 1)
    kept = {
        f.attname: getattr(one, f.attname)
        for f in PromptVersion._meta.concrete_fields
        if f.name not in ("id", "number")
    }
    made = PromptVersion.objects.bulk_create(PromptVersion(**kept, number=1 + n) for n in numbers)
    pairs = list(zip(numbers, made, strict=True))
    Label.objects.bulk_create(Label(prompt=prompt, name=f"l{n}", version=v, updated_by=by) for n, v in pairs)
    for same in (True, False):
        LabelMove.objects.bulk_create(
            LabelMove(prompt=prompt, name="l0" if same else f"l{n}", before=one, after=v, moved_by=by) for n, v in pairs
        )
    PromptBranch.objects.bulk_create(
        PromptBranch(prompt=prompt, name=f"b{n}", start=one, head=v, created_by=by) for n, v in pairs
    )
    PromptDraft.objects.bulk_create(
        PromptDraft(prompt=prompt, author=by, branch=f"b{n}", base=one, content={"template": "x"}) for n in numbers
    )
    PromptTag.objects.bulk_create(PromptTag(prompt=prompt, key=f"t{n}") for n in numbers)
    PromptVersionTag.objects.bulk_create(PromptVersionTag(version=one, key=f"t{n}") for n in numbers)
    PromptUse.objects.bulk_create(
        PromptUse(version=v, consumer=by, key_id=f"k{n}", day=now.date(), fetches=n, last_at=now) for n, v in pairs
    )
    for gone, folder in ((None, "support"), (None, "f{}"), (now, "bin")):
        Prompt.objects.bulk_create(
            Prompt(team=cast.team, name=f"{folder.format(n)}/one {n}", created_by=by, updated_by=by, deleted_at=gone)
            for n in numbers
        )


@pytest.mark.parametrize("addresses", [REST, PAGES[:6], PAGES[6:]], ids=["rest", "of one", "pages"])
def test_lists_cost_the_same_for_five_rows_and_for_fifty(cast, api, client_of, addresses):
    by = Actor(cast.alice)
    prompt = actions.create_prompt(team=cast.team, name="support/one", by=by)
    version = actions.create_version(prompt=prompt, type="text", template="x", by=by)
    actions.move_label(prompt=prompt, label="l0", version=version, by=by)
    client = api(cast.alice) if addresses is REST else client_of(cast.alice)

    def costs():
        found = {}
        for address in addresses:
            with CaptureQueriesContext(connection) as seen:
                assert client.get(address).status_code == 200, address
            found[address] = len(seen)
        return found

    grow(cast, prompt, 1, 5)
    client.get(addresses[0])  # content types and the like are read once
    few = costs()
    grow(cast, prompt, 6, 50)
    assert {address: cost for address, cost in costs().items() if cost > few[address]} == {}


def test_the_last_move_of_each_label(cast):
    by = Actor(cast.alice)
    prompt = actions.create_prompt(team=cast.team, name="support/one", by=by)
    assert last_moves(prompt) == []
    versions = [actions.create_version(prompt=prompt, type="text", template=f"{n}", by=by) for n in range(3)]
    for version in versions:
        for label in ("b", "a"):
            actions.move_label(prompt=prompt, label=label, version=version, by=by)
    between = timezone.now()
    actions.move_label(prompt=prompt, label="a", version=versions[0], by=by)
    actions.remove_label(prompt=prompt, label="b", by=by)
    last = last_moves(prompt)
    assert [(move.name, move.before.number, move.after and move.after.number) for move in last] == [
        ("a", 3, 1), ("b", 3, None),
    ]  # fmt: skip
    assert [(move.name, move.after.number) for move in labels_at(prompt, between)] == [("a", 3), ("b", 3)]
    assert [move.name for move in labels_at(prompt, timezone.now())] == ["a"]


@pytest.mark.parametrize("person", ["victor", "bob"])
def test_the_labels_page_shows_where_each_can_be_rolled_back(cast, client_of, person):
    by = Actor(cast.alice)
    prompt = actions.create_prompt(team=cast.team, name="support/one", by=by)
    for n in range(2):
        version = actions.create_version(prompt=prompt, type="text", template=f"{n}", by=by)
        actions.move_label(prompt=prompt, label="eu", version=version, by=by)
    page = client_of(getattr(cast, person)).get(f"{PAGE}/labels?label=eu").content.decode()
    assert page.count('value="eu"') >= 1
