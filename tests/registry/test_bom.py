"""Bills of materials: valid by CycloneDX's schema, and saying what is known."""

import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from governance.actions import deposit_evidence
from registry import actions
from registry.tasks import scan
from tests.registry.conftest import model_files

CARD = b"""---
license: apache-2.0
language: [en]
datasets: [acme/pairs]
base_model: somewhere/base
---
# Dates

## Intended use
Turning dates into ISO 8601.

## Limits
English only.
"""


def valid(text):
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert error is None, error
    return json.loads(text)


def bom_of(client, address):
    answer = client.get(f"/api/v1{address}/bom")
    assert answer.status_code == 200
    assert answer["Content-Disposition"].endswith('.cdx.json"')
    return valid(answer.content.decode())


def test_a_models_bom_is_valid_and_says_what_is_known(make_asset, make_version, cast, actor, api):
    rows = make_version(make_asset("pairs", kind="dataset"))
    version = make_version(make_asset(), model_files(**{"README.md": CARD}))
    actions.link_versions(version=version, relation="trained_on", origin=rows, by=actor(cast.alice))
    scan(version.pk)
    figures = {"exact_match": {"value": 0.97, "lower": 0.95, "upper": 0.99, "n": 250}}
    deposit_evidence(
        team=cast.team, kind="evaluation", subject_digest=version.digest, label="x", by=actor(cast.alice),
        payload={"metrics": figures, "dataset": {"label": "acme/pairs", "version": 1}},
    )  # fmt: skip
    bom = bom_of(api(cast.victor), version.get_absolute_url())
    subject = bom["metadata"]["component"]
    assert subject["type"] == "machine-learning-model" and subject["version"] == "1"
    assert subject["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    card = subject["modelCard"]
    assert card["modelParameters"]["modelArchitecture"] == "LlamaForCausalLM"
    assert {"ref": "dataset:acme/pairs@1"} in card["modelParameters"]["datasets"]
    assert card["considerations"]["technicalLimitations"] == ["English only."]
    (metric,) = card["quantitativeAnalysis"]["performanceMetrics"]
    assert metric["confidenceInterval"] == {"lowerBound": "0.95", "upperBound": "0.99"}
    files = {one["name"]: one for one in subject["components"]}
    assert files["model.safetensors"]["hashes"][0]["content"] == version.files.get(path="model.safetensors").blob_id
    assert {"name": "countersign:scan", "value": "clean"} in files["model.safetensors"]["properties"]
    assert [one["name"] for one in subject["pedigree"]["ancestors"]] == ["somewhere/base"]


def test_a_datasets_bom_is_valid_too(make_asset, make_version, cast, api):
    version = make_version(make_asset("pairs", kind="dataset"))
    assert bom_of(api(cast.victor), version.get_absolute_url())["metadata"]["component"]["type"] == "data"


@pytest.mark.parametrize("licence", ["mit", "MIT OR Apache-2.0", "our own terms", "[MIT, BSD-3-Clause]", ""])
def test_any_licence_makes_a_valid_bom(licence, make_asset, make_version, cast, api):
    card = f"---\nlicense: {licence}\n---\n# x\n".encode()
    version = make_version(make_asset(), model_files(**{"README.md": card}))
    subject = bom_of(api(cast.victor), version.get_absolute_url())["metadata"]["component"]
    said = json.dumps(subject.get("licenses", []))
    assert all(word.lower() in said.lower() for word in licence.strip("[]").split(", ") if word)
    assert bool(subject.get("licenses")) == bool(licence)


def test_a_draft_has_none(make_asset, make_draft, cast, api):
    draft = make_draft(make_asset())
    assert api(cast.victor).get(f"/api/v1{draft.get_absolute_url()}/bom").status_code == 409
