"""Testing a prompt's text on the site before it is a version: what a pull request's check runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from countersign.errors import Conflict, NotFound
from countersign.prompts.working_tree import Outcome
from countersign.transport import Transport, path_of

EVERY_S = 2.0


@dataclass(frozen=True)
class Case:
    """One example with one model. `reasons`: what each failed assertion said, or why there is no answer."""

    name: str
    passed: bool
    output: str
    reasons: list[str]
    seconds: float


@dataclass
class Result:
    """How a file's text did. state: green, red, untested (the prompt has no tests, or is new), failed, cancelled or too slow."""

    path: str
    prompt: str
    state: str
    link: str = ""
    message: str = ""
    cases: list[Case] = field(default_factory=list)

    @property
    def red(self) -> bool:
        return self.state not in ("green", "untested")


def run(http: Transport, one: Outcome, *, timeout_s: float) -> Result:
    """Start the prompt's tests on this text and wait for them."""
    team, _, name = one.prompt.partition("/")
    address = path_of("prompts", team, *name.split("/"), "tests", "runs")
    if one.done == "created":
        return Result(one.path, one.prompt, "untested", message="It is new on the site, and has no tests yet.")
    try:
        started = http.post(address, {"content": one.content})
    except (Conflict, NotFound) as problem:
        if isinstance(problem, Conflict) and problem.code != "no_tests":
            raise
        return Result(one.path, one.prompt, "untested", message=str(problem))
    until = time.monotonic() + timeout_s
    now = started
    while not now["ended"] and time.monotonic() < until:
        time.sleep(EVERY_S)
        now = http.get(path_of("prompt-tests", started["id"]))
    if not now["ended"]:
        http.post(path_of("prompt-tests", started["id"], "cancel"))
        return Result(one.path, one.prompt, "too slow", now["link"], f"It did not end within {timeout_s:.0f} s.")
    rows = http.every(path_of("prompt-tests", started["id"], "results"), failed_first="true")
    state = "green" if now["green"] else "red" if now["state"] == "succeeded" else str(now["state"])
    return Result(one.path, one.prompt, state, now["link"], now["message"], [_case(row) for row in rows])


def _case(row: dict[str, Any]) -> Case:
    reasons = [f"{one['title']}: {one['reason']}" for one in row["verdicts"] if not one["passed"]]
    if row["error"]:
        reasons.insert(0, str(row["error"]))
    repeat = f" #{row['repeat'] + 1}" if row["repeat"] else ""
    name = f"{row['case'] or row['index']} ({row['model']}){repeat}"
    return Case(name, bool(row["passed"]), str(row["output"] or ""), reasons, (row["latency_ms"] or 0) / 1000)


def lines(result: Result, site: str) -> list[str]:
    """For people: a line for the prompt, and for each failed case why."""
    failed = [case for case in result.cases if not case.passed]
    said = f"{result.state:9} {result.path}"
    if result.cases:
        said += f"  {len(result.cases) - len(failed)} of {len(result.cases)} passed"
    shown = [f"{said}  {result.message}".rstrip()]
    for case in failed[:20]:
        shown.append(f"          {case.name}: {'; '.join(case.reasons) or 'failed'}")
    if len(failed) > 20:
        shown.append(f"          and {len(failed) - 20} more")
    if result.link:
        shown.append(f"          {site}{result.link}")
    return shown


def junit(results: list[Result]) -> bytes:
    """The results in the XML that CI systems show."""
    top = ElementTree.Element("testsuites", name="countersign prompts")
    for result in results:
        failed = sum(not case.passed for case in result.cases)
        suite = ElementTree.SubElement(
            top, "testsuite", name=result.path, tests=str(max(1, len(result.cases))), failures=str(failed)
        )
        if not result.cases:
            one = ElementTree.SubElement(suite, "testcase", classname=result.path, name=result.state)
            ElementTree.SubElement(one, "failure" if result.red else "skipped", message=result.message)
        for case in result.cases:
            one = ElementTree.SubElement(
                suite, "testcase", classname=result.path, name=_plain(case.name), time=f"{case.seconds:.3f}"
            )
            if not case.passed:
                wrong = ElementTree.SubElement(one, "failure", message=_plain("; ".join(case.reasons))[:2_000])
                wrong.text = _plain(case.output)
    return bytes(ElementTree.tostring(top, encoding="utf-8", xml_declaration=True))


def _plain(text: str) -> str:
    """XML knows no other control characters."""
    return "".join(one if one >= " " or one in "\t\n\r" else "�" for one in text)
