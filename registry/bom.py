"""A version as a CycloneDX 1.6 ML-BOM: what it is, what it was made of, what it consists of, and what was measured."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from cyclonedx.spdx import fixup_id, is_expression
from django.conf import settings

from accounts.access import Actor, can
from accounts.roles import Permission
from governance.models import Evidence
from registry.inspection import cards
from registry.models import Asset, Link, Version
from registry.scans import state_of

SPEC = "1.6"
MAX_EVALUATIONS = 50
Origin = tuple[Link, dict[str, Any]]
_SPACE = uuid.UUID("6f2b1b0e-6f1d-4c41-9b8e-3f8c5d0c7a11")
_HEX = re.compile(r"[0-9a-f]{64}")


def bom_of(version: Version, by: Actor) -> dict[str, Any]:
    """The whole document, the same for the same version until it is evaluated or scanned again. Of origins that the actor may not
    see it says no more than that there are some."""
    asset = version.asset
    links = list(version.origins.select_related("origin__asset__team", "origin_asset__team"))
    origins = [(link, _component(link, by)) for link in links]
    subject = _subject(version, origins)
    parts = [part for _, part in origins]
    references = [part["bom-ref"] for part in parts]
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{uuid.uuid5(_SPACE, f'{settings.SITE_URL} {version.pk} {version.digest}')}",
        "version": 1,
        "metadata": {
            "timestamp": (version.registered_at or version.created_at).isoformat(),
            "tools": {"components": [{"type": "application", "name": "Countersign"}]},
            "component": subject,
            "properties": _properties({"site": settings.SITE_URL, "team": asset.team.name, "kind": asset.kind}),
        },
        "components": _unique(parts),
        "dependencies": [
            {"ref": subject["bom-ref"], "dependsOn": sorted(set(references))},
            *({"ref": reference} for reference in sorted(set(references))),
        ],
    }


def _subject(version: Version, origins: list[Origin]) -> dict[str, Any]:
    asset, card = version.asset, cards.parse(version.card)
    is_model = asset.kind == Asset.Kind.MODEL
    address = f"{settings.SITE_URL}{version.get_absolute_url()}"
    found: dict[str, Any] = {
        "type": "machine-learning-model" if is_model else "data",
        "bom-ref": _ref(version),
        "group": asset.team.name,
        "name": asset.name,
        "version": str(version.number),
        "description": (version.description or asset.description or version.message)[:2000],
        "hashes": _hashes(version.digest),
        "licenses": _licences(cards.licence(card)),
        "purl": f"pkg:generic/{asset.team.name}/{asset.name}@{version.number}",
        "externalReferences": [
            {"type": "distribution", "url": f"{settings.SITE_URL}/api/v1{version.get_absolute_url()}/files"},
            {"type": "documentation", "url": address},
            {"type": "digital-signature", "url": f"{settings.SITE_URL}/api/v1{version.get_absolute_url()}/signature"},
        ],
        "components": list(_files(version)),
        "properties": _properties({"digest": version.digest, "commit": version.commit, **_measures(version)}),
    }
    ancestors = [part for link, part in origins if link.relation != Link.Relation.TRAINED_ON]
    if ancestors:
        found["pedigree"] = {"ancestors": _unique(ancestors)}
    if is_model:
        found["modelCard"] = _model_card(version, cards.fields(card), origins)
    else:
        found["data"] = [{"type": "dataset", "name": str(asset), "description": found["description"]}]
    return {name: value for name, value in found.items() if value not in ("", [], None)}


def _model_card(version: Version, said: dict[str, Any], origins: list[Origin]) -> dict[str, Any]:
    facts = version.facts
    parameters: dict[str, Any] = {
        "task": version.asset.task,
        "architectureFamily": facts.get("model_type", ""),
        "modelArchitecture": facts.get("architecture", ""),
        "datasets": [{"ref": part["bom-ref"]} for link, part in origins if link.relation == Link.Relation.TRAINED_ON],
    }
    if version.asset.task == Asset.Task.TEXT_GENERATION:
        parameters |= {"inputs": [{"format": "text"}], "outputs": [{"format": "text"}]}
    considerations = {
        "useCases": _texts(said.get("intended_use")),
        "technicalLimitations": _texts(said.get("limits")),
        "users": _texts(said.get("users")),
    }
    card = {
        "modelParameters": _full(parameters),
        "quantitativeAnalysis": _full({"performanceMetrics": list(_metrics(version))}),
        "considerations": _full(considerations),
        "properties": _properties({"languages": said.get("language"), "training data": said.get("training_data")}),
    }
    return _full(card)


def _metrics(version: Version) -> Iterator[dict[str, Any]]:
    """The newest figures of each metric on each dataset."""
    rows = Evidence.objects.filter(
        team=version.asset.team, kind=Evidence.Kind.EVALUATION, subject_digest=version.digest
    ).order_by("-id")[:MAX_EVALUATIONS]
    told: set[tuple[str, str]] = set()
    for row in rows:
        dataset = row.payload.get("dataset") or {}
        slice_ = " version ".join(str(dataset[key]) for key in ("label", "version") if dataset.get(key))
        for name, figures in sorted((row.payload.get("metrics") or {}).items()):
            if (name, slice_) in told or not isinstance(figures, dict) or "value" not in figures:
                continue
            told.add((name, slice_))
            metric: dict[str, Any] = {"type": name, "value": f"{figures['value']:.6g}", "slice": slice_}
            if figures.get("lower") is not None and figures.get("upper") is not None:
                metric["confidenceInterval"] = {
                    "lowerBound": f"{figures['lower']:.6g}",
                    "upperBound": f"{figures['upper']:.6g}",
                }
            yield _full(metric)


def _component(link: Link, by: Actor) -> dict[str, Any]:
    """One origin, as a component."""
    kind = "data" if link.relation == Link.Relation.TRAINED_ON else "machine-learning-model"
    ours = link.origin.asset if link.origin else link.origin_asset
    if ours is not None and not can(by, Permission.ASSET_VIEW, ours):
        return {"type": kind, "bom-ref": f"hidden:{link.pk}", "name": "one that you can't see"}
    if link.origin is not None:
        origin = link.origin
        found = {
            "type": "data" if origin.asset.kind == Asset.Kind.DATASET else "machine-learning-model",
            "bom-ref": _ref(origin),
            "group": origin.asset.team.name,
            "name": origin.asset.name,
            "version": str(origin.number),
            "hashes": _hashes(origin.digest),
            "licenses": _licences(cards.licence(cards.parse(origin.card))),
        }
        return _full(found)
    if link.origin_asset is not None:
        asset = link.origin_asset
        return {"type": kind, "bom-ref": f"{asset.kind}:{asset}", "group": asset.team.name, "name": asset.name}
    return {"type": kind, "bom-ref": f"outside:{link.origin_name}", "name": link.origin_name}


def _files(version: Version) -> Iterator[dict[str, Any]]:
    for file in state_of(version).files:
        yield {
            "type": "file",
            "bom-ref": f"{_ref(version)}#{file.path}",
            "name": file.path,
            "hashes": [{"alg": "SHA-256", "content": file.sha256}],
            "properties": _properties({"bytes": file.size, "scan": file.verdict or "not scanned yet"}),
        }


def _ref(version: Version) -> str:
    return f"{version.asset.kind}:{version.asset}@{version.number}"


def _measures(version: Version) -> dict[str, Any]:
    names = ("parameters", "context_length", "vocabulary", "rows", "files")
    return {name.replace("_", " "): version.facts.get(name) for name in names} | {"bytes": version.size}


def _hashes(digest: str) -> list[dict[str, str]]:
    """Of the manifest, not of any one file."""
    content = digest.rpartition(":")[2]
    return [{"alg": "SHA-256", "content": content}] if _HEX.fullmatch(content) else []


def _licences(text: str) -> list[dict[str, Any]]:
    if not text:
        return []
    if known := fixup_id(text):
        return [{"license": {"id": known}}]
    parts = [fixup_id(part) for part in re.split(r" AND | OR ", text)]
    if len(parts) > 1 and all(parts) and is_expression(text):
        return [{"expression": text}]
    return [{"license": {"name": text}}]


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) and value.strip() else []


def _properties(values: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {"name": f"countersign:{name}", "value": ", ".join(map(str, value)) if isinstance(value, list) else str(value)}
        for name, value in values.items()
        if value not in (None, "", [], {})
    ]


def _full(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def _unique(components: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({component["bom-ref"]: component for component in components}.values())
