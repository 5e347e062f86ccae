"""Train `acme/date-normaliser` in a run that everybody in the team can watch, and register its two versions."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import httpx

from .assets import ensure_asset, ensure_version, version_with
from .client import ApiError, Client
from .workspace import TEAM, say

RUN_NAME = "Train date-normaliser"
EARLY = "Stopped early: right about half of the time"
FINAL = "Trained until the validation pairs were right"
THREADS = 2


class Cancelled(Exception):
    """Somebody ended the run from the platform."""


def train_date_normaliser(api: Client, folder: Path) -> None:
    """Versions 1 and 2, from one training run; does nothing where both are registered already."""
    address = ensure_asset(
        api,
        "models",
        "date-normaliser",
        description="Rewrites a date in English as YYYY-MM-DD",
        task="text-generation",
    )
    if all((version_with(api, address, message) or {}).get("state") == "registered" for message in (EARLY, FINAL)):
        return
    _close_lost_runs(api)
    # The training's share of the machine: two threads, never before the site's own processes, and asleep while they wait
    # for each other. Spinning, which is the default, makes training several times slower once the cores are busy.
    os.nice(10)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is loaded, which is now
    import torch
    from transformers.utils.logging import disable_progress_bar

    torch.set_num_threads(THREADS)
    disable_progress_bar()  # type: ignore[no-untyped-call]  # our own lines tell more
    early, final = folder / "date-normaliser-1", folder / "date-normaliser-2"
    run = _Run(api)
    try:
        for report in run.training(early, final):
            if report.early is not None:
                ensure_version(api, address, _files(early), message=EARLY, source_run=run.id)
            if report.final is not None:
                ensure_version(api, address, _files(final), message=FINAL, source_run=run.id)
    except Cancelled:
        say("the training run was cancelled from the platform; start the demo again to train")
    except BaseException as error:
        run.finish("failed", message=f"{type(error).__name__}: {error}"[:500])
        raise
    else:
        run.finish("succeeded", message=run.outcome)
    finally:
        for trained in (early, final):
            shutil.rmtree(trained, ignore_errors=True)


class _Run:
    """A run on the platform, and the training that reports to it."""

    def __init__(self, api: Client) -> None:
        from . import date_normaliser

        self._api = api
        self._step = 0
        self.outcome = ""
        made = api.post(
            "/api/v1/runs",
            {
                "team": TEAM,
                "kind": "training",
                "name": RUN_NAME,
                "total_steps": date_normaliser.TOTAL_STEPS,
                "parameters": date_normaliser.parameters(),
            },
        )
        self.id = made["id"]
        self._address = f"/api/v1/runs/{self.id}"
        api.patch(self._address, {"state": "running", "step": 0, "message": "Starting"})

    def training(self, early: Path, final: Path) -> Any:
        """Yields every report, having told the platform of it; raises Cancelled once the run is no longer running."""
        from . import date_normaliser

        for report in date_normaliser.train(early, final):
            self._step = report.step
            share = f"{report.accuracy:.1%} of the validation pairs right"
            say(f"training step {report.step} of at most {date_normaliser.TOTAL_STEPS}: {share}")
            self._tell(report.step, report.loss, report.accuracy, share)
            self.outcome = f"Trained until step {report.step}: {share}"
            yield report

    def _tell(self, step: int, loss: float, accuracy: float, message: str) -> None:
        metrics = [
            {"key": "loss", "step": step, "value": loss},
            {"key": "validation_exact_match", "step": step, "value": accuracy},
        ]
        try:
            self._api.post(f"{self._address}/metrics", {"metrics": metrics})
            self._api.patch(self._address, {"step": step, "message": message})
        except ApiError as error:
            if error.status == 409:
                raise Cancelled from error
            raise
        except httpx.TransportError:
            say("the site could not be told; training goes on")

    def finish(self, state: str, *, message: str = "") -> None:
        body: dict[str, Any] = {"state": state, "step": self._step}
        if message:
            body["message"] = message
        try:
            self._api.patch(self._address, body)
        except (ApiError, httpx.TransportError) as error:
            say(f"the run's end could not be reported: {error}")


def _close_lost_runs(api: Client) -> None:
    """Runs that a killed demo left running: nobody is training them any more."""
    for run in api.every("/api/v1/runs", team=TEAM):
        if run["name"] == RUN_NAME and run["state"] in ("queued", "running"):
            message = "The demo program was stopped in the middle; a new run takes over."
            api.patch(f"/api/v1/runs/{run['id']}", {"state": "failed", "message": message})


def _files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
