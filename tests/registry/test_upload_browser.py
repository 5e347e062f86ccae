"""Uploading in a real browser: parts at once, taken up again after a reload, errors at the file that they are about."""

import os
import re

import pytest
from playwright.sync_api import expect

from registry import storage
from registry.models import Upload

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]
MIB = 1 << 20


@pytest.fixture
def draft(make_asset, make_draft):
    return make_draft(make_asset(), {})


@pytest.fixture
def page(browse, cast, draft):
    opened = browse(cast.alice)
    opened.on("dialog", lambda dialog: dialog.accept())
    opened.goto(draft.get_absolute_url())
    return opened


def choose(page, *paths):
    page.locator("[data-upload-input]").first.set_input_files(list(paths))


def stored(draft):
    return {file.path: storage.open_blob(file.blob_id).read() for file in draft.files.all()}


def test_large_and_small_files_arrive_whole(page, draft, tmp_path):
    contents = {"large.txt": os.urandom(40 * MIB + 7), "small.txt": b"small", "empty.txt": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    with page.expect_event("load", timeout=60_000):  # a reload, not an entry in the history
        choose(page, *(tmp_path / name for name in contents))
    expect(page.locator("#files")).to_contain_text("large.txt")
    assert stored(draft) == contents


def test_an_upload_goes_on_after_a_reload_with_the_parts_that_are_missing(page, draft, tmp_path):
    content = os.urandom(40 * MIB)
    path = tmp_path / "large.txt"
    path.write_bytes(content)
    page.route(re.compile("parts/3$"), lambda route: None)  # never answered
    with page.expect_response(re.compile("parts/2$")):
        choose(page, path)
    page.wait_for_timeout(1_000)  # part 1 too
    page.goto(draft.get_absolute_url())
    page.unroute_all()
    expect(page.locator(".upload-left")).to_contain_text("large.txt")
    expect(page.locator(".upload-left")).to_contain_text("interrupted")
    put = []
    page.on("request", lambda request: put.append(request.url) if request.method == "PUT" else None)
    with page.expect_event("load", timeout=60_000):  # a reload, not an entry in the history
        choose(page, path)
    assert [url.rsplit("/", 1)[1] for url in put] == ["3"]
    assert stored(draft) == {"large.txt": content} and Upload.objects.count() == 1
    expect(page.locator(".upload-left")).to_have_count(0)


def test_pausing_stops_and_resuming_finishes(page, draft, tmp_path):
    path = tmp_path / "large.txt"
    path.write_bytes(os.urandom(20 * MIB))
    page.route(re.compile("parts/2$"), lambda route: None)
    with page.expect_response(re.compile("parts/1$")):
        choose(page, path)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("[data-upload-sum]")).to_contain_text("paused")
    page.unroute_all()
    with page.expect_event("load", timeout=60_000):  # a reload, not an entry in the history
        page.get_by_role("button", name="Resume").click()
    assert stored(draft) == {"large.txt": path.read_bytes()}


def test_a_refused_file_says_why_and_the_others_are_stored(page, draft, tmp_path, settings):
    settings.MAX_FILE_BYTES = 10 * MIB
    (tmp_path / "large.txt").write_bytes(bytes(11 * MIB))
    (tmp_path / "small.txt").write_bytes(b"small")
    choose(page, tmp_path / "large.txt", tmp_path / "small.txt")
    failed = page.locator(".upload-failed")
    expect(failed).to_contain_text("At most 10485760 bytes")
    expect(page.locator(".upload-done")).to_contain_text("small.txt")
    settings.MAX_FILE_BYTES = 20 * MIB
    with page.expect_event("load", timeout=60_000):  # a reload, not an entry in the history
        failed.get_by_role("button", name="Try again").click()
    assert set(stored(draft)) == {"large.txt", "small.txt"}


def test_cancelling_leaves_nothing(page, draft, tmp_path):
    (tmp_path / "large.txt").write_bytes(bytes(20 * MIB))
    page.route(re.compile("parts/2$"), lambda route: None)
    with page.expect_response(re.compile("parts/1$")):
        choose(page, tmp_path / "large.txt")
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        page.get_by_role("button", name="Cancel large.txt").click()
    assert not Upload.objects.exists() and stored(draft) == {}
    assert page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('upload'))") == []


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("bucket", ["moto"], indirect=True)
def test_without_the_buckets_permission_parts_go_by_way_of_the_site(page, draft, tmp_path):
    """The bucket sends no CORS headers, so the browser may not put anything there."""
    (tmp_path / "large.txt").write_bytes(bytes(20 * MIB))
    with page.expect_event("load", timeout=60_000):  # a reload, not an entry in the history
        choose(page, tmp_path / "large.txt")
    assert stored(draft) == {"large.txt": bytes(20 * MIB)}
