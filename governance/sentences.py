"""Ledger events in words a person reads: 'Bob approved request …', and what changed."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts.matching import Budget, Matcher, TooMuch

# What somebody did, before the name of what it was done to; others are made of the action's own words.
_VERBS = {
    "user.signed_in": "signed in as",
    "user.sign_in_failed": "failed to sign in as",
    "user.signed_out": "signed out as",
    "user.password_changed": "changed the password of",
    "role.granted": "granted a role to",
    "role.revoked": "revoked a role of",
    "run.finished": "finished run",
    "evaluation.finished": "finished evaluation",
    "playground_run.started": "tried prompts in the playground:",
    "playground_run.reopened": "asked again in the playground:",
    "playground_run.cancelled": "cancelled in the playground:",
    "playground_run.finished": "finished in the playground:",
    "playground_run.kept": "kept an answer as an example, from the playground:",
    "deployment.priced": "set what tokens cost of deployment",
    "test_suite.changed": "changed",
    "test_run.started": "started the tests of",
    "test_run.taken_up": "took up the tests of",
    "test_run.cancelled": "cancelled the tests of",
    "test_run.finished": "finished the tests of",
    "deployment.state_changed": "saw a new state of deployment",
    "deployment.refused": "was refused deployment",
    "evidence.deposited": "deposited evidence",
    # The labels of these say what they are: 'acme/dates version 2'.
    "version.created": "began",
    "version.registered": "registered",
    "version.discarded": "discarded",
    "version.archived": "archived",
    "version.restored": "restored",
    "version.deleted": "deleted",
    "asset.created": "created",
    "asset.updated": "changed",
    "asset.renamed": "renamed",
    "asset.archived": "archived",
    "asset.restored": "restored",
    "asset.deleted": "deleted",
    "version.described": "described",
    "version.linked": "noted where it comes from:",
    "version.signed": "signed",
    "version.scan_asked": "asked for another scan of",
    "conversion.started": "asked for safetensors of",
    "conversion.finished": "finished the conversion of",
    "version.purged": "removed for ever the files of",
    "version.tag_set": "set a tag of",
    "version.tag_removed": "removed a tag of",
    "asset.tag_set": "set a tag of",
    "asset.tag_removed": "removed a tag of",
    "prompt.tag_set": "set a tag of",
    "prompt.tag_removed": "removed a tag of",
    "prompt_version.tag_set": "set a tag of",
    "prompt_version.tag_removed": "removed a tag of",
    "asset.purged": "removed for ever the files of",
    "file.uploaded": "uploaded a file to",
    "file.removed": "removed a file from",
    "file.downloaded": "downloaded from",
    "blob.damaged": "found damage in",
    "blob.mended": "found whole again",
    "access.asked": "asked for the files of",
    "access.granted": "gave access to the files of",
    "access.denied": "denied access to the files of",
    "access.withdrawn": "withdrew a request for the files of",
    "run.started": "started run",
    "evaluation.taken_up": "took up evaluation",
    "mfa.enabled": "added a second factor of",
    "mfa.renamed": "renamed a second factor of",
    "mfa.disabled": "removed a second factor of",
    "view.saved": "saved the ledger view",
    "view.changed": "changed the ledger view",
    "view.removed": "removed the ledger view",
    "ledger.exported": "exported",
    "prompts.exported": "exported the prompts of",
    "ledger_key.rotated": "rotated the ledger's signing key to",
    "model_key.rotated": "took a new key for the signatures of versions:",
    "personal_data.erased": "erased personal data of",
    "out_of_band.changed": "changed, behind the application's back,",
}
_ICONS = {
    "user": "user", "team": "users", "role": "user-plus", "group": "users", "key": "key", "session": "login", "passkey": "fingerprint",
    "access": "lock", "asset": "box", "version": "box", "file": "file", "blob": "file", "alias": "tag", "branch": "git-branch", "label": "tag",
    "prompt": "message-2",
    "prompt_version": "message-2", "prompt_branch": "git-branch", "policy": "checklist", "evidence": "certificate", "request": "rubber-stamp",
    "delegation": "arrows-exchange", "run": "activity", "experiment": "flask", "logged_model": "box", "evaluation": "flask", "test_suite": "checklist", "test_run": "checklist", "deployment": "rocket", "playground_run": "player-play", "webhook": "webhook",
    "ledger": "book-2", "conversion": "refresh", "view": "bookmark", "personal_data": "user-off", "out_of_band": "alert-triangle",
}  # fmt: skip


def verb_of(action: str) -> str:
    """'approved request' of 'request.approved'."""
    noun, _, verb = action.partition(".")
    return _VERBS.get(action) or f"{verb} {noun}".replace("_", " ")


def icon_of(action: str) -> str:
    return _ICONS.get(action.partition(".")[0], "timeline-event")


@dataclass(frozen=True)
class Change:
    """One line of the difference. kind: added, removed, changed, text (long: shown as a difference of lines) or same."""

    path: str
    kind: str
    before: Any = None
    after: Any = None
    words: list[tuple[str, str]] = field(default_factory=list)


def changes(before: Any, after: Any) -> list[Change]:
    """What differs between two JSON values, by path, the keys that stayed the same left out."""
    return list(_changes("", before if before is not None else {}, after if after is not None else {}))


def _changes(path: str, before: Any, after: Any) -> Iterator[Change]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*after, *(key for key in before if key not in after)]:
            inner = f"{path}.{key}" if path else str(key)
            if key not in before:
                yield from _whole(inner, "added", after[key])
            elif key not in after:
                yield from _whole(inner, "removed", before[key])
            else:
                yield from _changes(inner, before[key], after[key])
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(path, before, after)
    elif before != after or type(before) is not type(after):
        if isinstance(before, str) and isinstance(after, str):
            if "\n" in before or "\n" in after:
                yield Change(path, "text", before, after)
            else:
                yield Change(path, "changed", before, after, words(before, after))
        else:
            yield Change(path, "changed", before, after)


def _lists(path: str, before: list[Any], after: list[Any]) -> Iterator[Change]:
    """Lists of the same length are compared in place, others by what came and went."""
    if len(before) == len(after):
        for place, (old, new) in enumerate(zip(before, after, strict=True), start=1):
            yield from _changes(f"{path}[{place}]", old, new)
        return
    for place, value in enumerate(before, start=1):
        if value not in after:
            yield Change(f"{path}[{place}]", "removed", before=value)
    for place, value in enumerate(after, start=1):
        if value not in before:
            yield Change(f"{path}[{place}]", "added", after=value)


def _whole(path: str, kind: str, value: Any) -> Iterator[Change]:
    """A value that came or went; the keys of an object one by one."""
    if isinstance(value, Mapping) and value:
        for key in value:
            yield from _whole(f"{path}.{key}", kind, value[key])
    else:
        yield Change(path, kind, **{"after" if kind == "added" else "before": value})


def words(before: str, after: str) -> list[tuple[str, str]]:
    """(same|removed|added, text) pieces of two texts, by word; none when hardly anything is alike."""
    a, b = re.findall(r"\w+|\s+|.", before), re.findall(r"\w+|\s+|.", after)
    try:
        matcher = Matcher(a, b, Budget(2_000_000))
        if len(a) * len(b) > 250_000 or matcher.ratio() < 0.4:
            return []
    except TooMuch:
        return []
    pieces: list[tuple[str, str]] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            pieces.append(("same", "".join(a[i1:i2])))
            continue
        if i2 > i1:
            pieces.append(("removed", "".join(a[i1:i2])))
        if j2 > j1:
            pieces.append(("added", "".join(b[j1:j2])))
    return pieces
