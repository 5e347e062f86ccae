"""The filter and order language that MLflow's users know: ``metrics.acc > 0.9 AND params.`lr` = '0.1' AND tags.team LIKE 'a%'``.

It reads text into conditions; `tracking.search` turns them into SQL. Conditions are joined by AND, there is no OR.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from accounts.errors import Invalid

LONGEST = 10_000
_ENTITIES = {
    **dict.fromkeys(("metric", "metrics"), "metric"),
    **dict.fromkeys(("parameter", "parameters", "param", "params"), "param"),
    **dict.fromkeys(("tag", "tags"), "tag"),
    **dict.fromkeys(("attribute", "attributes", "attr", "run"), "attribute"),
    **dict.fromkeys(("dataset", "datasets"), "dataset"),
}
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
    | (?P<name>(?:`[^`]+`|[A-Za-z_][\w\-/]*)(?:\.(?:`[^`]+`|"[^"]+"|[\w\-/ ]*[\w\-/]|[\w\-/.]+))*)
    | (?P<sign><=|>=|!=|=|<|>)
    | (?P<mark>[(),])
    )""",
    re.X,
)
_NAME = re.compile(r"(?P<entity>[A-Za-z_]+)\.(?P<key>.+)", re.S)
_WORDS = frozenset({"AND", "IN", "NOT", "IS", "NULL", "LIKE", "ILIKE", "ASC", "DESC"})
TEXT_SIGNS = frozenset({"=", "!=", "LIKE", "ILIKE", "IN", "NOT IN"})
NUMBER_SIGNS = frozenset({"=", "!=", "<", "<=", ">", ">="})
NULL_SIGNS = frozenset({"IS NULL", "IS NOT NULL"})
Value = str | float | tuple[str | float, ...] | None


@dataclass(frozen=True)
class Condition:
    """`entity`: attribute, metric, param, tag or dataset. `value`: None for IS [NOT] NULL."""

    entity: str
    key: str
    sign: str
    value: Value


@dataclass(frozen=True)
class Order:
    entity: str
    key: str
    descending: bool


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def read_filter(text: str) -> list[Condition]:
    """The conditions of a filter; none for an empty one. Invalid says what is wrong and where."""
    tokens = list(_tokens(text, "filter"))
    found: list[Condition] = []
    place = 0
    while place < len(tokens):
        if found:
            if tokens[place].text.upper() != "AND":
                raise _wrong(f"expected AND before '{tokens[place].text}'; conditions are joined by AND alone")
            place += 1
        condition, place = _condition(tokens, place)
        found.append(condition)
    return found


def read_order(text: str) -> Order:
    """One part of an order: a name, then ASC or DESC or neither."""
    text = text.strip()
    match = re.fullmatch(r"(?P<name>.+?)(?:\s+(?P<way>asc|desc))?", text, re.S | re.I)
    if match is None or len(text) > LONGEST:
        raise Invalid("order_by", f"Invalid order_by clause '{text[:100]}'. Use a name, then ASC or DESC.")
    name = match["name"].strip()
    if re.search(r"\s", re.sub(r"`[^`]*`|\"[^\"]*\"", "", name)) and name.lower() not in ("run name",):
        raise Invalid("order_by", f"Invalid order_by clause '{text[:100]}'. Use a name, then ASC or DESC.")
    entity, key = _split(name, "order_by")
    return Order(entity, key, (match["way"] or "").lower() == "desc")


def quoted(key: str) -> str:
    """A key as it stands in a filter."""
    return key if re.fullmatch(r"[A-Za-z_]\w*", key) else f"`{key}`"


def _tokens(text: str, field: str) -> Iterator[_Token]:
    if len(text) > LONGEST:
        raise Invalid(field, f"Use at most {LONGEST} characters.")
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            raise _wrong(f"can't read it from '{text[place : place + 30].strip()}' on")
        kind = match.lastgroup or ""
        found = match[kind]
        if kind == "name":
            # A word of the language ends a name: `tags.a LIKE` is a name, then LIKE.
            words = re.split(r"\s+", re.sub(r"`[^`]*`|\"[^\"]*\"", lambda quoted: "_" * len(quoted[0]), found))
            if len(words) > 1:
                found = found[: len(words[0])]
            place = match.start(kind) + len(found)
        else:
            place = match.end()
        yield _Token(kind, found)


def _condition(tokens: list[_Token], place: int) -> tuple[Condition, int]:
    if tokens[place : place + 1] == [] or tokens[place].kind != "name" or tokens[place].text.upper() in _WORDS:
        raise _wrong("a condition begins with a name such as metrics.accuracy")
    entity, key = _split(tokens[place].text, "filter")
    rest = [token.text.upper() if token.kind in ("name", "sign") else "" for token in tokens[place + 1 : place + 4]]
    if rest[:3] == ["IS", "NOT", "NULL"]:
        return Condition(entity, key, "IS NOT NULL", None), place + 4
    if rest[:2] == ["IS", "NULL"]:
        return Condition(entity, key, "IS NULL", None), place + 3
    if rest[:2] == ["NOT", "IN"]:
        values, after = _list(tokens, place + 3)
        return Condition(entity, key, "NOT IN", values), after
    if rest[:1] == ["IN"]:
        values, after = _list(tokens, place + 2)
        return Condition(entity, key, "IN", values), after
    sign = rest[0] if rest else ""
    if sign not in TEXT_SIGNS | NUMBER_SIGNS:
        raise _wrong(f"after '{tokens[place].text}' comes one of = != < <= > >= LIKE ILIKE IN, NOT IN, IS NULL")
    if len(tokens) <= place + 2:
        raise _wrong(f"'{tokens[place].text} {sign}' lacks its value")
    return Condition(entity, key, sign, _value(tokens[place + 2])), place + 3


def _list(tokens: list[_Token], place: int) -> tuple[tuple[str | float, ...], int]:
    if len(tokens) <= place or tokens[place].text != "(":
        raise _wrong("IN takes a list in parentheses")
    values: list[str | float] = []
    for at in range(place + 1, len(tokens)):
        token = tokens[at]
        if token.kind == "mark" and token.text == ")":
            if not values:
                raise _wrong("the list of IN is empty")
            return tuple(values), at + 1
        if token.kind == "mark" and token.text == ",":
            continue
        values.append(_value(token))
    raise _wrong("the list of IN is not closed")


def _value(token: _Token) -> str | float:
    if token.kind == "text":
        quote = token.text[0]
        return token.text[1:-1].replace(quote * 2, quote)
    if token.kind == "number":
        return float(token.text)
    raise _wrong(f"'{token.text}' is no value: texts stand in single quotes")


def _split(name: str, field: str) -> tuple[str, str]:
    """Entity and key: 'tags.`a b`' -> tag, 'a b'; a name alone is an attribute."""
    match = _NAME.fullmatch(name)
    if match is None:
        return "attribute", _bare(name)
    entity = _ENTITIES.get(match["entity"].lower())
    if entity is None:
        raise Invalid(
            field,
            f"Invalid entity type '{match['entity']}'. Use metrics.…, params.…, tags.…, attributes.… or datasets.…",
        )
    return entity, _bare(match["key"])


def _bare(key: str) -> str:
    return key[1:-1] if len(key) > 1 and key[0] == key[-1] and key[0] in '`"' else key


def _wrong(text: str) -> Invalid:
    return Invalid("filter", f"Invalid filter: {text}.")


def one_of(key: str, known: Mapping[str, object], field: str = "filter") -> None:
    if key not in known:
        raise Invalid(field, f"Invalid attribute key '{key}' specified. Valid keys are {', '.join(sorted(known))}.")
