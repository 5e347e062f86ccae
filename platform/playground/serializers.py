"""The shapes of the playground's REST API."""

from typing import Any

from rest_framework import serializers

from playground.models import Cell, CellRating, KeptExample, PlaygroundRow, PlaygroundRun
from playground.reads import ColumnStats
from serving.prices import plain


class ColumnIn(serializers.Serializer[Any]):
    label = serializers.CharField(required=False, allow_blank=True, help_text="What the column is called.")  # type: ignore[assignment]
    prompt = serializers.CharField(
        required=False,
        help_text="A prompt of the team, 'team/name'; or give content, or both: a text of it that is no version.",
    )
    version = serializers.JSONField(
        required=False, help_text="Its version's number, a label, 'latest' (without it) or 'draft': the caller's own."
    )
    content = serializers.DictField(
        required=False, help_text='A version\'s fields in its place: {"type": "text", "template": "…"}.'
    )
    model = serializers.CharField(
        required=False, help_text="A deployment that the gateway serves, 'team/name'; without it the prompt's own."
    )
    parameters = serializers.DictField(required=False, help_text="Over the prompt's own: temperature, max_tokens, …")


class PlaygroundRunIn(serializers.Serializer[Any]):
    team = serializers.CharField()
    name = serializers.CharField(required=False, allow_blank=True, default="")
    columns = ColumnIn(many=True, help_text="At most 8.")
    rows = serializers.ListField(
        child=serializers.DictField(), required=False, help_text="Values by variable; or give a dataset."
    )
    dataset = serializers.CharField(required=False, help_text="A dataset of the team, 'team/name'.")
    dataset_version = serializers.IntegerField(required=False, min_value=1, help_text="Without it the newest.")
    mapping = serializers.DictField(
        child=serializers.CharField(), required=False, help_text="The dataset's field by variable, where names differ."
    )
    expected_field = serializers.CharField(required=False, help_text="The dataset's field with the expected answer.")
    limit = serializers.IntegerField(required=False, min_value=1, help_text="Only so many first rows.")
    repeats = serializers.IntegerField(required=False, default=1, help_text="How often each cell is asked, 1 to 20.")


class ColumnOut(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]
    prompt = serializers.CharField(help_text="Empty for content that was given.")
    version = serializers.IntegerField(allow_null=True)
    digest = serializers.CharField(help_text="Of what the prompt said.")
    model = serializers.CharField()
    parameters = serializers.DictField()
    done = serializers.IntegerField()
    failed = serializers.IntegerField()
    latency_ms = serializers.FloatField(allow_null=True, help_text="Mean.")
    p95_ms = serializers.FloatField(allow_null=True)
    first_token_ms = serializers.FloatField(allow_null=True, help_text="Mean.")
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    cost = serializers.ListField(child=serializers.CharField(), help_text="'0.0012 USD'; empty where no price is set.")
    agreement = serializers.FloatField(
        allow_null=True, help_text="The share of repeats that say what most of them say, 0 to 1."
    )
    matching = serializers.FloatField(allow_null=True, help_text="The share that is as expected.")
    fitting = serializers.FloatField(allow_null=True, help_text="The share in the response format.")


class PlaygroundRunOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    team = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=PlaygroundRun.State.values)
    message = serializers.CharField()
    total = serializers.IntegerField(help_text="Cells: columns times rows times repeats, and later turns.")
    done = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]
    rows = serializers.IntegerField()
    repeats = serializers.IntegerField()
    dataset_version = serializers.CharField(allow_null=True)
    columns = ColumnOut(many=True)
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    finished_at = serializers.DateTimeField(allow_null=True)
    url = serializers.CharField()


class PlaygroundRunLine(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    team = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=PlaygroundRun.State.values)
    total = serializers.IntegerField()
    done = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    url = serializers.CharField()


class CellOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    row = serializers.IntegerField(help_text="From 0.")
    column = serializers.IntegerField(help_text="From 0.")
    repeat = serializers.IntegerField(help_text="From 0.")
    turn = serializers.IntegerField(help_text="Of the conversation, from 0.")
    state = serializers.ChoiceField(choices=Cell.State.values)
    values = serializers.DictField(help_text="The row's values by variable.")
    expected = serializers.CharField(allow_null=True)
    output = serializers.CharField()
    tool_calls = serializers.ListField(child=serializers.DictField())
    finish_reason = serializers.CharField()
    error = serializers.CharField()
    error_code = serializers.CharField()
    fits = serializers.BooleanField(allow_null=True, help_text="Whether it is in the response format.")
    problem = serializers.CharField(help_text="What it lacks of the format.")
    matches = serializers.BooleanField(allow_null=True, help_text="Whether it is as expected.")
    latency_ms = serializers.FloatField(allow_null=True)
    first_token_ms = serializers.FloatField(allow_null=True)
    prompt_tokens = serializers.IntegerField(allow_null=True)
    completion_tokens = serializers.IntegerField(allow_null=True)
    cost = serializers.CharField(allow_null=True, help_text="A decimal number as text.")
    currency = serializers.CharField()
    digest = serializers.CharField(help_text="Of the rendered request: the same digest, the same question.")


