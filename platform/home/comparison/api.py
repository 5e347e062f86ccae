"""REST: two versions side by side."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from home.comparison.content import ValueChange
from home.comparison.versions import MOST_FILES, MOST_TENSORS, VersionComparison, compare_versions, pair
from registry import actions
from registry.actions import weights
from registry.api.base import PROBLEMS, RegistryView
from registry.inspection.source import Tensor
from registry.models import Version, WeightComparison

MOST_LINES = 1_000
SIDES = [
    OpenApiParameter("from", str, required=True, description="Version number, alias, or team/name@number of another."),
    OpenApiParameter("to", str, required=True, description="The same."),
]


class WeightsOut(serializers.Serializer[None]):
    state = serializers.ChoiceField(["queued", "running", "done", "failed"])
    done_bytes = serializers.IntegerField()
    total_bytes = serializers.IntegerField()
    error = serializers.CharField(allow_null=True)
    summary = serializers.DictField(
        help_text="measured, moved, same, unclear, not_measured, root_mean_square, furthest."
    )
    tensors = serializers.ListField(
        child=serializers.DictField(),
        help_text=f"name, relative (L2 distance by the length before), cosine, largest change; furthest first, at most {MOST_LINES}.",
    )


class VersionComparisonOut(serializers.Serializer[None]):
    """`from` and `to` name the versions, with their digests."""

    identical = serializers.BooleanField(help_text="The same digest: the same files, byte for byte.")
    hidden = serializers.CharField(allow_null=True, help_text="Why what is in the files is not compared.")
    files = serializers.DictField(
        help_text=f"same: how many; changes: path, state, before, after (bytes), at most {MOST_FILES}."
    )
    configuration = serializers.ListField(
        child=serializers.DictField(), help_text="path of the file, and its keys that differ."
    )
    facts = serializers.ListField(child=serializers.DictField())
    tensors = serializers.DictField(help_text=f"counts by state, and changes of shape or type, at most {MOST_TENSORS}.")
    tokenizer = serializers.DictField(allow_null=True)
    texts = serializers.ListField(child=serializers.DictField(), help_text="Card and chat template, before and after.")
    evaluations = serializers.ListField(child=serializers.DictField())
    weights = WeightsOut(allow_null=True, help_text="null: nobody had it measured yet (POST …/compare/weights).")


class Compare(RegistryView):
    operations = {"get": "compare"}

    @extend_schema(
        summary="Compare two versions",
        description="Of one model or dataset, or of two: files, configuration, tensors, tokenizer, card, evaluations, weights.",
        parameters=SIDES,
        responses={200: VersionComparisonOut, 400: PROBLEMS[400], 404: PROBLEMS[404]},
    )
    def get(self, request: Request, kind: str, team: str, name: str) -> Response:
        _, before, after = pair(self.by, kind, f"{team}/{name}", _given(request))
        return Response(comparison_json(compare_versions(before, after, self.by)))


class CompareWeights(RegistryView):
    operations = {"post": "compare_weights"}

    @extend_schema(
        summary="Have it measured how far the weights moved",
        description="Once per pair of digests, in the background; ask the comparison for what is known. Asking twice is once.",
        parameters=SIDES,
        request=None,
        responses={202: WeightsOut, **PROBLEMS},
    )
    def post(self, request: Request, kind: str, team: str, name: str) -> Response:
        _, before, after = pair(self.by, kind, f"{team}/{name}", _given(request))
        row = actions.ask_weights(before=before, after=after, by=self.by)
        return Response(weights_json(row), status=202)


def _given(request: Request) -> dict[str, str]:
    return {side: request.query_params.get(side, "")[:400] for side in ("from", "to")}


def comparison_json(found: VersionComparison) -> dict[str, Any]:
    tokenizer = found.tokenizer
    return {
        "from": _side(found.before),
        "to": _side(found.after),
        "identical": found.identical,
        "hidden": found.hidden or None,
        "files": {
            "same": found.same_files,
            "more": found.more_files,
            "changes": [
                {"path": one.path, "state": one.state, "before": one.before, "after": one.after} for one in found.files
            ],
        },
        "configuration": [
            {"path": one.title, "hidden": one.hidden or None, "changes": _values(one.rows), "more": one.more}
            for one in found.configuration
        ],
        "facts": _values(found.facts),
        "tensors": {
            "counts": dict(found.tensors.counts),
            "more": found.more_tensors,
            "changes": [
                {"name": one.name, "state": one.state, "before": _tensor(one.before), "after": _tensor(one.after)}
                for one in found.listed_tensors
            ],
        },
        "tokenizer": {
            "before": {"kind": tokenizer.before_kind, "vocabulary": tokenizer.before_size},
            "after": {"kind": tokenizer.after_kind, "vocabulary": tokenizer.after_size},
            "added": {"count": tokenizer.added_count, "tokens": tokenizer.added},
            "removed": {"count": tokenizer.removed_count, "tokens": tokenizer.removed},
            "moved": tokenizer.moved_count,
            "special_added": tokenizer.special_added,
            "special_removed": tokenizer.special_removed,
            "template_changed": tokenizer.before_template != tokenizer.after_template,
            "not_compared": tokenizer.why_not or None,
        }
        if tokenizer
        else None,
        "texts": [{"title": one.title, "before": one.before, "after": one.after} for one in found.texts],
        "evaluations": [
            {
                "metric": row.name,
                "dataset": row.dataset,
                "before": row.before,
                "after": row.after,
                "verdict": row.verdict,
                "words": row.words,
            }
            for row in found.metrics
        ],
        "weights": weights_json(found.weights) if found.weights else None,
    }


def _side(version: Version) -> dict[str, Any]:
    return {"asset": str(version.asset), "number": version.number, "digest": version.digest or None}


def _values(rows: Any) -> list[dict[str, str]]:
    return [_value(row) for row in rows]


def _value(row: ValueChange) -> dict[str, str]:
    return {"key": row.path, "state": row.op, "before": row.before, "after": row.after}


def _tensor(tensor: Tensor | None) -> dict[str, Any] | None:
    return {"dtype": tensor.dtype, "shape": tensor.shape, "size": tensor.size} if tensor else None


def weights_json(row: WeightComparison) -> dict[str, Any]:
    lines = weights.unpack(row.tensors) if row.state == row.State.DONE else []
    lines.sort(key=lambda line: (line[1] is None, -(line[1] or 0.0)))
    return {
        "state": row.state,
        "done_bytes": row.done_bytes,
        "total_bytes": row.total_bytes,
        "error": row.error or None,
        "summary": row.summary,
        "tensors": [
            {"name": name, "relative": relative, "cosine": cosine, "largest": largest}
            for name, relative, cosine, largest in lines[:MOST_LINES]
        ],
    }
