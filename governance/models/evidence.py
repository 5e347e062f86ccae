"""What speaks for or against a digest: evaluation results, card checks, scans."""

from django.db import models
from django.utils import timezone

from accounts.models import Team


class Evidence(models.Model):
    """One immutable statement about exactly these bytes. Targets are text: governance knows nothing of the apps above."""

    class Kind(models.TextChoices):
        EVALUATION = "evaluation"
        CARD = "card"
        SCAN = "scan"
        LINEAGE = "lineage"
        # Not about a version that is to be approved, but about what others were measured by: 'this is the newest now'.
        DATASET = "dataset"
        # What came of the tests of a prompt, about the bytes of the version.
        PROMPT_TESTS = "prompt_tests"
        # As of a dataset: the subject is the suite of one prompt, whatever its revision, and the newest row says which one holds.
        TEST_SUITE = "test_suite"
        # Likewise, of a label or an alias that tests were run through: the newest row says where it points.
        POINTER = "pointer"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    subject_digest = models.CharField(max_length=80)
    label = models.CharField(max_length=300)
    # Where it can be looked at on this site.
    link = models.CharField(max_length=300, blank=True)
    # evaluation: {"metrics": {name: {"value", "lower", "upper", "n", "version"}}, "dataset": {"label", "version", "digest"},
    #              "evaluation": id}
    # card: {"complete": bool, "missing": [section], "fields": {name: value}, "licence": SPDX id or ''}
    # scan: {"verdict": "clean" | "unsafe", "findings": [{"path", "text"}], "scanner": name and version}
    # lineage: {"complete": bool, "missing": [what], "sources": [label]}
    # dataset: {"label", "version", "digest"}: a registered version; the newest row of a label is its newest version
    # prompt_tests: {"suite": {"key", "revision", "digest"}, "dataset": {"label", "version", "digest", "pinned"} or none,
    #               "models": [{"name", "digest"}], "total", "passed", "by_model": {name: {"total", "passed"}}, "run": id}
    #               "pointers": [{"key", "team", "name", "version", "digest"}]: what labels and aliases pointed at
    # test_suite: {"revision", "digest"}; its subject_digest is the `key` above
    # pointer: {"version", "digest"} (null and '' for nothing); its subject_digest is the `key` above
    payload = models.JSONField()
    digest = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["team", "subject_digest", "kind", "-id"], name="evidence_by_subject")]

    def __str__(self) -> str:
        return self.label
