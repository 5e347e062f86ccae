"""Shelf life: when the evidence behind an approval is outdated, and what a renewal sets side by side."""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from governance.models import ApprovalRequest, Attestation, Evidence
from governance.policies import prompt_tests
from governance.policies.book import Book
from governance.rules import MetricCheck, PromptTestsCheck, Rules, parse

State = ApprovalRequest.State


@dataclass(frozen=True)
class EvidencePair:
    """What spoke for the approval, and the newest of the same sort now; either may be missing."""

    title: str
    old: Evidence | None
    new: Evidence | None

    @property
    def changed(self) -> bool:
        return (self.old.digest if self.old else "") != (self.new.digest if self.new else "")


def evidence_of(request: ApprovalRequest) -> list[Evidence]:
    """The evidence that an applied approval was given on, as its signed statement lists it."""
    envelope = Attestation.objects.filter(request=request).values_list("envelope", flat=True).first()
    if envelope is None:
        return []
    digests = json.loads(base64.b64decode(envelope["payload"]))["predicate"].get("evidence", [])
    rows = Evidence.objects.filter(team_id=request.team_id, digest__in=digests).order_by("digest", "id")
    return list(rows.distinct("digest"))


def renewal_evidence(request: ApprovalRequest) -> list[EvidencePair]:
    """For a renewal: the evidence of the approval that it renews beside the newest of the same kind (and, of evaluations, on the
    same dataset) about the same bytes, and beside that what there is only now."""
    before = request.renews or request
    old = {_sort(row): row for row in evidence_of(before)}
    new: dict[tuple[str, str], Evidence] = {}
    about = Evidence.objects.filter(team_id=request.team_id, subject_digest=request.digest).order_by("-id")
    for row in about.exclude(kind=Evidence.Kind.DATASET)[:200]:
        new.setdefault(_sort(row), row)
    return [
        EvidencePair(f"{kind.capitalize()}{f' on {dataset}' if dataset else ''}", old.get((kind, dataset)), new.get((kind, dataset)))
        for kind, dataset in sorted(old.keys() | new.keys())
    ]  # fmt: skip


def _sort(row: Evidence) -> tuple[str, str]:
    return row.kind, str(_dataset(row).get("label", ""))


def _dataset(row: Evidence) -> dict[str, Any]:
    found = row.payload.get("dataset")
    return found if isinstance(found, dict) else {}


class Outdated:
    """Looks up what evidence is measured against now, once for all approvals of one round."""

    def __init__(self) -> None:
        self._newest: dict[str, int | None] = {}
        self._versions: dict[tuple[int, str], Any] = {}

    def reason(self, request: ApprovalRequest) -> str:
        """Why the evidence of this approval no longer speaks for it: a newer version of the dataset that it was measured on (unless
        the policy pins one), a newer definition of the metric, or tests that are others now. '' when it does."""
        version = request.policy_version
        rules = parse(version.checks, version.reviews, version.terms) if version else None
        if rules and any(isinstance(check, PromptTestsCheck) for check in rules.checks):
            return _tests_outdated(request)
        wanted = {check.metric: check for check in _metric_checks(rules)}
        if not wanted:
            return ""
        for row in evidence_of(request):
            if row.kind != Evidence.Kind.EVALUATION:
                continue
            measured = row.payload.get("metrics") or {}
            for metric, check in wanted.items():
                if metric in measured and (why := self._metric(row, metric, measured[metric], check)):
                    return why
        return ""

    def _metric(self, row: Evidence, metric: str, figures: dict[str, Any], check: MetricCheck) -> str:
        dataset = _dataset(row)
        label, number = str(dataset.get("label", "")), dataset.get("version")
        if check.dataset and label != check.dataset:
            return ""
        newest = self._newest_version(label)
        if check.dataset_version is None and isinstance(number, int) and newest is not None and newest > number:
            return f"it was measured on {label} version {number}, and there is version {newest} now"
        now, then = self._metric_version(row.team_id, metric), figures.get("version")
        if now is not None and then is not None and now != then:
            return f"{metric} is measured by version {now} of its definition now, and was by version {then}"
        return ""

    def _newest_version(self, label: str) -> int | None:
        if label not in self._newest:
            row = Evidence.objects.filter(kind=Evidence.Kind.DATASET, label=label).order_by("-id").first()
            number = (row.payload.get("version") if row else None) if label else None
            self._newest[label] = number if isinstance(number, int) else None
        return self._newest[label]

    def _metric_version(self, team_id: int, metric: str) -> Any:
        """By which version of its definition this metric was measured last in the team."""
        if (team_id, metric) not in self._versions:
            rows = Evidence.objects.filter(
                team_id=team_id, kind=Evidence.Kind.EVALUATION, payload__metrics__has_key=metric
            )
            row = rows.order_by("-id").first()
            figures = (row.payload["metrics"].get(metric) or {}) if row else {}
            self._versions[team_id, metric] = figures.get("version")
        return self._versions[team_id, metric]


def _tests_outdated(request: ApprovalRequest) -> str:
    tested = [row for row in evidence_of(request) if row.kind == Evidence.Kind.PROMPT_TESTS]
    book = Book(request.team, [request.digest])
    return next((why for row in tested if (why := prompt_tests.outdated(row, book))), "")


def _metric_checks(rules: Rules | None) -> Iterable[MetricCheck]:
    return [check for check in rules.checks if isinstance(check, MetricCheck)] if rules else []


def outdated_approvals() -> list[tuple[int, str]]:
    """The applied approvals whose evidence is outdated, with the reason. Only of those that were the last for their slot: nobody
    needs to hear of others."""
    latest = (
        ApprovalRequest.objects.filter(state=State.APPLIED, version_id__isnull=False)
        .order_by("kind", "asset_id", "slot", "-closed_at", "-id")
        .distinct("kind", "asset_id", "slot")
        .values("pk")
    )
    rows = ApprovalRequest.objects.filter(pk__in=latest, lapsed_at=None, policy_version__isnull=False)
    look = Outdated()
    found = [
        (row.pk, look.reason(row)) for row in rows.select_related("policy_version", "team").iterator(chunk_size=200)
    ]
    return [(pk, reason) for pk, reason in found if reason]
