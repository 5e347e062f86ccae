"""Make the demo workspace: `python -m examples.demo`. Run it again after it was stopped, and it finishes what is missing.

Reads SITE_URL, GATEWAY_URL, COUNTERSIGN_DATA, COUNTERSIGN_ADMIN_EMAIL and COUNTERSIGN_ADMIN_PASSWORD, all of which
`python -m config.up` sets. Exit status: 0 done, 1 refused or out of reach (said in one line).
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import httpx

from . import dates
from .assets import ensure_asset, ensure_version
from .cards import dates_card
from .client import ApiError, Client
from .minilm import upload_minilm
from .people import make_people, make_policy, write_demo_file
from .prompts import make_prompts
from .training import train_date_normaliser
from .workbench import make_prompt_policy, try_models, work_on_prompts
from .workspace import Workspace, say

RESTARTS = 3
PAUSE_S = 5.0


def upload_dates(api: Client, folder: Path) -> None:
    """`acme/dates`: the held-back pairs, one JSON object per line."""
    pairs = dates.held_back()
    rows, card = folder / "dates.jsonl", folder / "dates.md"
    rows.write_text(
        "".join(json.dumps({"input": pair.text, "expected": pair.iso}) + "\n" for pair in pairs), encoding="utf-8"
    )
    card.write_text(dates_card(rows=len(pairs)), encoding="utf-8")
    address = ensure_asset(api, "datasets", "dates", description="Written dates and their ISO form, held back")
    ensure_version(api, address, {"data.jsonl": rows, "README.md": card}, message="The held-back pairs")


def make_workspace(workspace: Workspace) -> None:
    with Client(workspace.site) as admin:
        admin.sign_in(workspace.admin_email, workspace.admin_password)
        people = make_people(workspace, admin)
        make_policy(admin)
        write_demo_file(workspace, people)
    say("the people are in demo.json")
    with ExitStack() as open_clients:
        alice, bob, dana = (
            open_clients.enter_context(Client(workspace.site, key=people[name]["api_key"]))
            for name in ("alice", "bob", "dana")
        )
        upload_dates(alice, workspace.own)
        make_prompts(alice)
        with Client(workspace.site) as admin:
            admin.sign_in(workspace.admin_email, workspace.admin_password)
            make_prompt_policy(admin)
        work_on_prompts(alice, bob, [bob, dana, alice])
        upload_minilm(alice, workspace.own)
        train_date_normaliser(alice, workspace.own)
        try_models(alice, dana)


def _make_until_answered(workspace: Workspace) -> None:
    """A site that went away in the middle of something may have done it: begin again, which finds what is there."""
    for _ in range(RESTARTS):
        try:
            return make_workspace(workspace)
        except httpx.TransportError as error:
            say(f"the site went away ({error}); looking again")
            time.sleep(PAUSE_S)
    make_workspace(workspace)


def main() -> int:
    began = time.monotonic()
    try:
        _make_until_answered(Workspace.from_environment())
    except KeyError as error:
        say(f"set {error.args[0]} in the environment, or start the platform with `make run`, which does")
        return 1
    except (ApiError, httpx.TransportError, RuntimeError) as error:
        say(f"stopped: {error}")
        return 1
    say(f"the workspace is complete after {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
