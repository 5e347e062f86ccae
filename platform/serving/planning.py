"""What to do and what to say, given what is wanted and what Ray Serve shows. Pure: no database, no network, no clock.

Each revision is an application of its own. A new one starts beside the old one, which answers until its successor
does, so an update that fails interrupts nobody.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from serving.cluster import App, Replica

BACKOFF_FIRST_S, BACKOFF_LAST_S = 5.0, 300.0
LONGEST_MESSAGE = 600


class Wish(StrEnum):
    RUN = "run"
    WAIT = "wait"  # run, but not before the back-off is over
    STOP = "stop"


class Sight(StrEnum):
    """How an application looks."""

    ABSENT = "absent"
    LEAVING = "leaving"
    STARTING = "starting"
    FAILED = "failed"
    PARTIAL = "partial"  # some replicas answer, but not as many as wanted
    RUNNING = "running"


@dataclass(frozen=True)
class Outcome:
    """`keep`: the application belongs into Serve's configuration. `state`: of the deployment, when no older revision answers."""

    keep: bool
    state: str


# Total: a test walks over every wish and sight.
OUTCOMES: dict[tuple[Wish, Sight], Outcome] = {
    (Wish.RUN, Sight.ABSENT): Outcome(True, "queued"),
    (Wish.RUN, Sight.LEAVING): Outcome(True, "queued"),
    (Wish.RUN, Sight.STARTING): Outcome(True, "starting"),
    (Wish.RUN, Sight.FAILED): Outcome(False, "failed"),
    (Wish.RUN, Sight.PARTIAL): Outcome(True, "updating"),
    (Wish.RUN, Sight.RUNNING): Outcome(True, "running"),
    (Wish.WAIT, Sight.ABSENT): Outcome(False, "failed"),
    (Wish.WAIT, Sight.LEAVING): Outcome(False, "failed"),
    (Wish.WAIT, Sight.STARTING): Outcome(False, "failed"),
    (Wish.WAIT, Sight.FAILED): Outcome(False, "failed"),
    (Wish.WAIT, Sight.PARTIAL): Outcome(False, "failed"),
    (Wish.WAIT, Sight.RUNNING): Outcome(False, "failed"),
    (Wish.STOP, Sight.ABSENT): Outcome(False, "stopped"),
    (Wish.STOP, Sight.LEAVING): Outcome(False, "stopping"),
    (Wish.STOP, Sight.STARTING): Outcome(False, "stopping"),
    (Wish.STOP, Sight.FAILED): Outcome(False, "stopping"),
    (Wish.STOP, Sight.PARTIAL): Outcome(False, "stopping"),
    (Wish.STOP, Sight.RUNNING): Outcome(False, "stopping"),
}
_ANSWERS = {Sight.PARTIAL, Sight.RUNNING}


@dataclass(frozen=True)
class Wanted:
    """One deployment: what people want, and what the last pass left. `older` is the revision that answered so far."""

    wish: Wish
    replicas: int
    number: int
    config: dict[str, Any]
    older_number: int = 0
    older_config: dict[str, Any] | None = None
    failures: int = 0
    message: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Verdict:
    """What becomes of a deployment. `answering` is the number of the revision that requests go to, 0 for none."""

    applications: Sequence[dict[str, Any]]
    state: str
    message: str
    detail: str
    answering: int
    failures: int
    failed_now: bool
    replicas: Sequence[tuple[int, Replica]]


def decide(wanted: Wanted, apps: dict[str, App]) -> Verdict:
    """The verdict on one deployment, out of the applications that Serve shows."""
    app = apps.get(wanted.config["name"])
    older = apps.get(wanted.older_config["name"]) if wanted.older_config else None
    sight, older_sight = look(app, wanted.replicas), look(older, wanted.replicas)
    if wanted.wish == Wish.STOP and sight == Sight.ABSENT and older_sight != Sight.ABSENT:
        sight = Sight.LEAVING
    outcome = OUTCOMES[wanted.wish, sight]
    failed_now = wanted.wish == Wish.RUN and sight == Sight.FAILED
    replicas = [(wanted.number, replica) for replica in _shown(app, failed=sight == Sight.FAILED)]
    replicas += [(wanted.older_number, replica) for replica in _shown(older, failed=False)]
    applications = [wanted.config] if outcome.keep else []
    state, answering = outcome.state, wanted.number if sight in _ANSWERS and outcome.keep else 0
    message, detail = _words(wanted, sight, app, failed_now)
    if wanted.older_config and wanted.wish != Wish.STOP and sight != Sight.RUNNING:
        applications.append(wanted.older_config)
        if older_sight in _ANSWERS:
            answering = wanted.older_number
            state = "running" if state == "failed" else "updating"
            message = f"{message} Revision {wanted.older_number} goes on answering.".strip()
    failures = wanted.failures
    if failed_now:
        failures += 1
    elif sight == Sight.RUNNING and wanted.wish == Wish.RUN:
        failures = 0
    return Verdict(applications, state, message, detail, answering, failures, failed_now, replicas)


