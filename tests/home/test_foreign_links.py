"""What MLflow's client prints (SITE/#/experiments/…) leads to the page, past signing in, in a browser: the hash never reaches a server."""

import pytest

from accounts.access import Actor
from tracking import actions as tracking

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def page(browse):
    return browse(None)


def test_a_printed_address_leads_to_the_run_past_signing_in(cast, page):
    by = Actor(cast.alice)
    lab = tracking.create_experiment(team=cast.team, name="lab", by=by)
    run = tracking.start_run(team=cast.team, experiment=lab, name="printed", by=by)
    printed = f"/#/experiments/{lab.pk}/runs/{run.uuid}"
    page.goto(printed)
    page.wait_for_url("**/accounts/login/**")
    page.fill("input[name=login]", cast.alice.email)
    page.fill("input[name=password]", cast.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"**/runs/{run.pk}")
    page.goto("about:blank")
    page.goto(printed)
    page.wait_for_url(f"**/runs/{run.pk}")
    assert "printed" in page.locator("h1").inner_text()
