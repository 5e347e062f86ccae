"""What a request would change: what is asked for beside what is there now."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from governance.models import ApprovalRequest, Evidence
from home.comparison import content
from home.comparison.changes import Change, describe
from home.comparison.content import ConfigChange, TextChange, ValueChange
from home.comparison.metrics import MetricRow, compare_metrics, figures_of, latest_figures
from prompts.models import PromptVersion
from prompts.shown import Shown, shown
from registry.actions import weights
from registry.comparison import FileChange
from registry.models import Asset, Version, WeightComparison

# A version of 100,000 files is compared in full, and listed up to here.
MOST_FILES = 200


@dataclass(frozen=True)
class Comparison:
    """Everything a reviewer compares. `before` and `after` are versions; None for requests that move none."""

    before: Version | PromptVersion | None = None
    after: Version | PromptVersion | None = None
    files: Sequence[FileChange] = ()
    more_files: int = 0
    unchanged_files: int = 0
    configuration: Sequence[ConfigChange] = ()
    facts: Sequence[ValueChange] = ()
    texts: Sequence[TextChange] = ()
    prompt: Shown | None = None
    metrics: Sequence[MetricRow] = ()
    change: Change | None = None
    added_bytes: int = field(default=0)
    weights: WeightComparison | None = None  # how far they moved, where somebody had it measured

    @property
    def cautions(self) -> list[str]:
        """What makes figures hard to compare, each said once."""
        return list(dict.fromkeys(row.other_rows for row in self.metrics if row.other_rows))

    @property
    def has_limits(self) -> bool:
        return any(row.limits for row in self.metrics)

    @property
    def empty(self) -> bool:
        """Nothing to see in the bytes and texts."""
        found = (self.files, self.configuration, self.facts, self.texts)
        return not any(found) and self.change is None and (self.prompt is None or self.prompt.same)


def compare(
    request: ApprovalRequest,
    limits: Iterable[tuple[str, str, float]] = (),
    then: Sequence[Evidence] | None = None,
) -> Comparison:
    """Read for one page. limits: the policy's numbers, drawn beside the metrics: (metric, dataset or '', number). `then`: of a
    renewal the evidence that its approval was given on, which stands beside what there is now."""
    if request.version_id is None:
        return Comparison(change=describe(request))
    after, before = latest_figures(request.team_id, request.digest, "" if then is not None else request.previous_digest)
    if then is not None:
        before = figures_of(row for row in then if row.kind == Evidence.Kind.EVALUATION)
    metrics = compare_metrics(after, before, limits)
    if request.kind == ApprovalRequest.Kind.PROMPT:
        return _prompt(request, metrics)
    return _version(request, metrics)


def before_label(request: ApprovalRequest) -> str:
    """What stands in the first column."""
    if not request.previous_number:
        return "nothing"
    return f"version {request.previous_number}, {'before' if request.closed_at else 'there now'}"


def _prompt(request: ApprovalRequest, metrics: Sequence[MetricRow]) -> Comparison:
    versions = {
        version.pk: version
        for version in PromptVersion.objects.select_related("prompt__team", "created_by").filter(
            pk__in=[request.version_id, request.previous_version_id or 0]
        )
    }
    after, before = versions[request.version_id or 0], versions.get(request.previous_version_id or 0)
    return Comparison(
        before=before,
        after=after,
        prompt=shown(
            before, after, before_label=before_label(request), after_label=f"version {request.version_number}"
        ),
        metrics=metrics,
    )


def _version(request: ApprovalRequest, metrics: Sequence[MetricRow]) -> Comparison:
    versions = {
        version.pk: version
        for version in Version.objects.select_related("asset__team", "created_by").filter(
            pk__in=[request.version_id, request.previous_version_id or 0]
        )
    }
    after, before = versions[request.version_id or 0], versions.get(request.previous_version_id or 0)
    files = content.file_changes(before, after)
    changed = [change for change in files if change.state != "same"]
    card = before.card if before else ""
    return Comparison(
        before=before,
        after=after,
        files=changed[:MOST_FILES],
        more_files=max(0, len(changed) - MOST_FILES),
        unchanged_files=len(files) - len(changed),
        added_bytes=sum((change.after or 0) - (change.before or 0) for change in changed),
        configuration=content.configuration(before, after, changed),
        facts=content.fact_changes(before, after),
        texts=[TextChange("Card", card, after.card)] if card != after.card else [],
        metrics=metrics,
        weights=weights.weights_of(before, after) if before and after.asset.kind == Asset.Kind.MODEL else None,
    )
