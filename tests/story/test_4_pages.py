"""Every kind of page, wide and light, narrow and dark: axe finds nothing, nothing hangs over the side, it weighs little."""

import json
from pathlib import Path

import pytest

from .conftest import Instance

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.browser, pytest.mark.timeout(600)]
AXE = Path(__file__).resolve().parent.parent.parent / "node_modules" / "axe-core" / "axe.min.js"
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
MODEL = "/models/acme/date-normaliser"
PAGES = {
    "alice": [
        "/", "/requests/", "/requests/?tab=mine", "/requests/new", "/requests/1", "/models/", "/models/new", MODEL,
        f"{MODEL}/files", f"{MODEL}/card", f"{MODEL}/evaluations", f"{MODEL}/deployments", f"{MODEL}/history",
        f"{MODEL}/versions/2", f"{MODEL}/compare?from=1&to=2", "/datasets/", "/datasets/acme/dates", "/prompts/", "/prompts/new",
        "/prompts/acme/extract-dates", "/prompts/acme/extract-dates/versions/2", "/evaluations/", "/evaluations/new", "/evaluations/1",
        "/runs/", "/runs/1", "/deployments/", "/policies/", "/settings/", "/settings/keys/", "/search?q=date", "/api/docs",
        "/settings/sessions/", "/settings/notifications/", "/settings/delegations/", "/accounts/2fa/", "/notices/",
    ],
    "dana": ["/deployments/new?model=acme/date-normaliser"],
    "carol": [
        "/ledger/", "/ledger/?action=request&door=ui&actor=alice", "/ledger/?asset=nothing-like-this", "/ledger/40",
        "/ledger/life/model/2", "/ledger/life/user/2", "/ledger/integrity", "/ledger/views",
    ],
    "admin": [
        "/settings/team/", "/settings/people/", "/settings/storage/", "/policies/new", "/policies/1", "/ledger/erase", "/requests/glass",
        "/settings/webhooks/", "/settings/webhooks/new", "/settings/team/acme/roles/", "/settings/team/acme/groups/",
        "/access/who?permission=request.review&on=acme/date-normaliser&kind=model", "/access/what?person=bob@example.com",
    ],
    "mallory": ["/", "/models/"],
}  # fmt: skip


def findings(page) -> list[str]:
    page.add_script_tag(path=AXE)
    found = page.evaluate(f"async () => (await axe.run(document, {json.dumps(RULES)})).violations")
    return [f"{rule['id']}: {rule['nodes'][0]['html'][:160]}" for rule in found]


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (320, "dark")])
def test_pages_are_accessible_and_fit(instance: Instance, signed_in, width, scheme):
    wrong = []
    for name, paths in PAGES.items():
        page = signed_in(name, bypass_csp=True, color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        for path in paths:
            answer = page.goto(path)
            if answer is None or answer.status != 200:
                wrong.append((name, path, answer.status if answer else None))
                continue
            over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if over > 0:
                wrong.append((name, path, f"{over} px over the side"))
            wrong += [(name, path, finding) for finding in findings(page)]
    assert wrong == []


def test_a_page_weighs_less_than_300_kb(instance: Instance, signed_in):
    """All that a page needs on a first visit, charts aside: bytes on the wire with nothing in the cache."""
    page = signed_in("alice")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    received = []
    devtools.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    weights = {}
    for path in ("/", "/models/", MODEL, "/requests/"):
        received.clear()
        page.goto(path, wait_until="networkidle")
        weights[path] = sum(received)
    assert all(50_000 < weight < 300_000 for weight in weights.values()), weights
