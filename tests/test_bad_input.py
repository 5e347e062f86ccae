"""The careless user: each mistake that the issue names, over REST and on the page. A clear error at its field, and nothing changed."""

import threading
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.access import Actor
from accounts.actions import create_key, revoke_key
from accounts.models import ApiKey
from governance.ledger.models import AuditEvent
from registry.models import Asset, Blob, File, Version
from serving import cluster
from serving.models import Deployment
from tests.conftest import make_cast
from tests.registry.conftest import model_files


@pytest.fixture
def alice(cast, api, settings, tmp_path):
    settings.STORAGE = tmp_path / "storage"
    return api(cast.alice)


@pytest.fixture
def page(cast, client_of):
    return client_of(cast.alice)


@pytest.fixture
def draft(alice):
    alice.post("/api/v1/models", {"team": "acme", "name": "m", "task": "text-generation"})
    alice.post("/api/v1/models/acme/m/versions", {})
    return "/api/v1/models/acme/m/versions/1"


@pytest.fixture
def registered(alice, draft):
    for path, content in model_files().items():
        assert alice.put(f"{draft}/files/{path}", content).status_code == 201
    assert alice.post(f"{draft}/register").status_code == 200
    return draft


class Unchanged:
    """Nothing but refused deployments may be in the ledger after it than before it, and no row more."""

    def __enter__(self):
        self.before = self.counts()

    def __exit__(self, *failure):
        if failure[0] is None:
            assert self.counts() == self.before

    def counts(self):
        models = (Asset, Version, File, Blob, Deployment)
        return [AuditEvent.objects.exclude(action="deployment.refused").count(), *(m.objects.count() for m in models)]


def refused(answer, field, *words, status=400):
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert field in body["errors"], body
    text = " ".join(body["errors"][field])
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("weights.", b"x", ["ends with a dot"]),
        ("x/../../y.json", b"{}", [".."]),
        ("/etc/passwd", b"x", ["begin with '/'"]),
        ("a\\b.json", b"{}", ["'/' between folders"]),
    ],
)
def test_a_wrong_file_or_path(path, content, words, alice, page, draft):
    with Unchanged():
        refused(alice.put(f"{draft}/files/{path}", content), "path", *words)
        if "/" not in path and "\\" not in path:  # a browser sends no folders
            shown = page.post("/models/acme/m/versions/1/files", {"uploads": SimpleUploadedFile(path, content)})
            assert shown.status_code in (400, 422)
            assert words[0].encode() in shown.content.replace(b"&#x27;", b"'")


def test_a_folder_that_leads_out_on_the_page(alice, page, draft):
    with Unchanged():
        shown = page.post(
            "/models/acme/m/versions/1/files", {"folder": "../..", "uploads": SimpleUploadedFile("a.json", b"{}")}
        )
        assert shown.status_code in (400, 422)


def test_truncated_and_oversized_uploads(alice, page, draft, settings):
    with Unchanged():
        refused(
            alice.put(f"{draft}/files/a.json", b"{}", headers={"X-Content-SHA256": "0" * 64}),
            "X-Content-SHA256", "SHA-256", "Send the file again",
        )  # fmt: skip
        settings.MAX_FILE_BYTES = 3
        refused(alice.put(f"{draft}/files/a.json", b"{   }"), "file", "At most 3 bytes", status=413)
        shown = page.post("/models/acme/m/versions/1/files", {"uploads": SimpleUploadedFile("a.json", b"{   }")})
        assert shown.status_code in (400, 413, 422)
    settings.MAX_FILE_BYTES = 1 << 30
    alice.put(f"{draft}/files/model.safetensors", model_files()["model.safetensors"][:-3])
    alice.put(f"{draft}/files/config.json", b"{}")
    with Unchanged():
        refused(alice.post(f"{draft}/register"), "files", "model.safetensors", "cut short")


def test_a_name_that_exists(alice, page, draft):
    with Unchanged():
        refused(
            alice.post("/api/v1/models", {"team": "acme", "name": "m", "task": "text-generation"}),
            "name", "taken", status=409,
        )  # fmt: skip
        shown = page.post("/models/new?team=acme", {"team": "acme", "name": "m", "task": "text-generation"})
        assert shown.status_code in (409, 422)
        assert b"taken" in shown.content


def test_a_version_that_is_not_complete(alice, page, draft):
    with Unchanged():
        refused(alice.post(f"{draft}/register"), "files", "Upload some")
    alice.put(f"{draft}/files/config.json", b"{nope")
    with Unchanged():
        refused(alice.post(f"{draft}/register"), "files", "config.json, line 1, column 2: not JSON")
        shown = page.post("/models/acme/m/versions/1/register")
        assert shown.status_code in (400, 422)
        assert b"not JSON" in shown.content
        refused(alice.put("/api/v1/models/acme/m/aliases/candidate", {"version": 1}), "version", "Register it first")


def test_gpus_that_are_not_there(registered, cast, api, client_of, monkeypatch):
    node = cluster.Node("n1", "127.0.0.1", cpus=2, gpus=0, memory_bytes=24 * 1024**3)
    monkeypatch.setattr(cluster, "resources", lambda **_: cluster.Resources([node]))
    body = {"team": "acme", "name": "d", "model": "acme/m", "version": 1, "stage": "development", "num_gpus": 1}
    dana = api(cast.dana)
    with Unchanged():
        refused(dana.post("/api/v1/deployments", body), "num_gpus", "GPU")
        form = {"version": "1", "name": "d", "replicas": "1", "num_gpus": "1", "engine": "transformers", "engine_options": "", "stage": "development"}  # fmt: skip
        shown = client_of(cast.dana).post(
            "/deployments/new?model=acme/m&stage=development", {**form, "model": "acme/m"}
        )
        assert shown.status_code == 422
        assert b"GPU" in shown.content


