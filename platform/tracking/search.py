"""Conditions and orders as SQL, and keyset pages in any order, of experiments, runs and logged models."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from django.db.models import (
    BooleanField,
    Case,
    Exists,
    F,
    Func,
    IntegerField,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.lookups import Exact, GreaterThan, GreaterThanOrEqual, IsNull, LessThan, LessThanOrEqual

from accounts.errors import Invalid
from tracking import grammar
from tracking.actions.runs import moment
from tracking.grammar import Condition, Order
from tracking.models import LatestMetric, LoggedModel, ModelMetric, Run, RunInput

M = TypeVar("M", bound=Model)
STATUS = {
    "queued": "SCHEDULED",
    "running": "RUNNING",
    "succeeded": "FINISHED",
    "failed": "FAILED",
    "cancelled": "KILLED",
}
_SIGNS = {"=": Exact, "<": LessThan, "<=": LessThanOrEqual, ">": GreaterThan, ">=": GreaterThanOrEqual}
_SUFFIX = {"=": "", "!=": "", "<": "__lt", "<=": "__lte", ">": "__gt", ">=": "__gte"}


@dataclass(frozen=True)
class Attribute:
    """A column that filters name. kind: text, time (milliseconds since 1970) or number."""

    column: Any
    kind: str = "text"


@dataclass(frozen=True)
class Vocabulary:
    """What the filters of one kind of thing may name."""

    attributes: Mapping[str, Attribute]
    aliases: Mapping[str, str] = field(default_factory=dict)
    params: str = ""  # the JSON column that holds them
    tags: str = "tags"
    metrics: type[Model] | None = None
    metric_link: str = ""
    datasets: bool = False


_STATUS_WORD = Case(
    *(When(state=ours, then=Value(theirs)) for ours, theirs in STATUS.items()), output_field=TextField()
)
_MODEL_STATUS = Case(
    When(status="pending", then=Value("LOGGED_MODEL_PENDING")),
    When(status="ready", then=Value("LOGGED_MODEL_READY")),
    default=Value("LOGGED_MODEL_UPLOAD_FAILED"),
    output_field=TextField(),
)
RUNS = Vocabulary(
    attributes={
        "run_id": Attribute(F("uuid")),
        "run_name": Attribute(F("name")),
        "status": Attribute(_STATUS_WORD),
        "user_id": Attribute(F("user_name")),
        "start_time": Attribute(F("began_at"), "time"),
        "end_time": Attribute(F("finished_at"), "time"),
        "artifact_uri": Attribute(Value("", output_field=TextField())),
        # Ours: runs of the native door have them.
        "step": Attribute(F("step"), "number"),
    },
    aliases={"created": "start_time", "Created": "start_time", "run name": "run_name", "Run name": "run_name", "Run Name": "run_name", "run_uuid": "run_id", "name": "run_name", "user": "user_id"},
    params="parameters",
    metrics=LatestMetric,
    metric_link="run",
    datasets=True,
)  # fmt: skip
EXPERIMENTS = Vocabulary(
    attributes={
        "name": Attribute(F("name")),
        "experiment_id": Attribute(
            Case(When(is_default=True, then=Value(0)), default=F("id"), output_field=IntegerField()), "number"
        ),
        "creation_time": Attribute(F("created_at"), "time"),
        "last_update_time": Attribute(F("updated_at"), "time"),
    }
)
LOGGED_MODELS = Vocabulary(
    attributes={
        "name": Attribute(F("name")),
        "model_id": Attribute(F("model_id")),
        "model_type": Attribute(F("model_type")),
        "status": Attribute(_MODEL_STATUS),
        "source_run_id": Attribute(F("source_run__uuid")),
        "creation_timestamp": Attribute(F("created_at"), "time"),
        "last_updated_timestamp": Attribute(F("updated_at"), "time"),
    },
    aliases={"creation_time": "creation_timestamp", "last_updated_time": "last_updated_timestamp"},
    params="params",
    metrics=ModelMetric,
    metric_link="model",
)


def narrow(rows: QuerySet[M], text: str, words: Vocabulary) -> QuerySet[M]:
    """The rows that a filter lets through."""
    for condition in grammar.read_filter(text):
        rows = rows.filter(_matches(condition, words))
    return rows


def _matches(condition: Condition, words: Vocabulary) -> Any:
    if condition.entity == "attribute":
        return _attribute(condition, words)
    if condition.entity == "metric" and words.metrics is not None:
        return _metric(condition, words)
    if condition.entity == "tag":
        return _text_of(condition, words.tags)
    if condition.entity == "param" and words.params:
        return _text_of(condition, words.params)
    if condition.entity == "dataset" and words.datasets:
        return _dataset(condition)
    raise Invalid("filter", f"Invalid entity type '{condition.entity}' in this filter.")


def _attribute(condition: Condition, words: Vocabulary) -> Any:
    key = words.aliases.get(condition.key, condition.key)
    grammar.one_of(key, words.attributes)
    found = words.attributes[key]
    if condition.sign in grammar.NULL_SIGNS:
        if not isinstance(found.column, F):
            raise _bad_sign(condition)
        return IsNull(found.column, condition.sign == "IS NULL")
    if found.kind == "text":
        value = condition.value
        if key == "status" and isinstance(value, str):
            value = STATUS.get(value.lower(), value)
        return _compare_text(found.column, Condition("attribute", key, condition.sign, value))
    if condition.sign in ("IN", "NOT IN") and isinstance(condition.value, tuple):
        among = Q(pk__in=[])
        for one in condition.value:
            among |= Q(_compare_number(found, Condition("attribute", key, "=", one)))
        return ~among if condition.sign == "NOT IN" else among
    return _compare_number(found, condition)


def _compare_number(found: Attribute, condition: Condition) -> Any:
    if condition.sign not in grammar.NUMBER_SIGNS:
        raise _bad_sign(condition)
    number = _number(condition)
    value: Any = number
    if found.kind == "time":
        value = moment(int(min(max(number, 0), 253_402_300_799_999)))
    if condition.sign == "!=":
        return ~Q(Exact(found.column, value))
    return _SIGNS[condition.sign](found.column, value)


def _metric(condition: Condition, words: Vocabulary) -> Any:
    assert words.metrics is not None
    rows = words.metrics._default_manager.filter(**{words.metric_link: OuterRef("pk"), "key": condition.key})
    if condition.sign in grammar.NULL_SIGNS:
        return ~Exists(rows) if condition.sign == "IS NULL" else Exists(rows)
    if condition.sign not in grammar.NUMBER_SIGNS:
        raise _bad_sign(condition)
    # PostgreSQL holds NaN for greater than every number: here it is like none.
    rows = rows.filter(value__lt=float("nan"))
    test = {f"value{_SUFFIX[condition.sign]}": _number(condition)}
    return Exists(rows.exclude(**test) if condition.sign == "!=" else rows.filter(**test))


def _text_of(condition: Condition, column: str) -> Any:
    if condition.sign in grammar.NULL_SIGNS:
        held = Q(**{f"{column}__has_key": condition.key})
        return ~held if condition.sign == "IS NULL" else held
    if condition.sign == "=" and column == "tags":
        return Q(tags__contains={condition.key: str(condition.value)})  # by the index
    return _compare_text(_member(column, condition.key), condition)


def _dataset(condition: Condition) -> Any:
    columns = {"name": F("name"), "digest": F("digest"), "context": _member("tags", "mlflow.data.context")}
    grammar.one_of(condition.key, columns)
    rows = RunInput.objects.filter(run=OuterRef("pk"))
    return Exists(rows.filter(_compare_text(columns[condition.key], condition)))


def _compare_text(column: Any, condition: Condition) -> Any:
    value = condition.value
    if condition.sign not in grammar.TEXT_SIGNS:
        raise _bad_sign(condition)
    values = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(one, str) for one in values):
        raise Invalid("filter", f"Expected a quoted string value for {condition.entity} '{condition.key}'.")
    if condition.sign in ("IN", "NOT IN"):
        among = Q(pk__in=[])
        for one in values:
            among |= Q(Exact(column, one))
        return ~among if condition.sign == "NOT IN" else among
    if condition.sign in ("LIKE", "ILIKE"):
        return Func(
            column,
            Value(value),
            template="(%(expressions)s)",
            arg_joiner=f" {condition.sign} ",
            output_field=BooleanField(),
        )
    return Func(
        column, Value(value), template="(%(expressions)s)", arg_joiner=" = " if condition.sign == "=" else " <> ",
        output_field=BooleanField(),
    )  # fmt: skip


def _member(column: str, key: str) -> Func:
    return Func(F(column), Value(key), function="jsonb_extract_path_text", output_field=TextField())


def _number(condition: Condition) -> float:
    value = condition.value
    try:
        return float(value)  # type: ignore[arg-type]  # what is no number is told so
    except (TypeError, ValueError):
        raise Invalid("filter", f"Expected a number for {condition.entity} '{condition.key}', not '{value}'.") from None


def _bad_sign(condition: Condition) -> Invalid:
    return Invalid("filter", f"Invalid comparator '{condition.sign}' for {condition.entity} '{condition.key}'.")


@dataclass(frozen=True)
class Column:
    """One column of an order. Rows without a value come last, whichever way."""

    expression: Any
    descending: bool
    kind: str = ""
    nullable: bool = True


RUN_END = (Column(F("began_at"), True, "time", nullable=False), Column(F("id"), True, nullable=False))
EXPERIMENT_END = (Column(F("id"), True, nullable=False),)
MODEL_END = (Column(F("created_at"), True, "time", nullable=False), Column(F("id"), True, nullable=False))


def columns_of(orders: Sequence[Order], words: Vocabulary) -> list[Column]:
    return [_column(order, words) for order in orders]


def _column(order: Order, words: Vocabulary) -> Column:
    if order.entity == "attribute":
        key = words.aliases.get(order.key, order.key)
        grammar.one_of(key, words.attributes, "order_by")
        found = words.attributes[key]
        return Column(found.column, order.descending, found.kind if found.kind == "time" else "")
    if order.entity == "metric" and words.metrics is not None:
        rows = words.metrics._default_manager.filter(**{words.metric_link: OuterRef("pk"), "key": order.key})
        return Column(Subquery(rows.order_by("-step", "-timestamp").values("value")[:1]), order.descending)
    if order.entity == "tag":
        return Column(_member(words.tags, order.key), order.descending)
    if order.entity == "param" and words.params:
        return Column(_member(words.params, order.key), order.descending)
    raise Invalid("order_by", f"Invalid entity type '{order.entity}' in this order.")


def ordered(rows: QuerySet[M], columns: Sequence[Column], token: str = "") -> QuerySet[M]:
    """The rows in this order (the last column unique), after those of the token's page; `sort0` and so on are its columns."""
    order: list[Any] = []
    for place, column in enumerate(columns):
        name = f"sort{place}"
        rows = rows.annotate(**{name: column.expression})
        if column.nullable:
            order.append(F(name).desc(nulls_last=True) if column.descending else F(name).asc(nulls_last=True))
        else:
            order.append(F(name).desc() if column.descending else F(name).asc())
    if token:
        rows = rows.filter(_after(columns, _read_token(token, columns)))
    return rows.order_by(*order)


