"""The evidence about some digests, loaded at once and read as it stood at any moment."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from django.db.models import Min
from django.db.models.fields.json import KeyTransform

from accounts.models import Team
from governance.models import Evidence

Kind = Evidence.Kind


class Book:
    """Two or three queries whatever the number of digests. `as_of` None, here and below: everything there is. `history`: many moments
    will be asked for, so that what changes with time is loaded once instead of per moment."""

    def __init__(
        self, team: Team, digests: Collection[str], *, datasets: Collection[str] = (), history: bool = False
    ) -> None:
        self.team, self._history = team, history
        self._rows: dict[tuple[str, str], list[Evidence]] = defaultdict(list)
        self._metrics: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
        for row in Evidence.objects.filter(team=team, subject_digest__in=set(digests)).order_by("-id"):
            self._rows[row.subject_digest, row.kind].append(row)
        measured = [*self._of_kind(Kind.EVALUATION), *self._of_kind(Kind.PROMPT_TESTS)]
        wanted = set(datasets) | {label for row in measured if (label := dataset_of(row).get("label"))}
        self._datasets: dict[str, list[Evidence]] = defaultdict(list)
        if wanted:
            # Datasets of other teams too: the label says whose it is.
            for row in Evidence.objects.filter(kind=Kind.DATASET, label__in=wanted).order_by("-id"):
                self._datasets[row.label].append(row)

        self._suites: dict[str, list[Evidence]] = defaultdict(list)
        if suites := {key for row in self._of_kind(Kind.PROMPT_TESTS) if (key := suite_of(row).get("key"))}:
            for row in Evidence.objects.filter(team=team, kind=Kind.TEST_SUITE, subject_digest__in=suites).order_by(
                "-id"
            ):
                self._suites[row.subject_digest].append(row)

        self._pointers: dict[str, list[Evidence]] = defaultdict(list)
        if names := [one for row in self._of_kind(Kind.PROMPT_TESTS) for one in pointers_of(row)]:
            teams, keys = {one["team"] for one in names}, {one["key"] for one in names}
            moved = Evidence.objects.filter(team_id__in=teams, kind=Kind.POINTER, subject_digest__in=keys)
            for row in moved.order_by("-id"):
                self._pointers[row.subject_digest].append(row)

    def _of_kind(self, wanted: str) -> Iterator[Evidence]:
        for (_, kind), rows in self._rows.items():
            if kind == wanted:
                yield from rows

    def about(self, digest: str, kind: str, as_of: datetime | None) -> list[Evidence]:
        """Newest first."""
        rows = self._rows.get((digest, kind), [])
        return rows if as_of is None else [row for row in rows if row.created_at <= as_of]

    def newest_version(self, dataset: str, as_of: datetime | None) -> dict[str, Any] | None:
        """The newest registered version of a dataset (team/name) as {"label", "version", "digest"}; None where none is known."""
        for row in self._datasets.get(dataset, []):
            if as_of is None or row.created_at <= as_of:
                return dict(row.payload)
        return None

    def newest_suite(self, key: str, as_of: datetime | None) -> dict[str, Any] | None:
        """The newest revision of the tests of a prompt as {"revision", "digest", "since"}; None where none is known."""
        return _newest(self._suites.get(key, []), as_of)

    def newest_pointer(self, key: str, as_of: datetime | None) -> dict[str, Any] | None:
        """Where a label or alias points as {"version", "digest", "since"}; None where it has not moved since anybody noted it."""
        return _newest(self._pointers.get(key, []), as_of)

    def metric_version(self, metric: str, as_of: datetime | None) -> int:
        """By which version of its definition this metric is measured in the team; 0: nothing says so."""
        if self._history:
            return max(
                (number for moment, number in self._versions_of(metric) if not as_of or moment <= as_of), default=0
            )
        rows = Evidence.objects.filter(team=self.team, kind=Kind.EVALUATION, payload__metrics__has_key=metric)
        if as_of is not None:
            rows = rows.filter(created_at__lte=as_of)
        newest = rows.order_by("-id").first()  # near the end of the primary key, however many there are
        return version_of(figures_of(newest, metric)) if newest else 0

    def _versions_of(self, metric: str) -> list[tuple[datetime, int]]:
        """Since when each version of the definition has been in use."""
        if metric not in self._metrics:
            version = KeyTransform("version", KeyTransform(metric, KeyTransform("metrics", "payload")))
            rows = (
                Evidence.objects.filter(team=self.team, kind=Kind.EVALUATION, payload__metrics__has_key=metric)
                .annotate(metric_version=version)
                .order_by()
                .values_list("metric_version")
                .annotate(since=Min("created_at"))
            )
            self._metrics[metric] = [(since, number) for number, since in rows if isinstance(number, int)]
        return self._metrics[metric]


def _newest(rows: list[Evidence], as_of: datetime | None) -> dict[str, Any] | None:
    row = next((row for row in rows if as_of is None or row.created_at <= as_of), None)
    return {**row.payload, "since": row.created_at} if row else None


def pointers_of(evidence: Evidence) -> list[dict[str, Any]]:
    """[{"key", "team", "name", "version", "digest"}]: the labels and aliases that tests were run through, and where they pointed."""
    found = evidence.payload.get("pointers")
    return found if isinstance(found, list) else []


def dataset_of(evidence: Evidence) -> dict[str, Any]:
    """{"label", "version", "digest"} of what an evaluation was measured on, as far as it says."""
    found = evidence.payload.get("dataset")
    return found if isinstance(found, dict) else {}


def suite_of(evidence: Evidence) -> dict[str, Any]:
    """{"key", "revision", "digest"} of the tests that a run was of, as far as it says."""
    found = evidence.payload.get("suite")
    return found if isinstance(found, dict) else {}


def figures_of(evidence: Evidence, metric: str) -> dict[str, Any]:
    """{"value", "lower", "upper", "n", "version"} of a metric; empty where it was not measured."""
    found = evidence.payload.get("metrics")
    return found.get(metric) or {} if isinstance(found, dict) else {}


def version_of(figures: dict[str, Any]) -> int:
    """By which version of the metric's definition these figures were measured; 0: they do not say."""
    found = figures.get("version")
    return found if isinstance(found, int) else 0
