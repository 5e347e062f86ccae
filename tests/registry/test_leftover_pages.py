"""Scanning again, the sort that fits, the bin, addresses that MLflow prints, and the page of a logged model."""

import io
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.access import Actor
from governance.ledger.models import AuditEvent
from registry import actions, scans
from registry.models import BlobScan
from tracking import actions as tracking
from tracking.models import Run

pytestmark = pytest.mark.django_db


def scanned(version, ago=timedelta(hours=1)):
    from registry.scanners.forms import form_of

    for file in version.files.all():
        BlobScan.objects.get_or_create(
            blob=file.blob,
            form=form_of(file.path),
            defaults={"scanner": scans.SCANNER, "verdict": "clean", "scanned_at": timezone.now() - ago},
        )


def test_scan_again_forgets_the_verdict_and_says_who_asked(cast, api, client_of, make_asset, make_version):
    version = make_version(make_asset("dates"))
    scanned(version)
    path = "/api/v1/models/acme/dates/versions/1/scan"
    assert api(cast.alice).get(path).json()["state"] == "done"
    assert "Scan again" in client_of(cast.alice).get(version.get_absolute_url()).text
    assert "Scan again" not in client_of(cast.victor).get(version.get_absolute_url()).text
    assert api(cast.victor).post(f"{path}/again").status_code == 403
    answer = api(cast.alice).post(f"{path}/again")
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    event = AuditEvent.objects.get(action="version.scan_asked")
    assert (event.actor_id, event.target_id) == (cast.alice.pk, str(version.pk))
    # Twice is once: the one that waits is the one that is asked for.
    assert api(cast.alice).post(f"{path}/again").status_code == 202
    assert AuditEvent.objects.filter(action="version.scan_asked").count() == 1


def test_the_button_scans_again_and_a_fresh_verdict_stays(cast, client_of, make_asset, make_version):
    version = make_version(make_asset("dates"))
    scanned(version, timedelta(seconds=1))
    client = client_of(cast.alice)
    assert client.post(f"{version.get_absolute_url()}/scan-again").status_code == 302
    assert scans.state_of(version).state == "done"
    BlobScan.objects.update(scanned_at=timezone.now() - timedelta(minutes=5))
    assert client.post(f"{version.get_absolute_url()}/scan-again").status_code == 302
    assert scans.state_of(version).state == "queued"


def test_the_best_match_is_offered_where_there_is_something_to_match(cast, client_of, make_asset):
    make_asset("dates")
    client = client_of(cast.alice)
    assert "Best match" not in client.get("/models/").text
    assert "Best match" in client.get("/models/?q=dates").text
    part = client.get("/models/?q=dates", headers={"HX-Request": "true", "HX-Target": "div#found"}).text
    assert 'id="sort-choice" hx-swap-oob="true"' in part and "Best match" in part


def test_history_says_what_happened_in_words(cast, client_of, make_asset, make_version):
    make_version(make_asset("dates"))
    page = client_of(cast.alice).get("/models/acme/dates/history").text
    assert ">registered</span>" in page and ">version.registered<" not in page


def test_the_address_of_the_form_for_experiments_leads_to_the_list(cast, client_of):
    answer = client_of(cast.alice).get("/experiments/new")
    assert (answer.status_code, answer["Location"]) == (302, "/experiments/")


def test_addresses_that_mlflow_prints_lead_to_our_pages(cast, client_of, make_asset, make_version):
    by = Actor(cast.alice)
    version = make_version(make_asset("dates"))
    run = tracking.start_run(
        team=cast.team, experiment=tracking.create_experiment(team=cast.team, name="lab", by=by), name="r", by=by
    )
    alice = client_of(cast.alice)
    for at, there in (
        (f"experiments/{run.experiment_id}/runs/{run.uuid}", run.get_absolute_url()),
        (f"experiments/{run.experiment_id}/runs/{run.uuid}/artifacts", run.get_absolute_url()),
        (f"experiments/{run.experiment_id}", run.experiment.get_absolute_url()),
        ("models/dates", "/models/acme/dates"),
        ("models/dates/versions/1", version.get_absolute_url()),
    ):
        answer = alice.get("/from-mlflow", {"at": at})
        assert (answer.status_code, answer.get("Location")) == (302, there), at
        assert client_of(cast.mallory).get("/from-mlflow", {"at": at}).status_code == 404
    for at in ("", "//evil.example", "experiments/x", "models/nothing", f"experiments/1/runs/{'0' * 32}"):
        assert alice.get("/from-mlflow", {"at": at}).status_code == 404, at


def test_a_logged_model_has_a_page(cast, client_of, api, django_assert_max_num_queries):
    by = Actor(cast.alice)
    lab = tracking.create_experiment(team=cast.team, name="lab", by=by)
    run = tracking.start_run(team=cast.team, experiment=lab, name="r", by=by)
    model = tracking.create_logged_model(
        team=cast.team, experiment=lab, name="digits", source_run=run, params={"depth": "3"}, tags={"a": "b"}, by=by
    )
    tracking.put_artifact(owner=model, path="data/model.txt", stream=io.BytesIO(b"x"), by=by)
    actions.create_tagged(team=cast.team, kind="model", name="digits", tags={}, by=by)
    body = {"name": "digits", "source": f"models:/{model.model_id}"}
    made = api(cast.alice, team=cast.team).post("/api/2.0/mlflow/model-versions/create", body, format="json")
    assert made.status_code == 200, made.content
    alice = client_of(cast.alice)
    address = f"/logged-models/{model.model_id}"
    alice.get(address)
    with django_assert_max_num_queries(25):
        page = alice.get(address).text
    for text in ("digits", "depth", "data", "/models/acme/digits/versions/1", run.get_absolute_url()):
        assert text in page, text
    assert "model.txt" in alice.get(address, {"path": "data"}).text
    assert client_of(cast.mallory).get(address).status_code == 404


def test_a_share_is_in_percent_in_the_comparison_too(cast, client_of):
    by = Actor(cast.alice)
    runs = [tracking.create_run(team=cast.team, name=f"r{number}", parameters={}, by=by) for number in (1, 2)]
    for run, value in zip(runs, (0.5, 0.9731), strict=True):
        points = [{"key": "accuracy", "step": 1, "value": value}, {"key": "loss", "step": 1, "value": value}]
        tracking.log_metrics(run=run, metrics=points, by=by)
    page = client_of(cast.alice).get(f"/runs/compare?run={runs[0].pk}&run={runs[1].pk}").text
    assert "97.31 %" in page and "50 %" in page and "0.9731" in page
    assert Run.objects.count() == 2