def page(
    rows: QuerySet[M], columns: Sequence[Column], *, token: str = "", limit: int
) -> tuple[list[M], str]:  # fmt: skip
    """One page in this order, and the token of the next page ('' when this is the last)."""
    found = list(ordered(rows, columns, token)[: limit + 1])
    if len(found) <= limit:
        return found, ""
    found = found[:limit]
    return found, token_of([getattr(found[-1], f"sort{place}") for place in range(len(columns))])


def token_of(last: Sequence[Any]) -> str:
    """Of the page that ends with a row of these values."""
    text = json.dumps([value.timestamp() if isinstance(value, datetime) else value for value in last])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_token(token: str, columns: Sequence[Column]) -> list[Any]:
    try:
        values = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if not isinstance(values, list) or len(values) != len(columns):
            raise ValueError
        assert all(value is None or isinstance(value, str | int | float) for value in values)
        read = [
            datetime.fromtimestamp(value, UTC) if column.kind == "time" and value is not None else value
            for column, value in zip(columns, values, strict=True)
        ]
        assert all(value is not None or column.nullable for column, value in zip(columns, read, strict=True))
        if not isinstance(read[-1], int) or not -(2**63) <= read[-1] < 2**63:
            raise ValueError
    except (ValueError, TypeError, OverflowError, OSError, AssertionError, RecursionError):
        raise Invalid("page_token", "Invalid page token: it is none of this list. Leave it out to begin.") from None
    return read


