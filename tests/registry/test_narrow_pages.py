"""Pages of the registry and of runs fit a phone: nothing hangs over the side at 320 px, whatever stands in their lists."""

import io
import os
from pathlib import Path

import pytest

from accounts.access import Actor
from registry import actions
from registry.tasks import sign
from tracking import actions as tracking

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]
SHOTS = os.environ.get("PAGE_SHOTS", "")  # a folder, for whoever wants to look


@pytest.fixture
def paths(cast, make_asset, make_version):
    by = Actor(cast.alice)
    asset = make_asset("date-normaliser")
    first, second = make_version(asset), make_version(asset)
    for version in (first, second):
        sign(version.pk)
        actions.move_alias(asset=asset, name="candidate", version=version, reason="a long reason to say " * 4, by=by)
    actions.create_branch(asset=asset, name="trial-of-something-long", start=first, by=by)
    gone = make_asset("a-rather-long-name-that-was-deleted")
    actions.delete_asset(asset=gone, by=by)
    make_version(asset)
    actions.delete_version(version=asset.versions.get(number=3), by=by)
    lab = tracking.create_experiment(team=cast.team, name="lab", by=by)
    runs = [tracking.start_run(team=cast.team, experiment=lab, name=f"run {number}", by=by) for number in (1, 2)]
    for run, value in zip(runs, (0.5, 0.9731), strict=True):
        tracking.log_metrics(run=run, metrics=[{"key": "accuracy", "step": 1, "value": value}], by=by)
        tracking.log_batch(run=run, parameters={"learning_rate": str(value)}, by=by)
    model = tracking.create_logged_model(
        team=cast.team, experiment=lab, name="digits", source_run=runs[0], params={"depth": "3"}, tags={}, by=by
    )
    tracking.put_artifact(owner=model, path="data/model.txt", stream=io.BytesIO(b"x"), by=by)
    home = "/models/acme/date-normaliser"
    return [
        home, f"{home}/history", f"{home}/versions/2", "/bin", "/", f"/logged-models/{model.model_id}", "/models/?q=date",
        f"/runs/compare?run={runs[0].pk}&run={runs[1].pk}", runs[0].get_absolute_url(), "/experiments/",
    ]  # fmt: skip


def test_nothing_hangs_over_the_side_of_a_phone(cast, paths, browse):
    over = {}
    for width, scheme in ((320, "dark"), (1440, "light")) if SHOTS else ((320, "dark"),):
        page = browse(cast.admin, viewport={"width": width, "height": 900}, color_scheme=scheme)
        for number, path in enumerate(paths):
            answer = page.goto(path)
            assert answer is not None and answer.status == 200, path
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if wide > 0:
                over[path] = wide
            if SHOTS:
                page.screenshot(path=Path(SHOTS) / f"{width}-{number}.png", full_page=True)
    assert over == {}