def test_templates_and_variables(alice, page):
    alice.post("/api/v1/prompts", {"team": "acme", "name": "p"})
    wrong = "Hi\n{{ name | }}"
    with Unchanged():
        refused(
            alice.post("/api/v1/prompts/acme/p/versions", {"type": "text", "template": wrong}),
            "template", "line 2, column",
        )  # fmt: skip
        shown = page.post("/prompts/acme/p/versions/new", {"type": "text", "template": wrong})
        assert shown.status_code == 422
        assert b"line 2, column" in shown.content
        for junk in ("[" * 100_000, '{"a": 1e999}', '{"a": "\\u0000"}', "9" * 5_000):
            shown = page.post("/prompts/acme/p/versions/new", {"type": "text", "template": "Hi", "parameters": junk})
            assert shown.status_code == 422, junk[:20]
    alice.post("/api/v1/prompts/acme/p/versions", {"type": "text", "template": "Hi {{ name }}"})
    render = "/api/v1/prompts/acme/p/versions/1/render"
    with Unchanged():
        refused(alice.post(render, {"variables": {"nam": "x"}}), "variables.nam", "It has: name")
        refused(alice.post(render, {"variables": {}}), "variables.name", "Give a value")


def test_a_dataset_row_without_the_expected_field(registered, alice, page):
    alice.post("/api/v1/datasets", {"team": "acme", "name": "d"})
    alice.post("/api/v1/datasets/acme/d/versions", {})
    rows = b'{"input": "a", "expected": "b"}\n{"input": "a", "answer": "b"}\n'
    alice.put("/api/v1/datasets/acme/d/versions/1/files/a.jsonl", rows)
    assert alice.post("/api/v1/datasets/acme/d/versions/1/register").status_code == 200
    with Unchanged():
        answer = alice.post("/api/v1/evaluations", {"model": "acme/m", "version": 1, "dataset": "acme/d"})
        assert answer.status_code == 400
        assert "2" in answer.json()["detail"]
        assert "expected" in answer.json()["detail"]
        form = {"model": "acme/m", "version": "1", "dataset": "acme/d", "dataset_version": "1", "max_tokens": "8",
                "temperature": "0", "input_field": "input", "expected_field": "expected", "limit": ""}  # fmt: skip
        shown = page.post("/evaluations/new", form)
        assert shown.status_code == 422
        assert b"there is no field" in shown.content


@pytest.mark.parametrize("state", ["expired", "revoked", "wrong"])
def test_a_key_that_is_no_longer_good(state, cast, alice):
    row, whole = create_key(name="k", by=Actor(cast.alice))
    if state == "expired":
        ApiKey.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    elif state == "revoked":
        revoke_key(key=row, by=Actor(cast.alice))
    else:
        whole += "x"
    for address in ("/api/v1/me", "/api/v1/models", "/api/v1/models/acme/m/aliases/production"):
        answer = Client().get(address, headers={"authorization": f"Bearer {whole}"})
        assert answer.status_code == 401
        assert "Settings, API keys" in answer.json()["detail"]
        assert answer["WWW-Authenticate"].startswith("Bearer")
        if state != "wrong":
            assert state in answer.json()["detail"]


@pytest.mark.parametrize(
    "address", ["teams", "models", "datasets", "prompts", "runs", "evaluations", "policies", "requests", "deployments"]
)
def test_a_body_that_is_not_json(address, alice):
    with Unchanged():
        for body, kind, status in (
            (b"{not json", "application/json", 400),
            (b"a=1", "application/x-www-form-urlencoded", 415),
        ):
            answer = alice.generic("POST", f"/api/v1/{address}", body, content_type=kind)
            assert answer.status_code == status
            assert answer.json()["detail"]


def test_a_body_larger_than_any_form(alice, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    answer = alice.post("/api/v1/models", {"team": "acme", "name": "m", "description": "x" * 200})
    assert answer.status_code == 413


@pytest.mark.django_db(transaction=True)
def test_one_name_wanted_twice_at_once(settings, tmp_path):
    settings.STORAGE = tmp_path / "storage"
    cast = make_cast()
    _, key = create_key(name="k", by=Actor(cast.alice))
    headers = {"authorization": f"Bearer {key}"}
    barrier = threading.Barrier(2)
    statuses, uploads = [], []

    def act():
        try:
            client = Client(headers=headers)
            barrier.wait(10)
            body = {"team": "acme", "name": "m", "task": "text-generation"}
            statuses.append(client.post("/api/v1/models", body, content_type="application/json").status_code)
            if barrier.wait(10) == 0:  # one of the two
                client.post("/api/v1/models/acme/m/versions", {}, content_type="application/json")
            barrier.wait(10)
            path = "/api/v1/models/acme/m/versions/1/files/a.json"
            uploads.append(client.put(path, b'{"a": 1}', content_type="application/octet-stream").status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=act) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(statuses) == [201, 409]
    assert sorted(uploads) == [200, 201]
    assert File.objects.count() == Blob.objects.count() == 1
