"""Finding evaluations as an actor sees them, and what their pages show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Max, Min, OuterRef, Q, QuerySet, Subquery

from accounts.access import Actor
from accounts.errors import Invalid, NotFound
from evaluation.metrics import METRICS, Metric
from evaluation.models import Evaluation, EvaluationQuerySet, Example
from governance.stages import Stage
from registry.models import Alias, Asset, Version
from registry.reads import get_asset, get_version

FILTERS = ("all", "wrong", "errors", "correct")


def list_evaluations(
    by: Actor, *, team: str = "", model: str = "", dataset: str = "", state: str = ""
) -> EvaluationQuerySet:
    """The evaluations that the actor sees, newest first. `model` and `dataset` as team/name."""
    rows = Evaluation.objects.visible_to(by).with_labels()
    if team:
        rows = rows.filter(team__name=team)
    if model:
        rows = rows.filter(model=get_asset(by, Asset.Kind.MODEL, model))
    if dataset:
        rows = rows.filter(dataset=get_asset(by, Asset.Kind.DATASET, dataset))
    if state:
        if state not in set(Evaluation.State):
            raise Invalid("state", f"Use one of {', '.join(Evaluation.State)}.")
        rows = rows.filter(state=state)
    return rows


def get_evaluation(by: Actor, evaluation_id: int) -> Evaluation:
    found = None
    if evaluation_id <= 2**63 - 1:
        found = Evaluation.objects.visible_to(by).with_labels().filter(pk=evaluation_id).first()
    if found is None:
        raise NotFound(f"There is no evaluation {evaluation_id} that you can see.")
    found.version.asset, found.dataset_version.asset = found.model, found.dataset
    return found


def get_or_latest(by: Actor, asset: Asset, number: int | None) -> Version:
    """The version of this number; without one the newest registered."""
    if number is not None:
        return get_version(by, asset, number)
    found = asset.versions.registered().order_by("-number").first()
    if found is None:
        raise NotFound(f"{asset} has no registered version yet.")
    found.asset = asset
    return found


def examples_of(evaluation: Evaluation, *, show: str = "all", search: str = "") -> QuerySet[Example]:
    """Examples to be ordered by the caller. `show`: all, wrong (errors too), errors, correct."""
    rows = Example.objects.filter(evaluation=evaluation)
    if show == "wrong":
        rows = rows.filter(correct=False)
    elif show == "errors":
        rows = rows.exclude(error="")
    elif show == "correct":
        rows = rows.filter(correct=True)
    if search:
        text = Q(input__icontains=search) | Q(expected__icontains=search) | Q(output__icontains=search)
        rows = rows.filter(text)
    return rows


@dataclass(frozen=True)
class Baseline:
    """What is in production, as it did on the same rows. Counts are of examples that both answered."""

    evaluation: Evaluation
    mended: int
    broken: int


def production_version(model: Asset) -> Version | None:
    alias = Alias.objects.filter(asset=model, name=Stage.PRODUCTION.value).select_related("version").first()
    return alias.version if alias else None


def baseline_of(evaluation: Evaluation, production: Version | None) -> Baseline | None:
    """The newest evaluation of what is in production now on the same dataset version; None when there is none, or it is this version."""
    if production is None or production.pk == evaluation.version_id:
        return None
    found = (
        Evaluation.objects.filter(
            version=production, dataset_version_id=evaluation.dataset_version_id, state=Evaluation.State.SUCCEEDED
        )
        .with_labels()
        .order_by("-id")
        .first()
    )
    if found is None:
        return None
    there = Example.objects.filter(evaluation=found, index=OuterRef("index")).values("correct")[:1]
    pairs = Example.objects.filter(evaluation=evaluation).annotate(was=Subquery(there))
    counts = pairs.aggregate(
        mended=Count("pk", filter=Q(correct=True, was=False)), broken=Count("pk", filter=Q(correct=False, was=True))
    )
    return Baseline(found, counts["mended"], counts["broken"])


@dataclass(frozen=True)
class ResultRow:
    """A metric with its figures, and those of the baseline where there is one."""

    metric: Metric
    figures: dict[str, float]
    before: dict[str, float] | None = None

    @property
    def verdict(self) -> str:
        """'better' or 'worse' than the baseline where the intervals don't overlap, else 'similar'; '' without a baseline."""
        if self.before is None:
            return ""
        if self.figures["lower"] > self.before["upper"]:
            return "better" if self.metric.better == "higher" else "worse"
        if self.figures["upper"] < self.before["lower"]:
            return "worse" if self.metric.better == "higher" else "better"
        return "similar"


def result_rows(evaluation: Evaluation, baseline: Evaluation | None = None) -> list[ResultRow]:
    before = baseline.results if baseline else {}
    return [
        ResultRow(metric, evaluation.results[name], before.get(name))
        for name, metric in METRICS.items()
        if name in evaluation.results
    ]


def latency_bins(evaluation: Evaluation, count: int = 20) -> list[dict[str, Any]]:
    """How many answers took how long, in bins of equal width: [{"from", "to", "count"}] in ms."""
    answered = Example.objects.filter(evaluation=evaluation, latency_ms__isnull=False)
    ends = answered.aggregate(low=Min("latency_ms"), high=Max("latency_ms"))
    low, high = ends["low"], ends["high"]
    if low is None or high is None or high <= low:
        return []
    width = (high - low) / count
    values = answered.values_list("latency_ms", flat=True)
    counts = [0] * count
    for value in values.iterator(5_000):
        counts[min(count - 1, int((value - low) / width))] += 1
    return [
        {"from": low + place * width, "to": low + (place + 1) * width, "count": n} for place, n in enumerate(counts)
    ]


def newest_by_version(by: Actor, model: Asset, *, limit: int = 12) -> Sequence[Evaluation]:
    """The newest succeeded whole-dataset evaluation of each version on the dataset that was used last: what can be compared."""
    rows = Evaluation.objects.visible_to(by).filter(model=model, state=Evaluation.State.SUCCEEDED, total=F("rows"))
    last = rows.order_by("-id").values_list("dataset_version_id", flat=True).first()
    if last is None:
        return []
    newest = (
        rows.filter(dataset_version_id=last)
        .with_labels()
        .order_by("-version__number", "-id")
        .distinct("version__number")
    )
    return list(newest[:limit])
