"""The story in a real browser: Alice evaluates and asks, Bob approves, Dana deploys, Carol reads."""

import re

import pytest
from playwright.sync_api import expect

from .conftest import Instance, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.browser, pytest.mark.timeout(900)]
MODEL = "/models/acme/date-normaliser"
LONG = 180_000  # ms: a model has to start


def evaluate(page, version):
    page.goto(f"{MODEL}/versions/{version}")
    page.get_by_role("link", name="Evaluate").first.click()
    page.get_by_label("Dataset", exact=True).fill("acme/dates")
    page.get_by_label("Dataset", exact=True).blur()
    page.get_by_role("button", name="Start evaluation").click()
    expect(page.get_by_role("progressbar").or_(page.get_by_role("heading", name="Results"))).to_be_visible()
    expect(page.get_by_role("heading", name="Results")).to_be_visible(timeout=LONG)  # live: nobody reloads


def ask_for(page, version):
    page.goto(f"{MODEL}/versions/{version}")
    page.get_by_role("link", name="Request promotion").first.click()
    page.get_by_label("Reason").fill(f"Version {version} as promised.")
    page.get_by_role("button", name="Request promotion").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"to version {version}")
    return page.url


def test_the_story_in_the_browser(instance: Instance, signed_in):
    # 1. Alice looks around.
    alice = signed_in("alice")
    alice.goto("/models/")
    alice.get_by_role("link", name="acme/date-normaliser").first.click()
    for tab in ("Files", "Card", "Evaluations", "History", "Versions"):
        alice.get_by_role("navigation").or_(alice.locator(".page-tabs")).get_by_role(
            "link", name=re.compile(f"^{tab}")
        ).last.click()
        expect(alice.get_by_role("heading", level=1)).to_contain_text("acme/date-normaliser")

    # 2. She evaluates both versions; failures come first.
    evaluate(alice, 1)
    expect(alice.get_by_text("Exact match").first).to_be_visible()
    expect(alice.get_by_text("Character error rate").first).to_be_visible()
    evaluate(alice, 2)

    # 3. She asks for both. The page of version 1 shows what fails.
    first = ask_for(alice, 1)
    failing = alice.locator(".check-failed")
    expect(failing).to_have_count(1)
    expect(failing).to_contain_text("exact match")
    second = ask_for(alice, 2)
    expect(alice.locator(".check-passed")).to_have_count(3)  # and the built-in one: no unsafe files
    expect(alice.get_by_role("button", name="Approve")).to_have_count(0)

    # 4. Bob finds it in his inbox, cannot approve version 1, and approves version 2 on one page.
    bob = signed_in("bob")
    bob.goto(first)
    expect(bob.get_by_role("button", name="Approve")).to_be_disabled()
    bob.goto("/requests/")
    bob.get_by_role("link", name="acme/date-normaliser").filter(has_text="v2").click()
    assert bob.url == second
    bob.get_by_role("region", name="Your decision").get_by_role("textbox", name="Comment").fill(
        "Numbers and card are convincing."
    )
    bob.get_by_role("button", name="Approve").click()
    expect(bob.get_by_text("points at version 2 now")).to_be_visible()
    assert instance.api("alice").get("/models/acme/date-normaliser/aliases/production").json()["number"] == 2

    # 5. Dana deploys it; version 1 is refused with the reason.
    dana = signed_in("dana")
    dana.goto("/deployments/new?model=acme/date-normaliser&version=2&stage=production")
    expect(dana.get_by_text("Not approved for production")).to_have_count(1)
    dana.get_by_role("radio", name=re.compile("Version 1")).check()
    dana.get_by_label("Name").fill("dates")
    dana.get_by_role("button", name="Deploy to production").click()
    expect(dana.get_by_text("is not approved for production").first).to_be_visible()
    dana.get_by_role("radio", name=re.compile("Version 2")).check()
    dana.get_by_role("button", name="Deploy to production").click()
    expect(dana.get_by_text("Requests are answered.")).to_be_visible(timeout=LONG)
    dana.get_by_label("Message").or_(dana.get_by_label("Prompt")).first.fill("the 3rd of March 2021")
    dana.get_by_role("button", name="Send").click()
    expect(dana.locator("[data-try-answer]")).to_contain_text("2021-03-03")
    expect(dana.get_by_text("curl").first).to_be_visible()
    dana.get_by_label("Replicas").fill("2")
    dana.get_by_role("button", name="Scale").click()
    expect(dana.locator("tr[id^=replica-]").filter(has_text="Running")).to_have_count(2, timeout=LONG)
    dana.get_by_role("button", name="Stop", exact=True).first.click()
    confirm = dana.locator("dialog[open]").get_by_role("button", name=re.compile("Stop"))
    if confirm.count():
        confirm.click()
    expect(dana.get_by_text("Nothing runs, and nothing is asked of Ray.")).to_be_visible(timeout=LONG)
    # Not the demo's own, which goes on.
    number = instance.api("dana").get("/deployments/acme/dates").json()["id"]
    wait_for("the replicas to be gone", lambda: not instance.named(f"ServeReplica:deployment-{number}-"), timeout_s=90)

    # 6. Carol reads every act and follows one version's whole life on one page.
    carol = signed_in("carol")
    carol.goto("/ledger/?action=request")
    for action in ("request.opened", "request.reviewed", "request.applied"):
        expect(carol.locator("td code", has_text=action).first).to_be_visible()
    carol.goto(f"{MODEL}/versions/2")
    carol.get_by_role("link", name=re.compile("life", re.I)).first.click()
    for act in ("registered", "started evaluation", "opened request", "moved alias", "created deployment"):
        expect(carol.get_by_role("listitem").filter(has_text=act).first).to_be_visible()
    for path in ("/models/new", "/evaluations/new", "/policies/new", "/requests/new"):
        answer = carol.goto(path)
        assert answer is not None
        assert answer.status == 403, path
