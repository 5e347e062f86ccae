"""What a request would change: the version asked for beside the one that is there now."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from evaluation.metrics import METRICS
from governance.models import ApprovalRequest, Evidence
from prompts.models import PromptVersion
from registry.models import Version

ORDER = {name: place for place, name in enumerate(METRICS)}


@dataclass(frozen=True)
class FileChange:
    """A path in either version. state: added, removed, changed or same; sizes in bytes."""

    path: str
    state: str
    before: int | None
    after: int | None


@dataclass(frozen=True)
class FactChange:
    name: str
    before: str
    after: str

    @property
    def changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True)
class MetricRow:
    """A metric of the candidate beside that of what is there now, on the same dataset."""

    name: str
    dataset: str
    after: dict[str, float] | None
    before: dict[str, float] | None
    link: str

    @property
    def title(self) -> str:
        return METRICS[self.name].title if self.name in METRICS else self.name.replace("_", " ")

    @property
    def percent(self) -> bool:
        return self.name in METRICS and METRICS[self.name].is_share

    @property
    def unit(self) -> str:
        return METRICS[self.name].unit if self.name in METRICS and not self.percent else ""


@dataclass(frozen=True)
class Comparison:
    files: Sequence[FileChange] = ()
    facts: Sequence[FactChange] = ()
    texts: Sequence[tuple[str, str, str]] = ()  # title, before, after
    metrics: Sequence[MetricRow] = ()
    before: Version | PromptVersion | None = None
    after: Version | PromptVersion | None = None
    unchanged_files: int = field(default=0)


def compare(request: ApprovalRequest) -> Comparison:
    """Everything a reviewer compares, read for one page."""
    metrics = _metrics(request)
    if request.kind == "prompt":
        after_prompt = PromptVersion.objects.select_related("prompt").get(pk=request.version_id)
        before_prompt = PromptVersion.objects.filter(pk=request.previous_version_id or 0).first()
        texts = [
            ("Template", _template(before_prompt), _template(after_prompt)),
            ("Parameters", _parameters(before_prompt), _parameters(after_prompt)),
        ]
        return Comparison(
            texts=[row for row in texts if row[1] != row[2]], metrics=metrics, before=before_prompt, after=after_prompt
        )
    after = Version.objects.select_related("asset__team", "created_by").get(pk=request.version_id)
    before = Version.objects.filter(pk=request.previous_version_id or 0).select_related("created_by").first()
    files = _files(before, after)
    texts = [("Card", before.card if before else "", after.card)]
    return Comparison(
        files=[change for change in files if change.state != "same"],
        unchanged_files=sum(change.state == "same" for change in files),
        facts=_facts(before, after),
        texts=[row for row in texts if row[1] != row[2]],
        metrics=metrics,
        before=before,
        after=after,
    )


def _template(version: PromptVersion | None) -> str:
    if version is None:
        return ""
    if isinstance(version.template, str):
        return version.template
    return "\n\n".join(f"[{message.get('role')}]\n{message.get('content')}" for message in version.template)


def _parameters(version: PromptVersion | None) -> str:
    return json.dumps(version.parameters, indent=2, sort_keys=True) if version and version.parameters else ""


def _files(before: Version | None, after: Version) -> list[FileChange]:
    old = {file.path: file.blob for file in before.files.select_related("blob")} if before else {}
    new = {file.path: file.blob for file in after.files.select_related("blob")}
    changes = []
    for path in sorted(old.keys() | new.keys()):
        was, is_now = old.get(path), new.get(path)
        if was is None:
            state = "added"
        elif is_now is None:
            state = "removed"
        else:
            state = "same" if was.sha256 == is_now.sha256 else "changed"
        changes.append(FileChange(path, state, was.size if was else None, is_now.size if is_now else None))
    return changes


def _facts(before: Version | None, after: Version) -> list[FactChange]:
    old, new = (before.facts if before else {}), after.facts
    names = [name for name in dict.fromkeys([*new, *old]) if not isinstance(new.get(name, old.get(name)), dict | list)]
    return [FactChange(name.replace("_", " "), str(old.get(name, "")), str(new.get(name, ""))) for name in names]


def _metrics(request: ApprovalRequest) -> list[MetricRow]:
    now = _latest(request, request.digest)
    there = _latest(request, request.previous_digest) if request.previous_digest else {}
    return [
        MetricRow(metric, dataset, figures, there.get((dataset, metric), (None, ""))[0], link)
        for (dataset, metric), (figures, link) in sorted(
            now.items(), key=lambda item: (item[0][0], ORDER.get(item[0][1], 99))
        )
    ]


def _latest(request: ApprovalRequest, digest: str) -> dict[tuple[str, str], tuple[dict[str, float], str]]:
    """Newest figures per dataset and metric."""
    rows = Evidence.objects.filter(team_id=request.team_id, subject_digest=digest, kind=Evidence.Kind.EVALUATION)
    found: dict[tuple[str, str], tuple[dict[str, float], str]] = {}
    for evidence in rows[:50]:
        dataset = evidence.payload.get("dataset", {}).get("label", "")
        for metric, figures in evidence.payload.get("metrics", {}).items():
            found.setdefault((dataset, metric), (figures, evidence.link))
    return found
