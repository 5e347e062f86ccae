"""Debian's chromium for the tests that drive the site in a real browser (tests/conftest.py hands the fixtures out)."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def launched() -> Iterator[Browser]:
    """Debian's chromium where it is, else Playwright's own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"), args=OPTIONS
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for a module, and none afterwards: Playwright runs a loop in this thread, which Django would refuse."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield from launched()


@pytest.fixture
def browse(chromium: Browser, live_server: Any, client_of: Callable[[Any], Any]) -> Iterator[Callable[..., Page]]:
    """browse(user, **options of the context) -> a page of that person's, browse(None) a stranger's. A script's error fails the test."""
    from django.conf import settings

    contexts, problems = [], []

    def make(user: Any, **options: Any) -> Page:
        context = chromium.new_context(base_url=live_server.url, **options)
        contexts.append(context)
        if user is not None:
            name = settings.SESSION_COOKIE_NAME
            context.add_cookies([{"name": name, "value": client_of(user).cookies[name].value, "url": live_server.url}])
        context.set_default_timeout(60_000)
        context.on("page", lambda page: page.on("pageerror", lambda error: problems.append(f"{page.url}: {error}")))
        return context.new_page()

    yield make
    for context in contexts:
        for page in context.pages:  # what is under way ends before the database is emptied
            with suppress(Error):  # a page that asks again and again is never idle
                page.wait_for_load_state("networkidle", timeout=3_000)
        context.close()
    assert problems == []