def _after(columns: Sequence[Column], values: Sequence[Any]) -> Q:
    """Rows that come after these values: equal so far, then beyond in one column."""
    found = Q(pk__in=[])
    same = Q()
    for place, (column, value) in enumerate(zip(columns, values, strict=True)):
        name = f"sort{place}"
        if value is None:
            same &= Q(**{f"{name}__isnull": True})
            continue
        beyond = Q(**{f"{name}__{'lt' if column.descending else 'gt'}": value})
        if column.nullable:
            beyond |= Q(**{f"{name}__isnull": True})
        found |= same & beyond
        same &= Q(**{name: value})
    first = columns[0]
    if not first.nullable:  # a range of the index before anything else is looked at
        found &= Q(**{f"sort0__{'lte' if first.descending else 'gte'}": values[0]})
    return found


def run_columns(order: Sequence[str]) -> list[Column]:
    """MLflow's default last: the newest first."""
    return [*columns_of([grammar.read_order(one) for one in order if one.strip()], RUNS), *RUN_END]


def search_runs(
    rows: QuerySet[Run], *, text: str = "", order: Sequence[str] = (), token: str = "", limit: int = 100
) -> tuple[list[Run], str]:
    """Runs by filter and order."""
    return page(narrow(rows, text, RUNS), run_columns(order), token=token, limit=limit)


def search_models(
    rows: QuerySet[LoggedModel], *, text: str = "", order: Sequence[Order] = (), token: str = "", limit: int = 100
) -> tuple[list[LoggedModel], str]:
    columns = columns_of(order, LOGGED_MODELS)
    return page(narrow(rows, text, LOGGED_MODELS), [*columns, *MODEL_END], token=token, limit=limit)
