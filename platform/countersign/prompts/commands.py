"""`countersign prompt …`: what each verb does."""

from __future__ import annotations

import argparse
import json
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from countersign import commands
from countersign.prompts.prompt import Prompt

_SOURCE = "team/name, team/name@label or team/name:3; 'production' where none is named"
Verb = Callable[[str, Callable[[Namespace], int], str], argparse.ArgumentParser]


def add_to(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse._SubParsersAction[Any]:
    """Put `prompt` and its verbs into the command line; returns them, for more to be added."""
    from countersign.prompts import tree_commands  # here: it uses what this module defines

    top = verbs.add_parser("prompt", help="fetch, list, fill in and label prompts", description="Prompts of a site.")
    under = top.add_subparsers(dest="prompt_command", required=True, metavar="command")

    def verb(name: str, run: Callable[[Namespace], int], text: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = under.add_parser(name, help=text[0].lower() + text[1:], description=f"{text}.")
        made.set_defaults(run=run)
        return made

    get = verb("get", show, "Print a prompt's template, or all of it with --json")
    get.add_argument("source", help=_SOURCE)
    listing = verb("list", every, "The prompts that your key sees")
    listing.add_argument("--team", default="", help="of this team alone")
    listing.add_argument("--search", default="", help="words in name or description")
    render = verb("render", fill, "Fill in a prompt's variables")
    render.add_argument("source", help=_SOURCE)
    render.add_argument(
        "variables", nargs="*", metavar="name=value", help="a value that is JSON is read as JSON: n=3, a:='[1]'"
    )
    render.add_argument(
        "--variables", dest="file", default="", metavar="FILE", help="a JSON object of values; - for standard input"
    )
    label = verb("label", move, "Let a label point at a version; where it is protected, ask for it")
    label.add_argument("source", help="team/name:3, or team/name@label")
    label.add_argument("label", help="for example production")
    label.add_argument("-m", "--reason", default="", help="why; kept in the history and read by reviewers")
    versions = verb("versions", history, "A prompt's versions, newest first")
    versions.add_argument("source", help="team/name")
    tree_commands.add_to(verb)
    return under


def show(options: Namespace) -> int:
    with commands.open_client(options) as client:
        prompt = client.prompts.get(options.source)
    commands.out(options, asdict(prompt), _text(prompt.template))
    return commands.DONE


def every(options: Namespace) -> int:
    filters = {name: value for name in ("team", "search") if (value := getattr(options, name))}
    with commands.open_client(options) as client:
        rows = list(client.prompts.list(**filters))
    lines = [
        [
            f"{row['team']}/{row['name']}",
            f"v{row['latest_version']}" if row["latest_version"] else "-",
            commands.aliases(row["labels"]),
        ]
        for row in rows
    ]
    commands.out(options, rows, commands.table(lines) or "Nothing there that this key can see.")
    return commands.DONE


def fill(options: Namespace) -> int:
    with commands.open_client(options) as client:
        prompt = client.prompts.get(options.source)
    values = {**_from_file(options.file), **dict(_pair(text, prompt) for text in options.variables)}
    rendered = prompt.render(**values)
    commands.out(options, rendered, _text(rendered))
    return commands.DONE


def move(options: Namespace) -> int:
    with commands.open_client(options) as client:
        prompt = client.prompts.get(options.source)
        request = client.prompts.promote(prompt.address, options.label, prompt.number, reason=options.reason)
    if request is None:
        shown: dict[str, Any] = {"prompt": prompt.address, "label": options.label, "version": prompt.number}
        commands.out(options, shown, f"'{options.label}' of {prompt.address} points at version {prompt.number}.")
        return commands.DONE
    text = f"'{options.label}' is protected. Request {request.id} waits for its reviews: {request.link}"
    commands.out(options, {"id": request.id, "state": request.state, "link": request.link}, text)
    return commands.WAITING


def history(options: Namespace) -> int:
    with commands.open_client(options) as client:
        found = list(client.prompts.versions(options.source))
    lines = [[f"v{one.number}", one.digest[:19], one.type, one.message] for one in found]
    commands.out(options, [asdict(one) for one in found], commands.table(lines) or "It has no versions yet.")
    return commands.DONE


def _text(template: str | list[dict[str, Any]]) -> str:
    if isinstance(template, str):
        return template
    return "\n\n".join(
        f"[{part['name']}]"
        if part.get("type") == "placeholder"
        else f"{part.get('role', '')}:\n{_content(part.get('content'))}"
        for part in template
    )


def _content(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, indent=2)


def _from_file(name: str) -> dict[str, Any]:
    if not name:
        return {}
    found = json.loads(sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{name} holds no JSON object.")
    return found


def _pair(text: str, prompt: Prompt) -> tuple[str, Any]:
    """name=value, a text unless the variable is declared as something else; name:=value, JSON."""
    name, sign, value = text.partition("=")
    if not sign or not name.rstrip(":"):
        raise ValueError(f"'{text}' is no value: write name=value.")
    kind = next((one.get("type", "string") for one in prompt.inputs if one.get("name") == name), "string")
    if name.endswith(":") or kind != "string":
        return name.rstrip(":"), json.loads(value)
    return name, value
