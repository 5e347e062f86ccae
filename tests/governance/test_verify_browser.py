"""The verify button in a real browser: what was sealed is proven, what was changed behind our back is named."""

import pytest

from accounts.access import Actor
from governance.ledger import sealer
from governance.ledger.actions import Action, Target, record
from governance.ledger.models import Checkpoint, SigningKey

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def page(browse, cast):
    return browse(cast.carol)


@pytest.fixture
def event(cast):
    """A sealed event with every sort of value in it, and others around it."""
    target = Target("model", 2, "acme/date-normaliser", "sha256:" + "ab" * 32)
    before = {"n": 1, "ratio": 0.1, "big": 12345678901234567890, "text": 'ä \u2028 \U0001f600 "\\\n', "é": None}
    made = [
        record(
            Action.ALIAS_MOVED, by=Actor(cast.alice), team="acme", target=target, before=before,
            after={"version": number, "list": [1, "2", True]}, reason="Better on European dates",
        )
        for number in range(5)
    ]  # fmt: skip
    sealer.seal()
    return made[2]


def verify(page, path):
    page.goto(path)
    page.click("[data-verify-start]")
    page.wait_for_selector("[data-verified]", timeout=15_000)
    steps = {
        step.locator("strong").inner_text(): (step.get_attribute("class"), step.locator("p").inner_text())
        for step in page.locator("[data-verify-steps] > li").all()
    }
    return page.locator("section[data-verified]").get_attribute("data-verified"), steps


def tamper(connection, statement, *values):
    connection.execute("SET session_replication_role = replica")
    assert connection.execute(statement, values).rowcount >= 1


def test_a_good_event_is_proven_step_by_step(page, event):
    verdict, steps = verify(page, f"/ledger/{event.pk}")
    assert verdict == "good", steps
    assert list(steps) == ["Facts", "Texts", "Path to the root", "Signature", "History"]
    assert {tone for tone, _ in steps.values()} == {"step-good"}
    assert "The first checkpoint" in steps["History"][1]


@pytest.mark.parametrize(
    ("statement", "step", "named"),
    [
        ("UPDATE ledger_eventtext SET reason = 'Worse' WHERE event_id = %s", "Texts", "reason"),
        ("UPDATE ledger_eventtext SET after = '{\"version\": 9}' WHERE event_id = %s", "Texts", "after"),
        ("UPDATE ledger_eventtext SET actor_name = 'Mallory' WHERE event_id = %s", "Texts", "name of the person"),
        ("UPDATE ledger_auditevent SET actor_id = 1 WHERE id = %s", "Path to the root", "not what was sealed"),
        ("UPDATE ledger_auditevent SET at = at - interval '1 hour' WHERE id = %s", "Path to the root", "not what was sealed"),
        ("UPDATE ledger_leaf SET hash = sha256('x'::bytea) WHERE event_id <> %s", "Path to the root", "not what was sealed"),
    ],
)  # fmt: skip
def test_a_row_changed_by_the_superuser_is_red_and_named(page, event, superuser_connection, statement, step, named):
    tamper(superuser_connection, statement, event.pk)
    verdict, steps = verify(page, f"/ledger/{event.pk}")
    assert verdict == "bad"
    assert steps[step][0] == "step-bad"
    assert named in steps[step][1]


def test_a_made_up_signature_is_red(page, event, superuser_connection):
    note = Checkpoint.objects.order_by("-tree_size").first().note
    tamper(superuser_connection, "UPDATE ledger_checkpoint SET note = %s", note[:-12] + "AAAAAAAA" + note[-4:])
    verdict, steps = verify(page, f"/ledger/{event.pk}")
    assert (verdict, steps["Signature"][0]) == ("bad", "step-bad")


def test_the_browser_remembers_what_it_saw_and_catches_a_fork_and_a_rollback(page, event, cast, superuser_connection):
    assert verify(page, f"/ledger/{event.pk}")[0] == "good"
    record(Action.ALIAS_MOVED, by=Actor(cast.alice), team="acme", target=Target("model", 3, "x"))
    sealer.seal()
    verdict, steps = verify(page, "/ledger/integrity")
    assert verdict == "good"
    assert "goes on from the checkpoint" in steps["History"][1]
    latest = Checkpoint.objects.order_by("-tree_size").first().tree_size
    tamper(superuser_connection, "DELETE FROM ledger_checkpoint WHERE tree_size = %s", latest)
    verdict, steps = verify(page, "/ledger/integrity")
    assert (verdict, "Rolled back" in steps["History"][1]) == ("bad", True)
    # The operator restores the database of before, and writes another history on top of it.
    tamper(superuser_connection, "DELETE FROM ledger_leaf WHERE index >= %s", latest - 1)
    tamper(superuser_connection, "DELETE FROM ledger_auditevent WHERE id = (SELECT max(id) FROM ledger_auditevent)")
    for number in range(2):
        record(Action.ALIAS_MOVED, by=Actor(cast.bob), team="acme", target=Target("model", number, "y"))
    sealer.seal()
    assert Checkpoint.objects.order_by("-tree_size").first().tree_size > latest
    verdict, steps = verify(page, "/ledger/integrity")
    assert (verdict, "Forked" in steps["History"][1]) == ("bad", True)


def test_a_pinned_key_is_trusted_instead_of_the_servers(page, event):
    page.goto("/ledger/integrity")
    page.click(".pin summary")
    page.fill("[data-pin-key]", "not a key")
    page.click("[data-pin-form] button:has-text('Pin')")
    assert "no Ed25519 public key" in page.locator("[data-pin-problem]").inner_text()
    page.fill("[data-pin-key]", "A" * 43 + "=")
    page.click("[data-pin-form] button:has-text('Pin')")
    verdict, steps = verify(page, f"/ledger/{event.pk}")
    assert (verdict, "not signed by the key that you pinned" in steps["Signature"][1]) == ("bad", True)
    import base64

    page.click(".pin summary")
    page.fill("[data-pin-key]", base64.b64encode(bytes(SigningKey.objects.get().public_key)).decode())
    page.click("[data-pin-form] button:has-text('Pin')")
    verdict, steps = verify(page, f"/ledger/{event.pk}")
    assert (verdict, "that you pinned" in steps["Signature"][1]) == ("good", True)


def test_what_was_erased_is_said_and_the_rest_is_proven(page, event, superuser_connection):
    superuser_connection.execute("SELECT ledger_erase(%s, %s)", [[event.pk], ["reason", "actor_name"]])
    verdict, steps = verify(page, f"/ledger/{event.pk}")
    assert verdict == "good", steps
    assert steps["Texts"][0] == "step-note"
    assert "reason" in steps["Texts"][1]


def test_an_event_that_is_not_sealed_yet_says_so(page, event, cast):
    fresh = record(Action.ALIAS_MOVED, by=Actor(cast.alice), team="acme", target=Target("model", 3, "x"))
    verdict, _ = verify(page, f"/ledger/{fresh.pk}")
    assert verdict == "note"
    assert "Not sealed yet" in page.locator("[data-verify-verdict]").inner_text()
