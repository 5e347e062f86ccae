"""The client: a site, a key, and the models, datasets and prompts that the key may see."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from countersign import folders, transfer, verification
from countersign.errors import ApprovalRequired, NotFound
from countersign.prompts import PromptOptions, Prompts
from countersign.shapes import Alias, ApprovalRequest, AssetInfo, RemoteFile, Version
from countersign.transport import Transport, path_of

THREADS = 4


class Client:
    """Close it, or use it in a `with`. Raises countersign.errors; nothing is sent before the first call."""

    def __init__(self, site: str, key: str, *, timeout_s: float = 60.0, prompts: PromptOptions | None = None) -> None:
        self.http = Transport(site, key, timeout_s=timeout_s)
        self.prompts = Prompts(self, prompts or PromptOptions())

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self.prompts.close()
        self.http.close()

    @property
    def site(self) -> str:
        return self.http.site

    def me(self) -> dict[str, Any]:
        """Whose key this is, its team and scopes."""
        found: dict[str, Any] = self.http.get("/me")
        return found

    def model(self, address: str) -> Asset:
        """The model at 'team/name'. Nothing is asked of the site yet."""
        return Asset(self, "model", address)

    def dataset(self, address: str) -> Asset:
        return Asset(self, "dataset", address)

    def models(self, **filters: str) -> Iterator[AssetInfo]:
        """The models that the key sees, last changed first. Filters as the REST API names them (search, team, task, alias …)."""
        return map(AssetInfo.read, self.http.every("/models", **filters))

    def datasets(self, **filters: str) -> Iterator[AssetInfo]:
        return map(AssetInfo.read, self.http.every("/datasets", **filters))

    def request(self, request_id: int) -> ApprovalRequest:
        return self._request(self.http.get(path_of("requests", request_id)))

    def wait_for(
        self, request: ApprovalRequest, *, every_s: float = 3.0, timeout_s: float | None = None
    ) -> ApprovalRequest:
        """The request once it has ended; as it is then when `timeout_s` runs out before."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while not request.has_ended and (until is None or time.monotonic() < until):
            time.sleep(every_s)
            request = self.request(request.id)
        return request

    def _request(self, body: dict[str, Any]) -> ApprovalRequest:
        return ApprovalRequest(
            body["id"], body["state"], body["asset"], body.get("version"), body["alias"],
            f"{self.site}/requests/{body['id']}", body.get("attestation"),
        )  # fmt: skip


