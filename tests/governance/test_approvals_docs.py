"""docs/approvals.md: its diagram is the table of transitions, and what it tells readers to run verifies an attestation."""

import json
import re
from pathlib import Path

import pytest
from django.conf import settings

from accounts.access import Actor
from governance import actions, attestations
from governance.management.commands.draw_transitions import drawn
from governance.transitions import TRANSITIONS, diagram

PAGE = Path(settings.ROOT) / "docs" / "approvals.md"


def test_the_diagram_is_drawn_from_the_table():
    assert drawn(PAGE.read_text()) == PAGE.read_text(), "run manage.py draw_transitions"
    ways = [(now.value, then.value) for now, found in TRANSITIONS.items() for then in found]
    assert all(f"{now} --> {then}: " in diagram() for now, then in ways)
    assert diagram().count(" --> ") == 1 + len(ways) + sum(not found for found in TRANSITIONS.values())


@pytest.fixture
def attested(governance, cast, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = governance.review(governance.request(), cast.bob, comment="Good.")
    envelope = actions.mark_applied(request=done, by=Actor(cast.bob)).envelope
    Path("attestation.json").write_text(json.dumps(envelope))
    Path("key.pem").write_text(attestations.public_key_pem())
    return done


def recipe():
    return re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]


@pytest.mark.django_db
def test_the_recipe_verifies_an_attestation_with_an_unmodified_library(attested, capsys):
    exec(recipe(), {})
    assert attested.digest.removeprefix("sha256:") in capsys.readouterr().out


@pytest.mark.django_db
def test_the_recipe_refuses_a_forged_one(attested):
    from securesystemslib.exceptions import VerificationError

    envelope = json.loads(Path("attestation.json").read_text())
    envelope["payload"] = envelope["payload"][:-8] + "AAAAAAA="
    Path("attestation.json").write_text(json.dumps(envelope))
    with pytest.raises(VerificationError):
        exec(recipe(), {})


@pytest.mark.django_db
def test_the_statement_says_who_by_which_policy_and_on_what(attested):
    import base64

    payload = json.loads(base64.b64decode(json.loads(Path("attestation.json").read_text())["payload"]))
    said = payload["predicate"]
    assert said["steps"][0]["approvals"][0]["by"] == "bob@example.com"
    assert said["steps"][0]["satisfied"]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", said["policy"]["digest"])
    assert (said["glassBroken"], said["renews"], said["delegations"]) == (False, None, [])
