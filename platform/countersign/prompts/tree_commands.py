"""`countersign prompt pull|push|diff|test`: prompts as files in a git working tree."""

from __future__ import annotations

import argparse
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from countersign import commands
from countersign.errors import Invalid
from countersign.prompts import checking, working_tree
from countersign.prompts.commands import Verb
from countersign.prompts.working_tree import Outcome


def add_to(verb: Verb) -> None:
    pull = verb("pull", get, "A team's prompts as YAML files in a folder")
    _where(pull)
    pull.add_argument("--only", default="", metavar="FOLDER", help="the prompts in this folder of the site alone")
    pull.add_argument("--label", default="", help="the versions at this label; without it the newest")
    pull.add_argument("--force", action="store_true", help="overwrite what is not committed")
    pull.add_argument("--prune", action="store_true", help="remove the files of prompts that the site has not any more")

    push = verb("push", send, "The YAML files of a folder as new versions, where they differ: all of them or none")
    _where(push)
    push.add_argument("-m", "--message", default="", help="what changed and why, where a file has no 'message:'")
    push.add_argument("--branch", default="main", help="make the versions on this branch (main)")
    push.add_argument("--dry-run", action="store_true", help="only say what would be done")

    differing = verb("diff", compare, "Which files of a folder differ from the site (exit code 1 when any does)")
    _where(differing)

    testing = verb("test", check, "Run the site's tests on the files that differ (exit code 1 when any is red)")
    _where(testing)
    testing.add_argument("--timeout", type=float, default=1800, metavar="SECONDS", help="for each prompt (1800)")
    testing.add_argument("--junit", default="", metavar="FILE", help="write the results as JUnit XML too")


def _where(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("team")
    verb.add_argument("folder", nargs="?", default=".", help="where the files are (here)")


def get(options: Namespace) -> int:
    with commands.open_client(options) as client:
        done = working_tree.pull(
            client.http, options.team, Path(options.folder), inside=options.only, label=options.label,
            force=options.force, prune=options.prune,
        )  # fmt: skip
    lines = [f"{len(done.written)} written, {len(done.same)} the same, {len(done.removed)} removed."]
    lines += [f"kept {path}: it has changes that are not committed. Commit them, or use --force." for path in done.kept]
    commands.out(options, asdict(done), "\n".join(lines))
    return commands.REFUSED if done.kept else commands.DONE


def send(options: Namespace) -> int:
    with commands.open_client(options) as client:
        found = _pushed(options, client.http, dry_run=options.dry_run)
    return _told(options, found)


def compare(options: Namespace) -> int:
    options.message, options.branch = "", "main"
    with commands.open_client(options) as client:
        found = _pushed(options, client.http, dry_run=True)
    _told(options, found)
    return commands.DIFFERENT if any(one.done != "unchanged" for one in found) else commands.DONE


def check(options: Namespace) -> int:
    """The texts are tested as they are in the files: no version is made."""
    options.message, options.branch = "", "main"
    with commands.open_client(options) as client:
        found = _pushed(options, client.http, dry_run=True)
        if any(one.problems for one in found):
            return _told(options, found)
        results = [
            checking.run(client.http, one, timeout_s=options.timeout) for one in found if one.content is not None
        ]
    if options.junit:
        Path(options.junit).write_bytes(checking.junit(results))
    text = "\n".join(line for result in results for line in checking.lines(result, client.site))
    commands.out(options, [asdict(one) for one in results], text or "No file differs from the site: nothing to test.")
    return commands.REFUSED if any(result.red for result in results) else commands.DONE


def _pushed(options: Namespace, http: Any, *, dry_run: bool) -> list[Outcome]:
    """What the site said of each file; the files that it refuses are outcomes too."""
    folder = Path(options.folder)
    try:
        return working_tree.push(
            http, options.team, folder, branch=options.branch, message=options.message, dry_run=dry_run
        )
    except Invalid as problem:
        if dry_run or not all(path.endswith(working_tree.SUFFIX) for path in problem.errors):
            raise
        return [Outcome(path, "", "refused", 0, "", texts) for path, texts in problem.errors.items()]


def _told(options: Namespace, found: list[Outcome]) -> int:
    shown = [one for one in found if one.done != "unchanged"]
    rows = [[one.done, one.path, f"v{one.version}" if one.version else ""] for one in shown]
    text = commands.table(rows) or "Nothing differs from the site."
    refused = [f"{one.path}: {problem}" for one in found for problem in one.problems]
    if refused:
        text = "\n".join([*refused, "Nothing was pushed."])
    commands.out(options, [asdict(one) for one in found], text)
    return commands.REFUSED if refused else commands.DONE