@dataclass(frozen=True)
class Asset:
    """A model or dataset: its versions, files and aliases."""

    client: Client
    kind: str
    address: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[^/\s]+/[^/\s]+", self.address):
            raise ValueError(f"'{self.address}' is no address: write team/name.")

    @property
    def team(self) -> str:
        return self.address.partition("/")[0]

    @property
    def path(self) -> str:
        return path_of(f"{self.kind}s", self.address)

    @property
    def page(self) -> str:
        return f"{self.client.site}/{self.kind}s/{self.address}"

    def info(self) -> AssetInfo:
        return AssetInfo.read(self.client.http.get(self.path))

    def create(self, *, description: str = "", task: str = "") -> AssetInfo:
        """Make it; Conflict when it exists."""
        team, _, name = self.address.partition("/")
        body = {"team": team, "name": name, "description": description, **({"task": task} if task else {})}
        return AssetInfo.read(self.client.http.post(f"/{self.kind}s", body))

    def versions(self) -> Iterator[Version]:
        """Newest first, drafts included."""
        return map(Version.read, self.client.http.every(f"{self.path}/versions"))

    def version(self, at: int | str = "latest") -> Version:
        """By number, by alias, or the latest registered one. NotFound when there is none."""
        if isinstance(at, int) or at.isdecimal():
            return Version.read(self.client.http.get(f"{self.path}/versions/{int(at)}"))
        if at != "latest":
            return Version.read(self.client.http.get(f"{self.path}{path_of('aliases', at)}")["version"])
        for version in self.versions():
            if version.is_registered:
                return version
        raise NotFound(404, {"detail": f"{self.address} has no registered version."})

    def files(self, version: int) -> list[RemoteFile]:
        """The manifest, by path."""
        return [
            RemoteFile.read(one) for one in self.client.http.every(f"{self.path}/versions/{version}/files", limit=200)
        ]

    def alias(self, name: str) -> Alias:
        return Alias.read(self.client.http.get(f"{self.path}{path_of('aliases', name)}"))

    def move_alias(self, name: str, version: int, *, reason: str = "") -> Alias:
        """Let an alias point at a registered version. ApprovalRequired where only an approved request moves it: it is open by then."""
        body = {"version": version, "reason": reason}
        return Alias.read(self.client.http.put(f"{self.path}{path_of('aliases', name)}", body))

    def promote(self, version: int, name: str, *, reason: str = "") -> Alias | ApprovalRequest:
        """Move the alias, or, where it is protected, ask for that: the request, which others decide on."""
        try:
            return self.move_alias(name, version, reason=reason)
        except ApprovalRequired as asked:
            return self.client.request(asked.request_id)

    def push(
        self,
        folder: Path | str,
        *,
        message: str = "",
        exclude: Iterable[str] = (),
        into: int | None = None,
        register: bool = True,
        threads: int = THREADS,
        progress: transfer.Progress | None = None,
    ) -> Version:
        """A folder (or one file) as a new version. `into`: the number of a draft to go on with; what it holds already is not
        sent again, and what the folder no longer has is taken out. When it breaks off the draft stays, to go on with."""
        local = folders.walk(Path(folder), exclude=exclude)
        if not local:
            raise FileNotFoundError(f"There are no files in {folder}.")
        manifest = folders.hashed(local, threads=threads)
        http, known = self.client.http, {}
        if into is None:
            number = http.post(f"{self.path}/versions", {"message": message})["number"]
        else:
            number, known = into, {one.path: one.sha256 for one in self.files(into)}
        here = f"{self.path}/versions/{number}"
        try:
            for path in known.keys() - {one.path for one in manifest}:
                http.delete(f"{here}{path_of('files', path)}")
            there = [one for one in manifest if known.get(one.path) == one.sha256]
            if progress and there:
                progress(sum(one.size for one in there))
            to_send = [
                (file, one) for file, one in zip(local, manifest, strict=True) if known.get(one.path) != one.sha256
            ]
            transfer.upload(http, here, to_send, team=self.team, threads=threads, progress=progress)
            if register:
                http.post(f"{here}/register")
        except BaseException as error:
            error.add_note(f"Draft {number} of {self.address} keeps what has arrived: push again into it to go on.")
            raise
        return self.version(number)

    def pull(
        self,
        at: int | str,
        folder: Path | str,
        *,
        only: Iterable[str] = (),
        threads: int = THREADS,
        progress: transfer.Progress | None = None,
    ) -> Version:
        """A version's files in a folder, each checked by its SHA-256. What is there already stays; `only`: patterns of paths."""
        version, target, patterns = self.version(at), Path(folder), list(only)
        files = [
            one
            for one in self.files(version.number)
            if not patterns or any(fnmatch(one.path, pattern) for pattern in patterns)
        ]
        target.mkdir(parents=True, exist_ok=True)
        here = f"{self.path}/versions/{version.number}"
        transfer.download(self.client.http, here, files, target, threads=threads, progress=progress)
        mark = {
            "site": self.client.site, "kind": self.kind, "asset": self.address, "version": version.number,
            "digest": version.digest,
        }  # fmt: skip
        (target / folders.MARK).write_text(json.dumps(mark, indent=2) + "\n")
        return version

    def verify(
        self, at: int | str, folder: Path | str | None = None, *, keys: Iterable[str] = ()
    ) -> verification.Verification:
        """Check a version without believing the site more than needed; see countersign.verification. `keys`: PEM public keys
        that you trust for approvals; without any, the site's own is fetched."""
        return verification.verify(self, at, Path(folder) if folder else None, list(keys))
