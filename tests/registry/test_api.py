"""The REST door, from an empty model to an alias."""

import hashlib

from governance.models import ApprovalRequest
from registry.models import Asset, File, Version

from .conftest import model_files


def upload(client, base, files):
    for path, content in files.items():
        answer = client.put(f"{base}/files/{path}", content, content_type="application/octet-stream")
        assert answer.status_code == 201, answer.content
        assert answer.json() == {"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_a_model_goes_from_nothing_to_an_alias(cast, api, storage_root):
    alice = api(cast.alice)
    made = alice.post(
        "/api/v1/models", {"team": "acme", "name": "dates", "description": "Dates", "task": "text-generation"}
    )
    assert made.status_code == 201, made.content
    version = alice.post("/api/v1/models/acme/dates/versions", {"message": "first"})
    assert version.status_code == 201
    assert version.json()["number"] == 1 and version.json()["state"] == "draft" and version.json()["digest"] is None
    base = "/api/v1/models/acme/dates/versions/1"
    upload(alice, base, model_files())
    assert [file["path"] for file in alice.get(f"{base}/files").json()["results"]] == sorted(model_files())
    registered = alice.post(f"{base}/register")
    assert registered.status_code == 200, registered.content
    assert registered.json()["digest"].startswith("sha256:")
    facts = registered.json()["facts"]
    assert (facts["architecture"], facts["parameters"], facts["dtypes"]) == ("LlamaForCausalLM", 32, {"F32": 32})
    assert facts["card"] == {"license": "apache-2.0"}
    moved = alice.put(
        "/api/v1/models/acme/dates/aliases/candidate", {"version": 1, "reason": "try it"}, "application/json"
    )
    assert moved.status_code == 200, moved.content
    found = alice.get("/api/v1/models/acme/dates/aliases/candidate")
    assert found.json()["number"] == 1 and found.json()["version"]["digest"] == registered.json()["digest"]
    refused = alice.put("/api/v1/models/acme/dates/aliases/production", {"version": 1}, "application/json")
    assert refused.status_code == 403 and refused.json()["link"] == f"/requests/{ApprovalRequest.objects.get().pk}"
    listed = alice.get("/api/v1/models").json()["results"]
    assert (
        listed[0]["name"] == "dates" and listed[0]["aliases"] == {"candidate": 1} and listed[0]["latest_version"] == 1
    )
    history = alice.get("/api/v1/models/acme/dates/aliases/candidate/history").json()["results"]
    assert [(move["before"], move["after"], move["reason"]) for move in history] == [(None, 1, "try it")]
    assert Asset.objects.count() == 1 and Version.objects.count() == 1 and File.objects.count() == 5
