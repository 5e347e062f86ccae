"""Who uses which version: REST, the page, and the chips beside versions."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.access import Actor
from accounts.actions import create_key, grant_role
from accounts.roles import Role
from prompts import actions
from prompts.models import PromptUse

API, PAGE = "/api/v1/prompts/acme/support/greeting", "/prompts/acme/support/greeting"


@pytest.fixture
def prompt(cast):
    by = Actor(cast.alice)
    made = actions.create_prompt(team=cast.team, name="support/greeting", by=by)
    for text in ("one", "two", "three"):
        actions.create_version(prompt=made, type="text", template=text, by=by)
    return made


@pytest.fixture
def use(prompt):
    def make(number, user, *, days_ago=0, fetches=5, key="", label=""):
        at = timezone.now() - timedelta(days=days_ago)
        version = prompt.versions.get(number=number)
        return PromptUse.objects.create(
            version=version, consumer=user, key_id=key, label=label, day=at.date(), fetches=fetches, last_at=at
        )

    return make


def test_who_still_uses_version_1(prompt, use, cast, api):
    row, _ = create_key(name="billing service", by=Actor(cast.bob))
    use(1, cast.bob, key=row.key_id, label="production", fetches=3)
    use(1, cast.bob, key=row.key_id, label="production", fetches=4, days_ago=2)
    use(1, cast.dana, days_ago=60)
    use(2, cast.bob, label="staging")
    victor = api(cast.victor)
    found = victor.get(f"{API}/usage?version=1").json()
    assert [(one["consumer"], one["key_name"], one["label"], one["fetches"]) for one in found["consumers"]] == [
        ("bob@example.com", "billing service", "production", 7)
    ]
    assert [(one["version"], one["fetches"], one["consumers"]) for one in found["versions"]] == [(1, 7, 1)]
    assert [one["fetches"] for one in found["days"]] == [4, 3]
    since = (timezone.now() - timedelta(days=90)).date()
    assert len(victor.get(f"{API}/usage?version=1&since={since}").json()["consumers"]) == 2
    assert {one["version"] for one in victor.get(f"{API}/usage").json()["versions"]} == {1, 2}


@pytest.mark.parametrize("since", ["yesterday", "2020-01-01", "2999-01-01", "2026-13-01"])
def test_a_day_that_is_none_is_refused(prompt, cast, api, since):
    answer = api(cast.victor).get(f"{API}/usage?since={since}")
    assert answer.status_code == 400 and "since" in answer.json()["errors"]
    assert api(cast.victor).get(f"{API}/usage?version=x").status_code == 400


def test_names_are_for_the_team(prompt, use, cast, api, client_of):
    use(1, cast.bob, key="cskabc", label="production")
    grant_role(user=cast.mallory, role=Role.VIEWER, on=prompt, by=Actor(cast.admin))
    (seen,) = api(cast.mallory).get(f"{API}/usage").json()["consumers"]
    assert (seen["consumer"], seen["key_id"], seen["fetches"], seen["kind"]) == (None, "", 5, "person")
    assert "bob@example.com" not in client_of(cast.mallory).get(f"{PAGE}/usage").content.decode()


def test_the_page_and_the_chips(prompt, use, cast, client_of):
    use(1, cast.bob, label="production", fetches=1234)
    use(1, cast.dana)
    victor = client_of(cast.victor)
    page = victor.get(f"{PAGE}/usage?version=1&days=7").content.decode()
    assert "1,234" in page and "Bob" in page and 'aria-current="page">Usage' in page
    assert "Nobody fetched this version" in victor.get(f"{PAGE}/usage?version=3").content.decode()
    assert "2 consumers" in victor.get(PAGE).content.decode()
    assert victor.get(f"{PAGE}/usage?version=x&days=y").status_code == 200
    assert client_of(cast.mallory).get(f"{PAGE}/usage").status_code == 404


def test_it_costs_the_same_with_many(prompt, use, cast, client_of, django_assert_max_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    victor = client_of(cast.victor)

    def cost(address):
        victor.get(address)
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert victor.get(address).status_code == 200
        return len(seen)

    use(1, cast.bob, label="production")
    few = cost(f"{PAGE}/usage"), cost(PAGE)
    for place in range(20):
        use(
            1 + place % 3,
            [cast.bob, cast.dana, cast.alice][place % 3],
            label=f"l{place}",
            days_ago=place % 5,
            key=f"k{place}",
        )
    assert (cost(f"{PAGE}/usage"), cost(PAGE)) == few
