"""`client.prompts`: fetch, list, create and label prompts."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from countersign.errors import ApiError, ApprovalRequired, Unreachable
from countersign.prompts.cache import Cache, Entry
from countersign.prompts.disk import Disk, default_folder
from countersign.prompts.events import Listener
from countersign.prompts.prompt import Prompt
from countersign.shapes import ApprovalRequest
from countersign.transport import path_of

if TYPE_CHECKING:
    from countersign.client import Client

Template = str | list[dict[str, Any]]
_ADDRESS = re.compile(r"(?P<address>[^/@:]+/[^@:]+?)(?:@(?P<label>[^/@:]+)|:v?(?P<number>[0-9]{1,9}))?")
_EVENTS = re.compile(r'<(https?://[^>]+)>\s*;\s*rel="?events"?')


@dataclass(frozen=True)
class PromptOptions:
    """`fresh_s`: how long a fetched prompt is used without asking again. `watch`: listen for changes, so that a release is heard
    of within a second; then what is known is asked for again only every `watched_fresh_s`. `folder`: where the last good copies
    are kept (by default under ~/.cache/countersign); None keeps none."""

    fresh_s: float = 60.0
    watch: bool = False
    watched_fresh_s: float = 600.0
    folder: Path | str | None = ""


class Prompts:
    """The prompts of a site. One for each process and key is enough: it is shared among threads."""

    def __init__(self, client: Client, options: PromptOptions) -> None:
        self._client, self._options = client, options
        http = client.http
        folder = None if options.folder is None else Path(options.folder or default_folder())
        self._cache = Cache(http, Disk(folder, http.site, http.key) if folder else None, self._fresh_s)
        self._cache.on_answer = self._answered
        self._listeners: dict[str, Listener] = {}
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def close(self) -> None:
        for listener in self._listeners.values():
            listener.close()
        self._cache.close()

    # Reading

    def get(
        self,
        address: str,
        label: str = "",
        *,
        version: int | None = None,
        fallback: Template | None = None,
    ) -> Prompt:
        """The version that a label points at ('production' unless said otherwise; 'latest' is the newest), or one by number.
        'team/name@label' and 'team/name:3' say it too. `fallback`: a template to go on with when there is neither site nor copy,
        or no such prompt."""
        name, at = _where(address, label, version)
        try:
            entry = self._cache.get(name, at)
        except (ApiError, Unreachable):
            if fallback is None:
                raise
            kind = "text" if isinstance(fallback, str) else "chat"
            return Prompt(name, 0, kind, "jinja2", fallback, label=str(at), source="fallback")
        assert entry.body is not None
        return Prompt.read(entry.body, label=at if isinstance(at, str) else "", source=entry.source)

    def list(self, **filters: str) -> Iterator[dict[str, Any]]:
        """The prompts that the key sees, last changed first. Filters as the REST API names them (team, search, label …)."""
        return self._client.http.every("/prompts", **filters)

    def versions(self, address: str) -> Iterator[Prompt]:
        """Newest first."""
        return map(Prompt.read, self._client.http.every(f"{_path(address)}/versions"))

    def on_change(self, call: Callable[[Prompt], None]) -> None:
        """Call this, in a thread of ours, with each prompt that was in use and is now another version."""

        def changed(entry: Entry) -> None:
            if entry.body is not None:
                call(Prompt.read(entry.body, label=str(entry.at)))

        self._cache.on_change = changed

    # Writing

    def create(self, address: str, *, description: str = "") -> dict[str, Any]:
        """Make it, without versions yet; Conflict when it exists."""
        team, _, name = _where(address)[0].partition("/")
        made: dict[str, Any] = self._client.http.post(
            "/prompts", {"team": team, "name": name, "description": description}
        )
        return made

    def add_version(self, address: str, template: Template, **fields: Any) -> Prompt:
        """A new version; `fields` as the REST API names them (format, inputs, tools, response_format, model, parameters, message)."""
        kind = "text" if isinstance(template, str) else "chat"
        body = {"type": kind, "template": template, **fields}
        return Prompt.read(self._client.http.post(f"{_path(address)}/versions", body))

    def label(self, address: str, label: str, version: int, *, reason: str = "") -> None:
        """Let a label point at a version. ApprovalRequired where only an approved request moves it: it is open by then."""
        self._client.http.put(f"{_path(address)}{path_of('labels', label)}", {"version": version, "reason": reason})

    def promote(self, address: str, label: str, version: int, *, reason: str = "") -> ApprovalRequest | None:
        """Move the label, or, where it is protected, ask for that: the request, which others decide on; None when it moved."""
        try:
            self.label(address, label, version, reason=reason)
        except ApprovalRequired as asked:
            return self._client.request(asked.request_id)
        return None

    # Keeping up

    def _fresh_s(self, team: str) -> float:
        listener = self._listeners.get(team)
        heard = listener is not None and listener.is_connected and self._pid == os.getpid()
        return self._options.watched_fresh_s if heard else self._options.fresh_s

    def _answered(self, team: str, answer: httpx.Response) -> None:
        """Each answer says where to listen."""
        if not self._options.watch:
            return
        link = _EVENTS.search(answer.headers.get("Link", ""))
        with self._lock:
            if self._pid != os.getpid():  # a fork: the parent's threads are not here
                self._pid, self._listeners = os.getpid(), {}
            if link and team not in self._listeners:
                headers = {"Authorization": f"Bearer {self._client.http.key}"}
                self._listeners[team] = Listener(
                    link[1], headers, self._told, lambda: self._refresh(lambda one: one.address.startswith(f"{team}/"))
                )

    def _told(self, change: dict[str, Any]) -> None:
        names = {change.get("prompt"), change.get("previous_name")} - {None}
        addresses = [f"{change.get('team')}/{name}" for name in names]
        self._refresh(lambda entry: any(entry.concerns(address) for address in addresses))

    def _refresh(self, which: Callable[[Entry], bool]) -> None:
        for entry in self._cache.entries():
            if which(entry):
                self._cache.refresh(entry)


def _where(address: str, label: str = "", version: int | None = None) -> tuple[str, str | int]:
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ValueError(f"'{address}' is no address of a prompt: write team/name, team/name@label or team/name:3.")
    number = version if version is not None else int(found["number"]) if found["number"] else None
    return found["address"], number if number is not None else label or found["label"] or "production"


def _path(address: str) -> str:
    return path_of("prompts", _where(address)[0])
