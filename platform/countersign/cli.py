"""The command line: countersign login | push | pull | diff | promote | verify | list | prompt. `countersign <command> --help` says more."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from countersign import commands, credentials
from countersign.errors import ApiError, Damaged, Unauthenticated, Unreachable
from countersign.prompts import commands as prompt_commands

# What scripts can rely on.
OK, DIFFERENT, FAILED, USAGE, WAITING = 0, 1, 1, 2, 3

_ADDRESS = "team/name, team/name@alias or team/name:3; datasets/team/name for a dataset"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="countersign",
        description="Models, datasets and prompts of a Countersign site: put them there, get them, promote and verify them.",
        epilog="The site and key come from `countersign login`, or from COUNTERSIGN_SITE and COUNTERSIGN_KEY. "
        "Exit codes: 0 done, 1 refused, failed or different, 2 wrong usage, 3 waiting for an approval.",
    )
    top.add_argument("--site", default="", help="the site's address, where you are signed in to several")
    top.add_argument("--json", action="store_true", help="print the result as JSON on standard output")
    top.add_argument("-q", "--quiet", action="store_true", help="no progress")
    verbs = top.add_subparsers(dest="command", required=True, metavar="command")

    login = _verb(verbs, "login", commands.login, "Keep a site's address and your key")
    login.add_argument("address", metavar="site", help="for example https://countersign.example.com")
    login.add_argument(
        "--key-stdin", action="store_true", help="read the key from standard input instead of asking for it"
    )
    logout = _verb(verbs, "logout", commands.logout, "Forget a site's key")
    logout.add_argument("address", metavar="site", nargs="?", default="")
    _verb(verbs, "whoami", commands.whoami, "Whose key this is")

    listing = _verb(verbs, "list", commands.listing, "List models (or datasets), or the versions of one")
    listing.add_argument("what", nargs="?", default="models", help=f"models, datasets, or {_ADDRESS}")
    listing.add_argument("--search", default="", help="words in name or description")

    push = _verb(verbs, "push", commands.push, "A folder or file as a new version")
    push.add_argument("target", help="team/name, or datasets/team/name")
    push.add_argument("folder", help="what to send")
    push.add_argument("-m", "--message", default="", help="what is new in this version")
    push.add_argument("--create", action="store_true", help="make the model or dataset if it is not there")
    push.add_argument("--task", default="", help="with --create: what a model does, for example text-generation")
    push.add_argument("--exclude", action="append", default=[], metavar="PATTERN", help="leave these paths out")
    push.add_argument("--into", type=int, metavar="N", help="go on with draft N, which an earlier push left")
    push.add_argument("--draft", action="store_true", help="do not register it yet")
    push.add_argument("--alias", default="", help="then move this alias to it (asks, where it is protected)")
    _threads(push)

    pull = _verb(verbs, "pull", commands.pull, "A version's files into a folder, each checked")
    pull.add_argument("source", help=f"{_ADDRESS}; without alias or number the latest registered version")
    pull.add_argument("folder", nargs="?", default="", help="where to; without it a folder of the model's name")
    pull.add_argument("--only", action="append", default=[], metavar="PATTERN", help="these paths alone")
    _threads(pull)

    diff = _verb(verbs, "diff", commands.diff, "What differs between two versions, or a version and a folder")
    diff.add_argument("before", help=_ADDRESS)
    diff.add_argument("after", help=f"{_ADDRESS}, or a folder")

    promote = _verb(verbs, "promote", commands.promote, "Move an alias; where it is protected, ask for it")
    promote.add_argument("source", help=_ADDRESS)
    promote.add_argument("alias", help="for example production")
    promote.add_argument("-m", "--reason", default="", help="why; kept in the history and read by reviewers")
    promote.add_argument("--wait", action="store_true", help="wait until the request has been decided")
    promote.add_argument("--timeout", type=float, metavar="SECONDS", help="with --wait: no longer than this")

    verify = _verb(verbs, "verify", commands.verify, "Check files, digest and signed approval")
    verify.add_argument("source", help=_ADDRESS)
    verify.add_argument("folder", nargs="?", default="", help="check the files in this folder too")
    verify.add_argument("--key", action="append", default=[], metavar="FILE", help="a PEM public key that you trust")

    prompt_commands.add_to(verbs)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        return code
    except (ApiError, Unreachable, Damaged, OSError, ValueError, commands.NotSignedIn) as error:
        _say(error)
        return USAGE if isinstance(error, (ValueError, commands.NotSignedIn)) else FAILED
    except KeyboardInterrupt as stop:
        print("Stopped.", *getattr(stop, "__notes__", []), sep="\n", file=sys.stderr)
        return 130


def _say(error: BaseException) -> None:
    """What went wrong and what to do about it, on standard error."""
    lines = [f"error: {error}"]
    if isinstance(error, ApiError):
        lines += [f"  {field}: {text}" for field, texts in error.errors.items() for text in texts if text != str(error)]
        if error.link:
            lines.append(f"  See {error.link}")
    if isinstance(error, Unauthenticated):
        lines.append(f"  Sign in again: countersign login <site>, or set {credentials.ENV_KEY}.")
    lines += [f"  {note}" for note in getattr(error, "__notes__", [])]
    print(*lines, sep="\n", file=sys.stderr)


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=text[0].lower() + text[1:], description=f"{text}.")
    verb.set_defaults(run=run)
    return verb


def _threads(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--threads", type=int, default=4, metavar="N", help="how many files or parts at once (4)")