class RatingOut(serializers.Serializer[Any]):
    by = serializers.CharField()
    good = serializers.BooleanField()
    comment = serializers.CharField()
    at = serializers.DateTimeField()


class KeptOut(serializers.Serializer[Any]):
    dataset = serializers.CharField()
    version = serializers.IntegerField(help_text="The dataset's, that the row came with.")
    digest = serializers.CharField()
    row = serializers.DictField()
    by = serializers.CharField()
    at = serializers.DateTimeField()


class CellDetailOut(CellOut):
    run = serializers.IntegerField()
    messages = serializers.ListField(child=serializers.DictField(), help_text="What was sent.")
    withheld = serializers.BooleanField(
        help_text="`messages` is empty: text of a prompt that the caller doesn't see is in them."
    )
    ratings = RatingOut(many=True)
    kept = KeptOut(many=True)
    url = serializers.CharField()


class RatingIn(serializers.Serializer[Any]):
    good = serializers.BooleanField()
    comment = serializers.CharField(required=False, allow_blank=True, default="")


class KeepIn(serializers.Serializer[Any]):
    dataset = serializers.CharField(help_text="A dataset of the run's team, 'team/name'.")
    row = serializers.DictField(required=False, help_text="The row, where it shall be another than the cell's own.")


class TestIn(serializers.Serializer[Any]):
    __test__ = False
    kind = serializers.ChoiceField(choices=["equals", "contains"], default="equals")
    expected = serializers.CharField(required=False, trim_whitespace=False)


class ContinueIn(serializers.Serializer[Any]):
    said = serializers.CharField(required=False, allow_blank=True, default="", trim_whitespace=False)
    results = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        default=dict,
        help_text="What each tool answered, by the call's id.",
    )


_LINE = ("name", "state", "total", "done", "errors", "created_at")


def run_line(run: PlaygroundRun) -> dict[str, Any]:
    return {
        "id": run.pk,
        "team": run.team.name,
        **{field: getattr(run, field) for field in _LINE},
        "created_by": run.created_by.email,
        "url": run.get_absolute_url(),
    }


def run_json(run: PlaygroundRun, stats: list[ColumnStats]) -> dict[str, Any]:
    return {
        **run_line(run),
        "message": run.message,
        "rows": run.rows,
        "repeats": run.repeats,
        "dataset_version": str(run.dataset_version) if run.dataset_version else None,
        "finished_at": run.finished_at,
        "columns": [
            {
                **{name: column[name] for name in ("label", "prompt", "version", "digest", "model", "parameters")},
                "done": one.done, "failed": one.failed, "latency_ms": one.latency_ms, "p95_ms": one.p95_ms,
                "first_token_ms": one.first_token_ms, "prompt_tokens": one.prompt_tokens,
                "completion_tokens": one.completion_tokens, "cost": one.costs, "agreement": one.agreement,
                "matching": one.matching, "fitting": one.fitting,
            }
            for column, one in zip(run.columns, stats, strict=True)
        ],
    }  # fmt: skip


_CELL = (
    "row", "column", "repeat", "turn", "state", "output", "tool_calls", "finish_reason", "error", "error_code", "fits",
    "problem", "matches", "latency_ms", "first_token_ms", "prompt_tokens", "completion_tokens", "currency", "digest",
)  # fmt: skip


def cell_json(cell: Cell, row: PlaygroundRow | None) -> dict[str, Any]:
    return {
        "id": cell.pk,
        **{name: getattr(cell, name) for name in _CELL},
        "values": row.values if row else {},
        "expected": row.expected if row else None,
        "cost": None if cell.cost is None else plain(cell.cost),
    }


def kept_json(kept: KeptExample) -> dict[str, Any]:
    return {
        "dataset": str(kept.version.asset),
        "version": kept.version.number,
        "digest": kept.version.digest,
        "row": kept.row,
        "by": kept.by.email,
        "at": kept.at,
    }


def cell_detail_json(
    cell: Cell, row: PlaygroundRow, ratings: list[CellRating], kept: list[KeptExample]
) -> dict[str, Any]:
    return {
        **cell_json(cell, row),
        "run": cell.run_id,
        "messages": cell.messages,
        "withheld": cell.withheld,
        "ratings": [{"by": one.by.email, "good": one.good, "comment": one.comment, "at": one.at} for one in ratings],
        "kept": [kept_json(one) for one in kept],
        "url": cell.get_absolute_url(),
    }
