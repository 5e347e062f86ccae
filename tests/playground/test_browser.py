"""In a real browser: Ctrl-Enter runs, answers grow while one looks, nothing sticks out, axe finds nothing."""

import os
import threading
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connections
from playwright.sync_api import expect

from playground.models import PlaygroundRun

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def page(browse, cast, play):
    return browse(cast.alice, viewport={"width": 1440, "height": 1000})


def looked_at(page, name):
    """No sideways scrolling at any width, nothing that axe objects to, in light and dark. PLAYGROUND_SHOTS: where pictures go."""
    folder = os.environ.get("PLAYGROUND_SHOTS")
    for width in (1440, 390, 320):
        page.set_viewport_size({"width": width, "height": 1000})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(400)  # colours change gradually
            if folder and width != 320:
                page.screenshot(path=str(Path(folder) / f"{name}-{width}-{scheme}.png"), full_page=True)
            if width != 320:
                found = Axe().run(page)
                assert found.violations_count == 0, found.generate_report()
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1440, "height": 1000})


def work(play, run):
    """A worker beside the page."""

    def turns():
        play.runner.take_turn(run.pk)
        connections.close_all()

    worker = threading.Thread(target=turns)
    worker.start()
    return worker


def test_a_session_from_the_first_word_to_the_kept_example(page, play, make_asset):
    make_asset("examples", kind="dataset")
    play.stand.delay_s = 0.15
    play.stand.says = {
        "Greet Ada": "Good morning, dear Ada, and welcome to the laboratory of many fine engines",
        "Welcome Ada warmly": "Good evening, dear Ada, and welcome home",
    }
    page.goto("/playground/new")
    page.get_by_label("Message 2, user").fill("Greet {{ name }}")
    page.get_by_label("Model").select_option("acme/echo")
    page.get_by_role("button", name="Add column").click()
    second = page.get_by_role("region", name="Column 2")
    second.get_by_label("Message 2, user").fill("Welcome {{ name }} warmly")
    second.get_by_label("Model").select_option("acme/echo")
    second.get_by_label("Message 2, user").blur()
    value = page.get_by_role("group", name="Row 1").get_by_label("name", exact=True)
    expect(value).to_be_visible()
    expect(second.get_by_label("Message 2, user")).to_have_value("Welcome {{ name }} warmly")
    value.fill("Ada")
    page.get_by_label("Name", exact=True).fill("Greetings")
    looked_at(page, "bench")
    value.press("Control+Enter")
    page.wait_for_url("**/playground/*#results")
    run = PlaygroundRun.objects.get()
    worker = work(play, run)
    expect(page.locator(".play-output.is-streaming").first).to_contain_text("Good")
    assert PlaygroundRun.objects.get().state == "running", "it is seen before it is whole"
    expect(page.locator(".play-cell").first).to_contain_text("fine engines")
    expect(page.locator("#results[hx-trigger]")).to_have_count(0)
    worker.join(timeout=20)
    expect(page.locator(".play-summary")).to_contain_text("USD")
    page.get_by_role("link", name="column 1").click()
    expect(page.locator(".inline-diff del").first).to_be_visible()
    page.get_by_role("button", name="Good answer").first.click()
    expect(page.get_by_role("button", name="Good answer, 1 say so")).to_have_attribute("aria-pressed", "true")
    looked_at(page, "results")
    page.get_by_role("link", name="Open this answer").first.click()
    page.get_by_label("Say").fill("And in French?")
    page.get_by_label("Say").press("Control+Enter")
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    work(play, run).join(timeout=20)
    expect(page.get_by_text("You said: And in French?")).to_be_visible()
    page.go_back()
    page.reload()
    page.get_by_label("Dataset").fill("acme/examples")
    page.get_by_role("button", name="Keep in a new version").click()
    expect(page.get_by_text("row of acme/examples version 1")).to_be_visible()
    looked_at(page, "cell")
    page.goto("/playground/")
    expect(page.get_by_role("link", name="Greetings", exact=True).first).to_be_visible()
    looked_at(page, "list")