def look(app: App | None, wanted_replicas: int) -> Sight:
    """How this application looks to somebody who wants that many replicas of it."""
    if app is None:
        return Sight.ABSENT
    if app.status == "DELETING":
        return Sight.LEAVING
    running = sum(1 for replica in app.replicas if replica.state == "running")
    if running:
        whole = running == wanted_replicas and app.status == "RUNNING"
        return Sight.RUNNING if whole else Sight.PARTIAL
    if app.status == "DEPLOY_FAILED" or "failed to start" in app.deployment_message:
        return Sight.FAILED
    return Sight.STARTING


def backoff_s(failures: int, chance: float | None = None) -> float:
    """How long to wait after that many failures in a row; `chance` (0 to 1) spreads those that failed together."""
    base = min(BACKOFF_LAST_S, BACKOFF_FIRST_S * 2.0 ** min(failures - 1, 10))
    spread = random.random() if chance is None else chance  # noqa: S311  # nothing secret about it
    return base * (0.8 + 0.4 * spread)


def differs(wanted: Sequence[dict[str, Any]], apps: dict[str, App]) -> bool:
    """Whether Serve must be told: it runs something else than this, or something of this otherwise."""
    # An application without configuration came by another door than ours: a declarative PUT doesn't touch it.
    present = {name: app.config for name, app in apps.items() if app.config and app.status != "DELETING"}
    return {config["name"]: config for config in wanted} != present


_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_RAISED = re.compile(
    r"^(?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*(?:Error|Exception|Exit|Interrupt|Warning)|RayTaskError\S*): ", re.M
)


def explain(text: str) -> str:
    """The engine's own words out of Ray's report of a failed start: what the last exception of the traceback said."""
    text = _ANSI.sub("", text).strip()
    raised = list(_RAISED.finditer(text))
    if not raised:
        return _shorten(text.split("Traceback (most recent call last)")[0].strip() or text)
    last = raised[-1]
    words = text[last.end() :].strip()
    # Our engine raises sentences for people; of any other exception the kind says something too.
    return _shorten(words if last.group(1) == "EngineError" else f"{last.group(1)}: {words}")


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"


_NO_PLACE = re.compile(r"to be scheduled.*?each replica: (\{.*?\}), total resources available: (\{.*?\})", re.S)


def _held_up(report: str, text: str) -> str:
    """What a start waits for, where Ray has said that it takes long."""
    if found := _NO_PLACE.search(report):
        return f"Waiting for a place on the cluster: each replica takes {found[1]}, and {found[2]} is free."
    if "to initialize" in report:
        return f"{text} It takes longer than usual."
    return _shorten(report) or text


def _words(wanted: Wanted, sight: Sight, app: App | None, failed_now: bool) -> tuple[str, str]:
    if failed_now and app is not None:
        report = app.deployment_message or app.message
        return explain(report), _ANSI.sub("", report)
    if wanted.wish == Wish.WAIT:
        return wanted.message, wanted.detail
    if wanted.wish == Wish.STOP:
        return ("" if sight == Sight.ABSENT else "Replicas are finishing what they have begun."), ""
    if sight in {Sight.ABSENT, Sight.LEAVING}:
        return "Waiting for Ray Serve to take it.", wanted.detail
    plural = "s" * (wanted.replicas != 1)
    if sight == Sight.STARTING:
        text = f"Starting {wanted.replicas} replica{plural}: fetching files, checking them, loading the model."
        text = _held_up(app.deployment_message if app else "", text)
        if wanted.failures:
            text = f"Attempt {wanted.failures + 1}. {text}"
        return text, wanted.detail
    if sight == Sight.PARTIAL and app is not None:
        running = sum(1 for replica in app.replicas if replica.state == "running")
        return f"{running} replica{'s' * (running != 1)} answering, {wanted.replicas} wanted.", ""
    return "", ""


def _shown(app: App | None, *, failed: bool) -> list[Replica]:
    """The replicas to show: the living, and of a failed start also the last dead one, for its log."""
    if app is None:
        return []
    return [*app.replicas, *(app.dead_replicas[-1:] if failed else [])]
