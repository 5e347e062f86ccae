"""MLflow's search grammar as SQL: comparisons joined by AND, orders, and pages by keyset. Values are parameters, always."""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from doors.mlflow.base import MlflowError, invalid
from doors.mlflow.entities import IS_PROMPT

INDEXED = 200  # so much of a tag's value is in the index (registry.models.tags)
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*")
    |(?P<number>-?[0-9]{1,18}(?:\.[0-9]{1,18})?(?![\w.]))
    |(?P<name>(?:[A-Za-z_][\w-]*\s*\.\s*)?(?:`[^`]*`|"[^"]*")|[A-Za-z_][\w.\-/]*)
    |(?P<sign>!=|<>|<=|>=|=|<|>)
    |(?P<mark>[(),])
    )""",
    re.VERBOSE,
)
_TEXT_SIGNS = {"=", "!=", "LIKE", "ILIKE"}
_NUMBER_SIGNS = {"=", "!=", "<", "<=", ">", ">="}


@dataclass(frozen=True)
class Clause:
    """One comparison. kind: 'attribute' or 'tag'."""

    kind: str
    key: str
    sign: str
    value: str | float | list[str]


@dataclass(frozen=True)
class Grammar:
    """What may be asked of one kind of thing. `columns`: the SQL of its attributes; `owner`: of its tags."""

    columns: dict[str, str]
    numbers: frozenset[str]
    lists: frozenset[str]
    orders: dict[str, str]
    tags: str
    owner: str
    id: str


MODELS = Grammar(
    columns={"name": "a.name"},
    numbers=frozenset(),
    lists=frozenset({"name"}),
    orders={
        "name": "a.name", "creation_timestamp": "a.created_at", "last_updated_timestamp": "a.updated_at",
        "timestamp": "a.updated_at",
    },
    tags="registry_assettag",
    owner="asset_id",
    id="a.id",
)  # fmt: skip
VERSIONS = Grammar(
    columns={
        "name": "a.name",
        "version_number": "v.number",
        "run_id": "v.facts #>> '{mlflow,run_id}'",
        "source_path": "coalesce(nullif(v.source, ''), 'mlflow-artifacts:/models/' || %(team)s || '/' || a.name || '/' || v.number)",
    },
    numbers=frozenset({"version_number"}),
    lists=frozenset({"name", "run_id"}),
    orders={
        "name": "a.name", "version_number": "v.number", "creation_timestamp": "v.created_at",
        "last_updated_timestamp": "v.updated_at", "timestamp": "v.updated_at",
    },
    tags="registry_versiontag",
    owner="version_id",
    id="v.id",
)  # fmt: skip


@dataclass
class Where:
    """Conditions under construction, with the values of their parameters."""

    conditions: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def add(self, condition: str) -> None:
        self.conditions.append(condition)

    def value(self, value: Any) -> str:
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"%({name})s"


def parse(text: str, grammar: Grammar) -> list[Clause]:
    """The comparisons of a filter; INVALID_PARAMETER_VALUE says what is wrong with it."""
    tokens = _tokens(text)
    found: list[Clause] = []
    place = 0
    while place < len(tokens):
        if found:
            if tokens[place] != ("name", "AND") and tokens[place][1].upper() != "AND":
                raise invalid(f"Invalid clause(s) in filter string: {tokens[place][1]}. Join comparisons by AND.")
            place += 1
        clause, place = _comparison(tokens, place, text, grammar)
        found.append(clause)
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place, text = 0, text.strip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None or match.end() == place:
            raise invalid(f"Invalid clause(s) in filter string: {text[place : place + 60]}")
        found.append((str(match.lastgroup), match.group(str(match.lastgroup))))
        place = match.end()
        while place < len(text) and text[place].isspace():
            place += 1
    return found


def _comparison(tokens: Sequence[tuple[str, str]], place: int, text: str, grammar: Grammar) -> tuple[Clause, int]:
    def take(index: int) -> tuple[str, str]:
        return tokens[index] if index < len(tokens) else ("end", "")

    kind, name = take(place)
    if kind == "quoted" and name.startswith('"'):
        kind = "name"
    if kind != "name":
        raise invalid(f"Invalid clause(s) in filter string: {name or text}")
    sign_kind, sign = take(place + 1)
    sign = sign.upper()
    place += 2
    if sign_kind == "name" and sign == "NOT" and take(place)[1].upper() == "IN":
        sign, place = "NOT IN", place + 1
    elif sign == "IS":
        raise invalid("IS NULL / IS NOT NULL is not supported for search of the model registry.")
    elif not (sign_kind == "sign" or sign in ("LIKE", "ILIKE", "IN")):
        raise invalid(f"Invalid clause(s) in filter string: {text[:200]}")
    sign = "!=" if sign == "<>" else sign
    of, key = _identifier(name, grammar)
    value, place = _value(tokens, place, of, key, grammar)
    return _checked(Clause(of, key, sign, value), grammar), place


def _identifier(name: str, grammar: Grammar) -> tuple[str, str]:
    entity, dot, key = name.partition(".") if not name.startswith(("`", '"')) else ("", "", name)
    of, key = (entity.strip(), key.strip()) if dot else ("attribute", name)
    if of not in ("attribute", "attributes", "tag", "tags"):
        raise invalid(f"Invalid entity type '{of}'. Valid entity types are ('attribute', 'tag', 'tags')")
    key = key[1:-1] if len(key) > 1 and key[0] in '`"' and key[-1] == key[0] else key
    if of.startswith("attribute") and key not in grammar.columns:
        raise invalid(f"Invalid attribute key '{key}' specified. Valid keys are '{set(grammar.columns)}'")
    return of.rstrip("s"), key


def _value(
    tokens: Sequence[tuple[str, str]], place: int, of: str, key: str, grammar: Grammar
) -> tuple[str | float | list[str], int]:
    kind, text = tokens[place] if place < len(tokens) else ("end", "")
    if kind == "quoted":
        return _unquoted(text), place + 1
    if kind == "number" and of == "attribute" and key in grammar.numbers:
        return (float(text) if "." in text else int(text)), place + 1
    if text == "(" and of == "attribute":
        if key not in grammar.lists:
            raise invalid(
                f"Only {sorted(grammar.lists)} attributes support comparison with a list of quoted string values."
            )
        return _list(tokens, place + 1)
    if of == "tag":
        raise invalid(f"Expected a quoted string value for tag (e.g. 'my-value'). Got value {text}")
    raise invalid(f"Expected a quoted string value or a list of quoted string values for attributes. Got value {text}")


def _list(tokens: Sequence[tuple[str, str]], place: int) -> tuple[list[str], int]:
    found: list[str] = []
    while place < len(tokens):
        kind, text = tokens[place]
        if kind == "quoted":
            found.append(_unquoted(text))
        elif text == ")" and found:
            return found, place + 1
        elif text != ",":
            break
        place += 1
    raise invalid("While parsing a list in the query, expected a non-empty list of quoted string values.")


def _unquoted(text: str) -> str:
    return text[1:-1].replace(text[0] * 2, text[0])


def _checked(clause: Clause, grammar: Grammar) -> Clause:
    """The clause, if its sign goes with its key and value."""
    if clause.kind == "tag":
        if clause.sign not in _TEXT_SIGNS:
            raise invalid(f"Invalid comparator for tag: {clause.sign}")
        return clause
    if clause.key in grammar.numbers:
        if clause.sign not in _NUMBER_SIGNS:
            raise invalid(f"Invalid comparator for attribute {clause.key}: {clause.sign}")
        try:
            if isinstance(clause.value, float):
                raise ValueError
            number = int(clause.value)  # type: ignore[arg-type]  # a list is no number either
        except (TypeError, ValueError):
            raise invalid(f"Invalid value for numeric attribute '{clause.key}': {clause.value!r}") from None
        return Clause(clause.kind, clause.key, clause.sign, max(min(number, 2**62), -(2**62)))
    wants_list = clause.sign in ("IN", "NOT IN")
    if clause.sign not in _TEXT_SIGNS and not (wants_list and clause.key in grammar.lists):
        raise invalid(f"Invalid comparator for attribute: {clause.sign}")
    if wants_list != isinstance(clause.value, list):
        raise invalid(f"'{clause.sign}' and the value of '{clause.key}' don't go together: IN takes a list.")
    return clause


def narrow(where: Where, clauses: Sequence[Clause], grammar: Grammar) -> None:
    """Add the clauses to the conditions."""
    for clause in clauses:
        if clause.kind == "tag":
            where.add(_tag(where, clause, grammar))
        elif clause.key in grammar.numbers:
            where.add(f"{grammar.columns[clause.key]} {clause.sign} {where.value(clause.value)}::bigint")
        else:
            where.add(_attribute(where, clause, grammar))


def _attribute(where: Where, clause: Clause, grammar: Grammar) -> str:
    column = grammar.columns[clause.key]
    if isinstance(clause.value, list):
        condition = f"{column} {'=' if clause.sign == 'IN' else '<>'} {'ANY' if clause.sign == 'IN' else 'ALL'}({where.value(clause.value)}::text[])"
    else:
        condition = f"{column} {like_safe(clause)} {where.value(clause.value)}"
    if clause.key != "run_id":
        return condition
    # Two indexes: one of those that name a run, one of those that came from a run of ours.
    ours = condition.replace(column, "r.uuid", 1)
    if clause.sign in ("=", "IN"):
        made = f"v.source_run_id = ANY(ARRAY(SELECT r.id FROM tracking_run r WHERE {ours}))"  # noqa: S608  SQL of ours
    else:
        made = f"EXISTS (SELECT 1 FROM tracking_run r WHERE r.id = v.source_run_id AND {ours})"  # noqa: S608
    return f"(v.facts #> '{{mlflow,run_id}}' IS NOT NULL AND {condition} OR v.facts #> '{{mlflow,run_id}}' IS NULL AND {made})"


def _tag(where: Where, clause: Clause, grammar: Grammar) -> str:
    rows = (
        f"SELECT 1 FROM {grammar.tags} t WHERE t.{grammar.owner} = {grammar.id} AND t.key = {where.value(clause.key)}"  # noqa: S608
    )
    value = str(clause.value)
    if clause.key == IS_PROMPT and (clause.sign, value) in (("!=", "true"), ("=", "false")):
        # What lacks the tag is no prompt.
        return f"NOT EXISTS ({rows} AND t.value = 'true')"
    if clause.sign == "=":
        beginning = f"left(t.value, {INDEXED}) = {where.value(value[:INDEXED])}"
        whole = f" AND t.value = {where.value(value)}" if len(value) >= INDEXED else ""
        return f"EXISTS ({rows} AND {beginning}{whole})"
    return f"EXISTS ({rows} AND t.value {like_safe(clause)} {where.value(value)})"


def like_safe(clause: Clause) -> str:
    """The sign, where it is LIKE for a pattern that PostgreSQL takes."""
    pattern = str(clause.value)
    if clause.sign in ("LIKE", "ILIKE") and (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise invalid("A pattern can't end with a single backslash.")
    return clause.sign


@dataclass(frozen=True)
class Order:
    """Columns to order by, the last of them telling all rows apart."""

    columns: tuple[tuple[str, bool], ...]  # SQL, ascending?

    @property
    def sql(self) -> str:
        return ", ".join(f"{column}{'' if ascending else ' DESC'}" for column, ascending in self.columns)

    @property
    def keys(self) -> str:
        return ", ".join(f"{column}::text" for column, _ in self.columns)

    def after(self, where: Where, values: Sequence[str]) -> None:
        """What comes after a row of these values: one comparison of rows where all columns go one way."""
        casts = {"v.number": "int", "a.id": "bigint"}
        given = [
            f"{where.value(value)}::{casts.get(column, 'timestamptz' if column.endswith('_at') else 'text')}"
            for (column, _), value in zip(self.columns, values, strict=True)
        ]
        if len({ascending for _, ascending in self.columns}) == 1:
            sign = ">" if self.columns[0][1] else "<"
            where.add(f"({', '.join(column for column, _ in self.columns)}) {sign} ({', '.join(given)})")
            return
        ways = []
        for index, (column, ascending) in enumerate(self.columns):
            same = [f"{other} = {value}" for (other, _), value in zip(self.columns[:index], given, strict=False)]
            ways.append(" AND ".join([*same, f"{column} {'>' if ascending else '<'} {given[index]}"]))
        where.add("(" + " OR ".join(f"({way})" for way in ways) + ")")


def order(texts: Sequence[str], grammar: Grammar, default: Sequence[tuple[str, bool]]) -> Order:
    """`["name DESC", "timestamp"]` as an order; what it leaves open is settled by the default's columns."""
    found: list[tuple[str, bool]] = []
    for text in texts:
        match = re.fullmatch(r"\s*(?:attributes?\.)?[`\"]?([A-Za-z_]+)[`\"]?(?:\s+(asc|desc))?\s*", text, re.IGNORECASE)
        if match is None:
            raise invalid(f"Invalid order_by clause '{text}'. Could not be parsed.")
        key, way = match.groups()
        if key not in grammar.orders:
            raise invalid(f"Invalid order by key '{key}' specified. Valid keys are '{set(grammar.orders)}'")
        column = grammar.orders[key]
        if any(column == other for other, _ in found):
            raise invalid(f"`order_by` contains duplicate fields: {list(texts)}")
        found.append((column, (way or "asc").lower() == "asc"))
    given = {column for column, _ in found}
    return Order((*found, *((column, way) for column, way in default if column not in given)))


def models_order(texts: Sequence[str]) -> Order:
    """Of registered models: by name unless something else is asked for."""
    return order(texts, MODELS, [("a.name", True)])


def models_asked(text: str, orders: Sequence[str]) -> str:
    """What a page token of this search of models is good for."""
    return f"models {text} {list(orders)}"


def version_order(texts: Sequence[str]) -> Order:
    """Of model versions: the last changed first unless something else is asked for."""
    return order(texts or ["last_updated_timestamp DESC"], VERSIONS, [("a.name", True), ("v.number", False)])


def versions_asked(text: str, orders: Sequence[str]) -> str:
    """What a page token of this search of versions is good for."""
    return f"versions {text} {list(orders)}"


def limit(asked: int, most: int) -> int:
    """max_results, checked."""
    if asked < 1:
        raise invalid(f"Invalid value for max_results. It must be a positive integer, but got {asked}")
    if asked > most:
        raise invalid(
            f"Invalid value for request parameter max_results. It must be at most {most}, but got value {asked}"
        )
    return asked


def write_token(values: Sequence[str], of: str) -> str:
    """A page token: where the page ended, and of which search."""
    content = json.dumps({"after": list(values), "of": _mark(of)}, ensure_ascii=False)
    return base64.urlsafe_b64encode(content.encode()).decode()


def read_token(token: str, length: int, of: str) -> list[str]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token.encode()))
        values = content["after"]
        if content["of"] != _mark(of) or len(values) != length or not all(isinstance(v, str) for v in values):
            raise ValueError
        if any("\0" in value for value in values):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise MlflowError(
            "INVALID_PARAMETER_VALUE", "Invalid page token: leave it out to begin at the first page of this search."
        ) from None
    return [str(value) for value in values]


def _mark(of: str) -> str:
    return hashlib.sha256(of.encode()).hexdigest()[:12]
