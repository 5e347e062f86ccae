"""The policy editor: what stands in its inputs, as the JSON that governance.rules parses, and back. Adding, removing and moving lines
are buttons of the form, so that all of it works without JavaScript."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from accounts.models import CustomRole, Group, Team
from accounts.numbers import whole
from accounts.roles import Role
from governance.actions.policies import KINDS, STAGELESS
from governance.rules import Rules, Terms
from governance.rules.sense import CHECKS_OF_KIND
from governance.stages import Stage

MAX_LINES = 50
CHECK_NAMES = {
    "metric": "Metric",
    "card": "Card",
    "scan": "Scan",
    "licence": "Licence",
    "lineage": "Lineage",
    "prompt_tests": "Tests",
}
BOUNDS = [("lower", "the lower bound (95 %) of"), ("value", "the value of"), ("upper", "the upper bound (95 %) of")]
DEMANDS = [
    ("min", "is at least"),
    ("max", "is at most"),
    ("between", "is between"),
    ("higher", "beats production (higher is better) by"),
    ("lower", "beats production (lower is better) by"),
]
METRICS = ("exact_match", "character_error_rate", "latency_p50_ms", "latency_p95_ms", "tokens_per_second")
_CHECK = re.compile(r"check-(\d{1,3})-([a-z_0-9]+)")
_STEP = re.compile(r"step-(\d{1,3})-([a-z_]+)")
_TERMS = ("open_days", "shelf_life_days", "escalate_after_h", "escalate_to", "review_glass_within_h")
Row = dict[str, str]


@dataclass
class Editor:
    """The inputs as they stand, as texts. `errors` as InvalidRules names them, by field."""

    kind: str = "model"
    pattern: str = "*"
    stage: str = Stage.PRODUCTION.value
    checks: list[Row] = field(default_factory=list)
    steps: list[Row] = field(default_factory=lambda: [{"count": "1", "party": "role:reviewer"}])
    ordered: bool = False
    terms: Row = field(default_factory=lambda: terms_row(Terms()))
    break_glass: bool = True
    unsafe_files: bool = False
    reason: str = ""
    errors: dict[str, list[str]] = field(default_factory=dict)

    @property
    def rules_json(self) -> dict[str, Any]:
        """What governance.rules parses; texts that are no numbers stay texts, so that it names them."""
        steps = []
        for row in self.steps:
            what, _, slug = row.get("party", "").partition(":")
            steps.append({"count": _number(row.get("count", "")), "group" if what == "group" else "role": slug})
        terms: dict[str, Any] = {
            name: value if name == "escalate_to" else _number(value) for name, value in self.terms.items() if value
        }
        return {
            "checks": [_check_json(row) for row in self.checks],
            "reviews": {"steps": steps, "ordered": self.ordered},
            "terms": terms
            | {"break_glass": self.break_glass}
            | ({"unsafe_files": "allowed"} if self.unsafe_files else {}),
        }

    @property
    def scope(self) -> dict[str, Any]:
        return {"kind": self.kind, "pattern": self.pattern, "stage": "" if self.kind in STAGELESS else self.stage}

    @property
    def numbered_checks(self) -> list[dict[str, Any]]:
        """Rows with their errors, for the page."""
        return [
            {"row": row, "name": CHECK_NAMES.get(row.get("type", ""), ""), "errors": self._errors(f"checks[{index}]")}
            for index, row in enumerate(self.checks)
        ]

    @property
    def numbered_steps(self) -> list[dict[str, Any]]:
        one = ("reviews.count", "reviews.role", "reviews.group") if len(self.steps) == 1 else ()
        return [
            {
                "row": row,
                "errors": self._errors(f"reviews.steps[{index}]")
                + [text for name in one for text in self.errors.get(name, [])],
            }
            for index, row in enumerate(self.steps)
        ]

    @property
    def other_errors(self) -> list[str]:
        """Those of no line: of the whole, or of the terms."""
        return [
            f"{name.removeprefix('terms.').replace('_', ' ')}: {text}" if name.startswith("terms.") else text
            for name, texts in self.errors.items()
            if not name.startswith(("checks[", "reviews.steps["))
            and name not in ("kind", "pattern", "stage", "reviews.count", "reviews.role", "reviews.group")
            for text in texts
        ]

    def _errors(self, field_name: str) -> list[str]:
        return [
            text
            for name, texts in self.errors.items()
            if name == field_name or name.startswith(f"{field_name}.")
            for text in texts
        ]

    @property
    def possible_checks(self) -> list[tuple[str, str]]:
        allowed = CHECKS_OF_KIND.get(self.kind, frozenset())
        return [(name, title) for name, title in CHECK_NAMES.items() if name in allowed]

    @property
    def has_files(self) -> bool:
        """Is this about something whose files are scanned?"""
        return "scan" in CHECKS_OF_KIND.get(self.kind, frozenset())

    def change(self, do: str) -> None:
        """A button of the form: add-metric, remove-check-2, up-check-2, add-step, remove-step-0, up-step-1."""
        verb, _, rest = do.partition("-")
        if verb == "add" and rest == "step" and len(self.steps) < MAX_LINES:
            self.steps.append({"count": "1", "party": "role:reviewer"})
        elif verb == "add" and rest in CHECK_NAMES and len(self.checks) < MAX_LINES:
            self.checks.append({"type": rest, "bound": "lower", "demand": "min"})
        what, _, number = rest.partition("-")
        lines = {"check": self.checks, "step": self.steps}.get(what)
        index = whole(number, below=len(lines or []))
        if lines is None or index is None:
            return
        if verb == "remove":
            lines.pop(index)
        elif verb == "up" and index:
            lines[index - 1], lines[index] = lines[index], lines[index - 1]


def read(data: QueryDict) -> Editor:
    """The form as it was sent."""
    return Editor(
        kind=data.get("kind", "model"),
        pattern=data.get("pattern", "*"),
        stage=data.get("stage", ""),
        checks=_rows(data, _CHECK),
        steps=_rows(data, _STEP),
        ordered="ordered" in data,
        terms={name: data.get(name, "").strip() for name in _TERMS},
        break_glass="break_glass" in data,
        unsafe_files="unsafe_files" in data,
        reason=data.get("reason", ""),
    )


def show(rules: Rules, *, kind: str, pattern: str, stage: str) -> Editor:
    """Rules as they stand, in the inputs."""
    return Editor(
        kind=kind,
        pattern=pattern,
        stage=stage,
        checks=[_check_row(check.as_json()) for check in rules.checks],
        steps=[
            {"count": str(step.count), "party": f"group:{step.group}" if step.group else f"role:{step.role}"}
            for step in rules.reviews.steps
        ],
        ordered=rules.reviews.ordered,
        terms=terms_row(rules.terms),
        break_glass=rules.terms.break_glass,
        unsafe_files=rules.terms.unsafe_files == "allowed",
    )


def parties(team: Team) -> list[tuple[str, str]]:
    """Who can be asked for reviews: the roles and named groups of a team."""
    own = CustomRole.objects.filter(team=team, archived_at=None).order_by("slug").values_list("slug", flat=True)
    groups = Group.objects.filter(team=team).order_by("slug").values_list("slug", flat=True)
    roles = [*(role.value for role in Role), *own]
    return [
        *((f"role:{slug}", f"people with the role {slug}") for slug in roles),
        *((f"group:{slug}", f"members of the group {slug}") for slug in groups),
    ]


def choices() -> dict[str, Any]:
    """What the page's selects offer."""
    return {
        "bounds": BOUNDS,
        "demands": DEMANDS,
        "metrics": METRICS,
        "kinds": [(kind, _plural(kind)) for kind in KINDS],
        "stages": [stage.value for stage in Stage],
    }


