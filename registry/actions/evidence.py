"""What a registered version says for itself, deposited as evidence about its digest."""

from typing import Any

from django.db import transaction

from accounts.access import SYSTEM, Actor
from governance.actions import deposit_evidence
from governance.models import Evidence
from governance.reads import newest_payload
from registry.actions.common import asset_target, lock_version, version_target
from registry.inspection import Inspection
from registry.models import Asset, Version


def _deposit(version: Version, kind: str, label: str, payload: dict[str, Any], *, by: Actor, anchor: str = "") -> None:
    deposit_evidence(
        team=version.asset.team,
        kind=kind,
        subject_digest=version.digest,
        label=label,
        payload=payload,
        link=version.get_absolute_url() + anchor,
        by=by,
        also=[version_target(version), asset_target(version.asset)],
    )


def deposit_registration(version: Version, inspection: Inspection, *, by: Actor) -> None:
    """The card; of a model where it comes from; of a dataset that it is the newest version now."""
    missing = inspection.missing_in_card
    card = {
        "complete": not missing,
        "missing": missing,
        "fields": inspection.card_fields,
        "licence": inspection.licence,
    }
    _deposit(version, Evidence.Kind.CARD, f"Card of {version}", card, by=by, anchor="#card")
    if version.asset.kind == Asset.Kind.MODEL:
        _deposit(version, Evidence.Kind.LINEAGE, f"Lineage of {version}", lineage_of(version, inspection), by=by)
    else:
        _deposit_newest(version, by)


def deposit_name(asset: Asset, *, by: Actor) -> None:
    """Of a dataset that has a new name: which version is the newest under it."""
    newest = asset.versions.registered().filter(deleted_at=None).first()
    if asset.kind == Asset.Kind.DATASET and newest is not None:
        newest.asset = asset
        _deposit_newest(newest, by)


def _deposit_newest(version: Version, by: Actor) -> None:
    label = str(version.asset)
    payload = {"label": label, "version": version.number, "digest": version.digest}
    _deposit(version, Evidence.Kind.DATASET, label, payload, by=by)


def lineage_of(version: Version, inspection: Inspection) -> dict[str, Any]:
    """Complete: the run that made it or its base model, and what it was trained on."""
    run = [f"run {version.source_run_id}"] if version.source_run_id else []
    bases = [f"base model {name}" for name in inspection.base_models]
    datasets = [f"dataset {name}" for name in inspection.datasets]
    missing = [] if run or bases else ["the run that made it, or its base model ('base_model:' in the card)"]
    if not datasets:
        missing.append("what it was trained on ('datasets:' in the card)")
    return {"complete": not missing, "missing": missing, "sources": run + bases + datasets}


@transaction.atomic
def deposit_scan(*, version: Version, found: dict[str, Any]) -> bool:
    """What the scanner found in these bytes (registry.scans.payload_of). Twice is once: False where the newest says the same."""
    version = lock_version(version)
    if newest_payload(version.asset.team, Evidence.Kind.SCAN, version.digest) == found:
        return False
    _deposit(version, Evidence.Kind.SCAN, f"Scan of {version}", found, by=SYSTEM, anchor="#supply-chain")
    return True
