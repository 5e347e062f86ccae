"""What each command does: a function of its options, which prints and returns the exit code."""

from __future__ import annotations

import getpass
import json
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from countersign import addresses, credentials, folders, progress, verification
from countersign.addresses import Address
from countersign.client import Asset, Client
from countersign.errors import NotFound
from countersign.shapes import ApprovalRequest, RemoteFile, Version

DONE, DIFFERENT, REFUSED, WAITING = 0, 1, 1, 3


class NotSignedIn(Exception):
    """There is no key to use."""


def login(options: Namespace) -> int:
    """Ask for the key (or read it), try it, and keep it together with the fingerprint of the site's signing key."""
    site = options.address.rstrip("/")
    if not site.startswith(("http://", "https://")):
        raise ValueError(f"'{site}' is no address of a site: begin with https://.")
    typed = (
        sys.stdin.readline() if options.key_stdin else getpass.getpass(f"API key for {site} ({site}/settings/keys): ")
    )
    key = typed.strip()
    if not key:
        raise ValueError("No key was given.")
    with Client(site, key) as client:
        who = client.me()
        trusted = verification.fingerprint(client.http.get("/ledger/signing-key")["pem"])
    where = credentials.save(credentials.Credentials(site, key, trusted))
    out(options, who, f"Signed in to {site} as {_name(who)}. The key is kept in {where}.")
    return DONE


def logout(options: Namespace) -> int:
    kept = credentials.load(options.address or options.site)
    site = options.address.rstrip("/") or (kept.site if kept else "")
    gone = credentials.forget(site)
    out(
        options, {"site": site, "forgotten": gone}, f"The key for {site} is forgotten." if gone else "There was no key."
    )
    return DONE


def whoami(options: Namespace) -> int:
    with open_client(options) as client:
        who = client.me()
        out(options, who, f"{_name(who)} at {client.site}")
    return DONE


def listing(options: Namespace) -> int:
    with open_client(options) as client:
        if options.what in ("models", "datasets"):
            filters = {"search": options.search} if options.search else {}
            rows = [asdict(one) for one in (client.models if options.what == "models" else client.datasets)(**filters)]
            lines = [
                [
                    one["address"],
                    f"v{one['latest_version']}" if one["latest_version"] else "-",
                    aliases(one["aliases"]),
                ]
                for one in rows
            ]
        else:
            versions = list(_asset(client, addresses.parse(options.what)).versions())
            rows = [asdict(one) for one in versions]
            lines = [
                [f"v{one.number}", one.state, one.digest[:19] or "-", progress.size(one.size), one.message]
                for one in versions
            ]
        out(options, rows, table(lines) or "Nothing there that this key can see.")
    return DONE


def push(options: Namespace) -> int:
    where = _unversioned(options.target)
    with open_client(options) as client:
        asset = _asset(client, where)
        if options.create:
            try:
                asset.info()
            except NotFound:
                asset.create(task=options.task)
        with _watched(
            options, sum(file.size for file in folders.walk(Path(options.folder), exclude=options.exclude))
        ) as moved:
            version = asset.push(
                options.folder,
                message=options.message,
                exclude=options.exclude,
                into=options.into,
                register=not options.draft,
                threads=options.threads,
                progress=moved,
            )
        text = (
            f"{where} version {version.number}, {version.digest or 'a draft'}\n{asset.page}/versions/{version.number}"
        )
        if not options.alias:
            out(options, asdict(version), text)
            return DONE
        if not options.json:
            print(text)
        return _promoted(options, asset, version, options.alias, options.message)


def pull(options: Namespace) -> int:
    where = addresses.parse(options.source)
    folder = Path(options.folder or where.asset.partition("/")[2])
    with open_client(options) as client:
        asset = _asset(client, where)
        version = asset.version(where.at or "latest")
        with _watched(options, version.size if not options.only else 0) as moved:
            asset.pull(version.number, folder, only=options.only, threads=options.threads, progress=moved)
    out(
        options, {**asdict(version), "folder": str(folder)}, f"{asset.address} version {version.number} is in {folder}/"
    )
    return DONE


def diff(options: Namespace) -> int:
    """Paths that were added (A), removed (D) or changed (M), as git names them; 1 when anything differs."""
    with open_client(options) as client:
        before, old = _side(client, options.before)
        after, new = _side(client, options.after)
    were, are = {one.path: one for one in old}, {one.path: one for one in new}
    changes: list[dict[str, Any]] = []
    for path in sorted(were.keys() | are.keys()):
        then, now = were.get(path), are.get(path)
        if kind := _change(then, now):
            changes.append({"change": kind, "path": path, "size": [one.size if one else None for one in (then, now)]})
    lines = [[str(one["change"]), str(one["path"]), _sizes(one["size"])] for one in changes]
    same = f"{before} and {after} hold the same bytes."
    out(options, {"before": before, "after": after, "changes": changes}, table(lines) if changes else same)
    return DIFFERENT if changes else DONE