def _plural(kind: str) -> str:
    return "Policies" if kind == "policy" else f"{kind}s".capitalize()


def terms_row(terms: Terms) -> Row:
    found = terms.as_json()
    return {name: "" if found[name] is None else str(found[name]) for name in _TERMS}


def _rows(data: QueryDict, pattern: re.Pattern[str]) -> list[Row]:
    """The lines in the order of their numbers; numbers may be missing."""
    rows: dict[int, Row] = {}
    for name, value in data.items():
        if (match := pattern.fullmatch(name)) and isinstance(value, str):
            rows.setdefault(int(match[1]), {})[match[2]] = value.strip()
    return [rows[number] for number in sorted(rows)][: MAX_LINES + 1]


def _number(text: str) -> Any:
    """The number that a text is, else the text."""
    try:
        number = float(text)
    except ValueError:
        return text or None
    return int(number) if math.isfinite(number) and number.is_integer() and "." not in text else number


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _check_json(row: Mapping[str, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": row.get("type", "")}
    if entry["type"] == "card" and row.get("fields"):
        entry["fields"] = [item.replace(" ", "_") for item in _listed(row["fields"])]
    if entry["type"] == "licence":
        entry["allow"] = _listed(row.get("allow", ""))
    if entry["type"] == "prompt_tests":
        entry |= _tests_json(row)
    if entry["type"] in ("metric", "scan", "prompt_tests") and row.get("max_age_days"):
        entry["max_age_days"] = _number(row["max_age_days"])
    if entry["type"] != "metric":
        return entry
    entry |= {"metric": row.get("metric", ""), "bound": row.get("bound", "")}
    entry |= {name: row[name] for name in ("dataset",) if row.get(name)}
    if row.get("dataset_version"):
        entry["dataset_version"] = _number(row["dataset_version"])
    demand, number = row.get("demand", ""), _number(row.get("number", ""))
    if demand in ("higher", "lower"):
        entry |= {"against": "production", "better": demand, "margin": number or 0}
    elif demand == "max":
        entry["maximum"] = number
    else:
        entry["minimum"] = number
        if demand == "between":
            entry["maximum"] = _number(row.get("number2", ""))
    return entry


def _tests_json(row: Mapping[str, str]) -> dict[str, Any]:
    """The page speaks of percent; 95 is 0.95."""
    percent = _number(row.get("share") or "100")
    share = round(percent / 100, 6) if isinstance(percent, int | float) else percent
    return {"share": share} | ({"models": _listed(row["models"])} if row.get("models") else {})


def _check_row(check: Mapping[str, Any]) -> Row:
    row = {
        name: ", ".join(value) if isinstance(value, list) else str(value)
        for name, value in check.items()
        if name not in ("minimum", "maximum", "margin", "against", "better")
    }
    if check["type"] == "prompt_tests":
        row["share"] = f"{100 * check['share']:g}"
    if check["type"] != "metric":
        return row
    low, high = check.get("minimum"), check.get("maximum")
    if check.get("against"):
        return row | {"demand": str(check["better"]), "number": f"{check['margin']:g}"}
    if low is not None and high is not None:
        return row | {"demand": "between", "number": f"{low:g}", "number2": f"{high:g}"}
    return (
        row | {"demand": "max", "number": f"{high:g}"} if low is None else row | {"demand": "min", "number": f"{low:g}"}
    )