def promote(options: Namespace) -> int:
    where = addresses.parse(options.source)
    if not where.at:
        raise ValueError(f"Say which version: {options.source}:3, or {options.source}@candidate.")
    with open_client(options) as client:
        asset = _asset(client, where)
        return _promoted(options, asset, asset.version(where.at), options.alias, options.reason)


def verify(options: Namespace) -> int:
    where = addresses.parse(options.source)
    with open_client(options) as client:
        pems = [Path(name).read_text() for name in options.key] or _pinned(client, credentials.load(options.site))
        found = _asset(client, where).verify(where.at or "latest", options.folder or None, keys=pems)
    marks = {True: "ok", False: "FAILED", None: "-"}
    lines = [[marks[check.passed], check.name, check.text] for check in found.checks]
    verdict = f"{where.asset} version {found.version.number}: " + ("verified" if found.passed else "NOT verified")
    shown = {
        "version": found.version.number,
        "passed": found.passed,
        "checks": [asdict(check) for check in found.checks],
    }
    out(options, shown, f"{table(lines)}\n{verdict}")
    return DONE if found.passed else REFUSED


def _promoted(options: Namespace, asset: Asset, version: Version, alias: str, reason: str) -> int:
    result = asset.promote(version.number, alias, reason=reason)
    if not isinstance(result, ApprovalRequest):
        out(options, asdict(result), f"'{alias}' of {asset.address} points at version {version.number}.")
        return DONE
    wait = getattr(options, "wait", False)
    if wait:
        print(f"Request {result.id} waits for its reviews: {result.link}", file=sys.stderr)
        result = asset.client.wait_for(result, timeout_s=options.timeout)
    texts = {
        "open": f"'{alias}' is protected. Request {result.id} waits for its reviews: {result.link}",
        "approved": f"Request {result.id} is approved and waits for its time: {result.link}",
        "applied": f"'{alias}' of {asset.address} points at version {version.number}: request {result.id} was approved.",
    }
    text = texts.get(result.state, f"Request {result.id} is {result.state}: {result.link}")
    out(options, {"id": result.id, "state": result.state, "link": result.link}, text)
    return DONE if result.state == "applied" else WAITING if not result.has_ended else REFUSED


def _side(client: Client, text: str) -> tuple[str, list[RemoteFile]]:
    """A folder's or a version's manifest, and what to call it. What is there on this machine is taken for a folder."""
    if Path(text).is_dir():
        return text, folders.hashed(folders.walk(Path(text)))
    where = addresses.parse(text)
    asset = _asset(client, where)
    version = asset.version(where.at or "latest")
    return f"{asset.address}:{version.number}", asset.files(version.number)


def _change(before: RemoteFile | None, after: RemoteFile | None) -> str:
    if before is None:
        return "A"
    if after is None:
        return "D"
    return "M" if before.sha256 != after.sha256 else ""


def _pinned(client: Client, kept: credentials.Credentials | None) -> list[str]:
    """The site's signing key, if it is still the one that was seen at sign-in; another one is not believed by itself."""
    pem = str(client.http.get("/ledger/signing-key")["pem"])
    if kept is None or not kept.trusted:
        return []
    if verification.fingerprint(pem) != kept.trusted:
        raise ValueError(
            f"{client.site} signs with another key than when you signed in. Ask its administrator whether that is meant; "
            "then sign in again, or name the key that you trust with --key."
        )
    return [pem]


def open_client(options: Namespace) -> Client:
    kept = credentials.load(options.site)
    if kept is None:
        raise NotSignedIn(
            f"There is no key for {options.site or 'any site'}. Sign in: countersign login <site>, or set "
            f"{credentials.ENV_SITE} and {credentials.ENV_KEY}."
        )
    return Client(kept.site, kept.key)


def _asset(client: Client, where: Address) -> Asset:
    return Asset(client, where.kind, where.asset)


def _unversioned(text: str) -> Address:
    where = addresses.parse(text)
    if where.at:
        raise ValueError(f"A push makes a new version: write {where.asset} without '{text.removeprefix(where.asset)}'.")
    return where


@contextmanager
def _watched(options: Namespace, total: int) -> Iterator[Any]:
    if options.quiet or not sys.stderr.isatty():
        yield None
        return
    with progress.bar(total) as moved:
        yield moved


def out(options: Namespace, value: Any, text: str) -> None:
    """The result on standard output: as JSON where that was asked for, else for people."""
    print(json.dumps(value, indent=2, default=str) if options.json else text)


def table(rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def aliases(found: dict[str, int]) -> str:
    return " ".join(f"{name}=v{number}" for name, number in sorted(found.items()))


def _sizes(sizes: Any) -> str:
    before, after = sizes
    return " -> ".join(progress.size(one) for one in (before, after) if one is not None)


def _name(who: dict[str, Any]) -> str:
    return str(who.get("email") or who.get("name") or "somebody")
