#!/usr/bin/env python3
"""Verifies an export of a Countersign ledger offline. Needs Python 3.9 or newer and nothing else.

    python countersign_verify.py EXPORT.jsonl CHECKPOINTS.txt --key NAME+HASH+BASE64 [--keys keys.json]
                                 [--previous OLD-CHECKPOINTS.txt ...]

EXPORT.jsonl      GET /api/v1/ledger/export?format=jsonl, of the whole ledger, or filtered
CHECKPOINTS.txt   GET /api/v1/ledger/checkpoints.txt
--key             a public key that you trust, as you noted it down when you first saw it (`text` in /api/v1/ledger/keys)
--keys            GET /api/v1/ledger/keys: together with --key, only those count that a trusted key hands over to
--previous        checkpoints that you kept from earlier: shows whether the log was forked or rolled back since

Says "intact" and ends with 0; or names the first event that was altered, dropped, reordered or inserted, and ends with 1;
ends with 2 when it can't tell. Every hash is computed here: nothing that the export says of itself is believed.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sha256 = hashlib.sha256
FIELDS = ("actor_email", "actor_name", "address", "after", "before", "reason", "target_label")
MOST_SHOWN = 10
MOST_TRIED = 120  # events in an interval in which swaps and moves are tried one by one


class Unreadable(Exception):
    """The input is not what it should be, so that nothing can be said."""


# Signatures


@dataclass(frozen=True)
class Key:
    name: str
    public: bytes
    from_size: int = 0
    to_size: float = float("inf")

    @property
    def hash(self) -> bytes:
        return sha256(self.name.encode() + b"\n\x01" + self.public).digest()[:4]

    @staticmethod
    def parse(text: str, from_size: int = 0, to_size: float = float("inf")) -> Key:
        """name+hash+base64(0x01 || key), as C2SP writes it; the name may hold no '+'."""
        try:
            name, hashed, encoded = text.strip().split("+", 2)
            data = base64.b64decode(encoded, validate=True)
        except ValueError as error:
            raise Unreadable(f"Not a verifier key (NAME+HASH+BASE64): {text}") from error
        key = Key(name, data[1:], from_size, to_size)
        if data[:1] != b"\x01" or len(data) != 33 or key.hash.hex() != hashed:
            raise Unreadable(f"Not an Ed25519 verifier key, or mistyped: {text}")
        return key


@dataclass(frozen=True)
class Note:
    """A signed note; of a checkpoint, size and root too."""

    text: str
    signatures: tuple[tuple[str, bytes], ...]
    size: int = 0
    root: bytes = b""

    def signed_by(self, keys: list[Key]) -> str:
        """Empty when a trusted key signed it, else what is wrong."""
        for key in keys:
            for name, signed in self.signatures:
                if name == key.name and signed[:4] == key.hash:
                    if not ed25519_verify(key.public, self.text.encode(), signed[4:]):
                        return "its signature is wrong"
                    if not key.from_size < self.size <= key.to_size and self.size:
                        return f"it is signed by a key that signs from {key.from_size} to {key.to_size} events only"
                    return ""
        return "no key that you trust has signed it"


def parse_notes(text: str) -> Iterator[Note]:
    """Notes one after the other, as in checkpoints.txt."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        try:
            end = lines.index("", at)
        except ValueError as error:
            raise Unreadable(f"Line {at + 1} of the checkpoints begins a note that has no signature.") from error
        body, at = lines[at:end], end + 1
        signatures = []
        while at < len(lines) and lines[at].startswith("— "):
            name, _, encoded = lines[at][2:].rpartition(" ")
            signatures.append((name, base64.b64decode(encoded)))
            at += 1
        try:
            size, root = int(body[1]), base64.b64decode(body[2])
        except (IndexError, ValueError) as error:
            raise Unreadable(f"The note before line {at + 1} is no checkpoint.") from error
        yield Note("".join(line + "\n" for line in body), tuple(signatures), size, root)


def trusted_keys(pinned: list[str], listed: list[dict[str, Any]]) -> list[Key]:
    """Pinned keys, and those that they hand over to; all that are listed where none is pinned."""
    rows = [Key.parse(row["text"], row["from_size"], row["to_size"] or float("inf")) for row in listed]
    if not pinned:
        return rows
    known = {key.public for key in map(Key.parse, pinned)}
    for row, key in zip(listed, rows):  # noqa: B905  Python 3.9
        if key.public in known or not row["endorsement"]:
            continue
        text, _, tail = row["endorsement"].rpartition("\n\n")
        signatures = tuple(
            (line[2:].rpartition(" ")[0], base64.b64decode(line.rpartition(" ")[2])) for line in tail.splitlines()
        )
        note = Note(text + "\n", signatures)
        expected = f"countersign ledger key rotation\n{key.name}\n{key.from_size}\n{row['text']}\n"
        if note.text == expected and not note.signed_by([old for old in rows if old.public in known]):
            known.add(key.public)
    ranged = [key for key in rows if key.public in known]
    return ranged + [key for key in map(Key.parse, pinned) if key.public not in {one.public for one in ranged}]


try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    QUICK = True
except ImportError:
    QUICK = False


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    if not QUICK:
        return slow_ed25519_verify(public, message, signature)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int, int, int]


def _add(a: Point, b: Point) -> Point:
    s, t = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    u, v = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = t - s, v - u, v + u, t + s
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(n: int, a: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    while n:
        if n & 1:
            total = _add(total, a)
        a, n = _add(a, a), n >> 1
    return total


def _point(data: bytes) -> Point | None:
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def slow_ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """RFC 8032, 5.1.7, in plain Python: some milliseconds."""
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r, s = _point(public), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    base = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    if a is None or r is None or base is None or s >= Q:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % Q
    left, right = _times(s, base), _add(r, _times(k, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# Canonical JSON (RFC 8785)


def canonical(value: Any) -> str:
    if isinstance(value, dict):
        rows = sorted(value.items(), key=lambda item: item[0].encode("utf-16-be"))
        return "{" + ",".join(f"{canonical(key)}:{canonical(item)}" for key, item in rows) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int) and abs(value) < 2**53:
        return str(value)
    try:
        return number(float(value))
    except OverflowError:
        return "null"


def number(value: float) -> str:
    """A double as ECMAScript writes it; one beyond all doubles is null."""
    if value != value or abs(value) == float("inf"):
        return "null"
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    digits, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = digits.partition(".")
    fraction = "" if fraction == "0" else fraction
    point = len(whole) + int(exponent or 0)
    text = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(text)
    text = text.rstrip("0")
    if len(text) <= point <= 21:
        return sign + text + "0" * (point - len(text))
    if 0 < point <= 21:
        return f"{sign}{text[:point]}.{text[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{text}"
    mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
    return f"{sign}{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"


# The tree (RFC 9162)


def grow(stack: list[bytes], size: int, leaf: bytes) -> None:
    """Append a leaf to a tree of `size` leaves, whose complete subtrees are on the stack."""
    while size & 1:
        leaf = sha256(b"\x01" + stack.pop() + leaf).digest()
        size >>= 1
    stack.append(leaf)


def root_of(stack: list[bytes]) -> bytes:
    if not stack:
        return sha256(b"").digest()
    root = stack[-1]
    for left in reversed(stack[:-1]):
        root = sha256(b"\x01" + left + root).digest()
    return root


def root_by_path(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """The root that an inclusion path leads to (2.1.3.2); None when the path does not fit."""
    node, last = index, size - 1
    for step in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            leaf = sha256(b"\x01" + step + leaf).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            leaf = sha256(b"\x01" + leaf + step).digest()
        node, last = node >> 1, last >> 1
    return leaf if last == 0 else None


# Lines of an export

_LEAF = b'","leaf":'
_FIRST = b',"openings":{"actor_email":{"salt":"'
_BETWEEN = tuple(b'},"%s":{"salt":"' % name.encode() for name in FIELDS[1:])
_FRAMES = [b'","value":'] * len(FIELDS)
_COMMITMENTS = b'"commitments":{' + b",".join(b'"%s":"%%b"' % name.encode() for name in FIELDS) + b"}"
_END = b"}}}\n"


def quick_check(
    line: bytes, index: int, find: Any = bytes.find, unhex: Any = binascii.a2b_hex, sha: Any = sha256
) -> bytes | None:
    """The leaf's hash, when this is exactly the line that an untouched event gives; None: look more closely. It compares
    bytes, parses nothing, and accepts only what fills the template with committed values."""
    head = b'{"index":%d,"hash":"' % index
    at = len(head) + 64
    if not line.startswith(head) or line[at : at + 9] != _LEAF:
        return None
    cut = find(line, _FIRST, at)
    leaf = line[at + 9 : cut]
    hashed = sha256(b"\x00" + leaf).digest()
    if cut < 0 or line[at - 64 : at] != hashed.hex().encode():
        return None
    parts = []
    at = cut + 36
    for marker in _BETWEEN:
        end = find(line, marker, at)
        parts.append(line[at:end])
        at = end + len(marker)
    parts.append(line[at:-4])
    if line[-4:] != _END:
        return None
    try:
        # Each part is 32 digits of salt, 10 bytes of frame and the value.
        made = [sha(unhex(part[:32]) + part[42:]).hexdigest().encode() for part in parts]
    except ValueError:
        return None
    if [part[32:42] for part in parts] != _FRAMES:
        return None
    return hashed if _COMMITMENTS % tuple(made) in leaf else None


def slow_check(row: dict[str, Any]) -> tuple[bytes, str]:
    """The leaf's hash as it was sealed, and what is wrong with the event; empty when nothing is."""
    sealed = bytes.fromhex(row["hash"])
    leaf = row["leaf"]
    if leaf is None:
        return sealed, f"event {row.get('event_id')} was dropped: its row is gone"
    name = f"event {leaf.get('id')} ({leaf.get('action')}, {leaf.get('at')})"
    if sha256(b"\x00" + canonical(leaf).encode()).digest() != sealed:
        if row.get("event_id") not in (None, leaf.get("id")):
            return sealed, f"{name} stands where event {row['event_id']} was sealed"
        return sealed, f"{name} was altered: its facts are not those that were sealed"
    for field in FIELDS:
        opening = row["openings"].get(field)
        if opening is None:
            continue  # erased: the commitment still stands in the leaf
        made = sha256(bytes.fromhex(opening["salt"]) + canonical(opening["value"]).encode()).hexdigest()
        if made != leaf["commitments"].get(field):
            return sealed, f"{name} was altered: its {field} is not what was sealed"
    return sealed, ""


# The whole log


class Verifier:
    def __init__(self, keys: list[Key], notes: list[Note], previous: list[Note]) -> None:
        self.keys, self.previous = keys, previous
        self.problems: list[str] = []
        self.notes: dict[int, list[tuple[Note, bool]]] = {}
        for old, found in ((False, notes), (True, previous)):
            for note in found:
                self.notes.setdefault(note.size, []).append((note, old))
        self.last = 0  # how many events the export says it has, which a checkpoint must bear out
        self.stack: list[bytes] = []
        self.size = 0
        self.good: tuple[int, list[bytes]] = (0, [])  # the last tree that a checkpoint bears out
        self.since: list[bytes] = []
        self.ids: list[Any] = []
        self.stop = False
        self.erased = 0

    def complain(self, text: str) -> None:
        self.problems.append(text)

    def take(self, hashed: bytes, event_id: Any) -> None:
        """The next leaf, as it was sealed."""
        grow(self.stack, self.size, hashed)
        self.size += 1
        self.since.append(hashed)
        self.ids.append(event_id)
        if self.size in self.notes:
            self.check()

    def check(self) -> None:
        """Does the tree so far have the root that was signed?"""
        root = root_of(self.stack)
        matched = True
        for note, old in self.notes[self.size]:
            wrong = ""
            # Where signatures are slow, those that say nothing new are left out: the last one is over all of this.
            if QUICK or old or self.size == self.last or note.root != root:
                wrong = note.signed_by(self.keys)
            what = "checkpoint that you kept" if old else "checkpoint"
            if wrong:
                self.complain(f"the {what} of {self.size} events can't be trusted: {wrong}")
            elif note.root != root and old:
                self.complain(
                    f"the log was FORKED: at {self.size} events it has another history than the checkpoint that you kept; the first "
                    f"difference is {self.between()}"
                )
                self.stop = True
            elif note.root != root:
                matched = False
        if not matched and not self.stop:
            self.complain(self.explain(next(note.root for note, old in self.notes[self.size] if not old)))
            self.stop = True
        elif not self.stop:
            self.good, self.since, self.ids = (self.size, list(self.stack)), [], []

    def between(self) -> str:
        ids = [one for one in self.ids if one is not None]
        named = f" (events {ids[0]} to {ids[-1]})" if ids else ""
        return f"between index {self.good[0]} and {self.size - 1}{named}"

    def _root_with(self, leaves: list[bytes]) -> bytes:
        stack, size = list(self.good[1]), self.good[0]
        for leaf in leaves:
            grow(stack, size, leaf)
            size += 1
        return root_of(stack)

    def explain(self, root: bytes) -> str:
        """The tree does not have the signed root: which event, as far as hashes can tell?"""
        first, leaves = self.good[0], self.since
        if len(leaves) <= MOST_TRIED:
            for i in range(len(leaves)):
                for j in range(i + 1, len(leaves)):
                    swapped = list(leaves)
                    swapped[i], swapped[j] = swapped[j], swapped[i]
                    if self._root_with(swapped) == root:
                        return (
                            f"index {first + i}: event {self.ids[i]} was reordered: it and event {self.ids[j]} (index {first + j}) "
                            "have changed places"
                        )
                    moved = list(leaves)
                    moved.insert(j, moved.pop(i))
                    back = list(leaves)
                    back.insert(i, back.pop(j))
                    if root in (self._root_with(moved), self._root_with(back)):
                        return f"index {first + i}: event {self.ids[i]} was reordered within index {first + i} to {first + j}"
        return (
            f"the events {self.between()} are not those that were sealed: one of them was altered, dropped, reordered or "
            "inserted together with its hash. The signed checkpoint before them still holds"
        )

    def inserted(self, following: bytes) -> str:
        """After a mismatch: would leaving one event out, and taking the next one in, give the signed root?"""
        roots = [note.root for note, old in self.notes.get(self.size, []) if not old]
        for i in range(len(self.since) if len(self.since) <= 2000 else 0):
            if self._root_with(self.since[:i] + self.since[i + 1 :] + [following]) in roots:
                return f"index {self.good[0] + i}: event {self.ids[i]} was inserted: without it the signed checkpoint holds"
        return ""

    def end(self) -> None:
        if self.stop:
            return
        if self.size < self.last:
            self.complain(
                f"index {self.size}: the events from here on were dropped: the export ends, and the last checkpoint is of {self.last}"
            )
        elif self.size > self.last:
            self.complain(f"index {self.last}: the events from here on are under no checkpoint: they were inserted")
        for note in self.previous:
            if note.size > self.size:
                self.complain(
                    f"the log was ROLLED BACK: you kept a checkpoint of {note.size} events, and now there are {self.size}"
                )
                break


def read_whole(path: Path, verifier: Verifier) -> None:
    """Every event in order, against every checkpoint."""
    ended = False
    with path.open("rb") as file:
        for line in file:
            hashed = quick_check(line, verifier.size)
            if hashed is not None and not verifier.stop:
                at = line.find(b',"id":')
                verifier.take(hashed, int(line[at + 6 : line.find(b",", at + 6)]))
                continue
            row = read_line(line)
            if verifier.stop:
                if "hash" in row and (found := verifier.inserted(bytes.fromhex(row["hash"]))):
                    verifier.problems[-1] = found
                return
            ended = "end" in row
            if "countersign_ledger_export" in row:
                if row["from_index"] != verifier.size:
                    raise Unreadable(f"This part begins at index {row['from_index']}, and {verifier.size} is next.")
                verifier.last = row["tree_size"]
                if verifier.last and not any(not old for _, old in verifier.notes.get(verifier.last, [])):
                    raise Unreadable(f"The checkpoints lack the one of {verifier.last} events: fetch them again.")
            elif row.get("inserted"):
                verifier.complain(f"event {row['event_id']} was inserted behind the sealer's back: it is in no tree")
            elif "index" in row:
                take_row(row, verifier)
    if not ended:
        raise Unreadable(
            f"The export is cut short after {verifier.size} events: fetch the rest with from_index={verifier.size} and append it."
        )


def take_row(row: dict[str, Any], verifier: Verifier) -> None:
    """A line that is not as usual: gaps, duplicates, erased texts, or an altered event."""
    index = row["index"]
    if index < verifier.size:
        verifier.complain(f"index {index}: it comes twice, or after a higher one: the lines were reordered")
        verifier.stop = True
        return
    if index > verifier.size:
        missing = "event" if index == verifier.size + 1 else f"{index - verifier.size} events"
        verifier.complain(f"index {verifier.size}: the {missing} before index {index} was dropped")
        verifier.stop = True
        return
    hashed, wrong = slow_check(row)
    if wrong:
        verifier.complain(f"index {index}: {wrong}")
    verifier.erased += sum(one is None for one in row["openings"].values())
    verifier.take(hashed, (row["leaf"] or {}).get("id", row.get("event_id")))


def read_line(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise Unreadable(f"Not a line of an export: {line[:80]!r}")
    return row


def read_filtered(path: Path, notes: dict[int, list[Note]], keys: list[Key], complain: Any) -> int:
    """Events of a filtered export: each is checked by the path that it carries; how many there were."""
    count, size, root, ended = 0, 0, b"", False
    with path.open("rb") as file:
        for line in file:
            row = read_line(line)
            ended = "end" in row
            if "countersign_ledger_export" in row:
                size = row["tree_size"]
                if size not in notes:
                    raise Unreadable(
                        f"The checkpoints lack the one of {size} events, which this export was made under."
                    )
                root = notes[size][0].root
                if wrong := notes[size][0].signed_by(keys):
                    complain(f"the checkpoint of {size} events can't be trusted: {wrong}")
            elif "index" in row:
                count += 1
                hashed, wrong = slow_check(row)
                path_ = [base64.b64decode(step) for step in row["path"]]
                if not wrong and root_by_path(hashed, row["index"], size, path_) != root:
                    wrong = f"event {row['leaf']['id']} is not under the signed checkpoint: it was inserted or altered"
                if wrong:
                    complain(f"index {row['index']}: {wrong}")
    if not ended:
        raise Unreadable("The export is cut short: its last line is missing.")
    return count


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", type=Path)
    parser.add_argument("checkpoints", type=Path)
    parser.add_argument("--key", action="append", default=[])
    parser.add_argument("--keys", type=Path)
    parser.add_argument("--previous", action="append", default=[], type=Path)
    given = parser.parse_args(arguments)
    try:
        return verify(given)
    except (Unreadable, OSError, KeyError, TypeError, ValueError) as error:
        print(f"CAN'T TELL: {error}", file=sys.stderr)
        return 2


def verify(given: argparse.Namespace) -> int:
    keys = trusted_keys(given.key, json.loads(given.keys.read_text()) if given.keys else [])
    if not keys:
        raise Unreadable("Name a public key that you trust with --key, or a file of keys with --keys.")
    notes = list(parse_notes(given.checkpoints.read_text("utf-8")))
    previous = [note for path in given.previous for note in parse_notes(path.read_text("utf-8"))]
    with given.export.open("rb") as file:
        head = read_line(file.readline())
    verifier = Verifier(keys, notes, previous)
    if head.get("complete") is False:
        by_size: dict[int, list[Note]] = {}
        for note in notes:
            by_size.setdefault(note.size, []).append(note)
        count = read_filtered(given.export, by_size, keys, verifier.complain)
        done = (
            f"each of the {count} events of this filtered export is under the signed checkpoint of {head['tree_size']}"
        )
    else:
        read_whole(given.export, verifier)
        verifier.end()
        done = f"{verifier.size} events are as they were sealed, under {len(notes)} signed checkpoints"
        done += f", and {len(previous)} that you kept" if previous else ""
    newest = max((note.size for note in notes), default=0)
    if newest > max(verifier.size, head.get("tree_size", 0)):
        done += f". The checkpoints go on to {newest} events: export again for the rest"
    if verifier.erased:
        done += f"; {verifier.erased} texts in them were erased, and what they were is proven no more"
    if not verifier.problems:
        print(f"INTACT: {done}.")
        return 0
    print(f"NOT INTACT: {verifier.problems[0]}.")
    for problem in verifier.problems[1:MOST_SHOWN]:
        print(f"  also: {problem}.")
    if len(verifier.problems) > MOST_SHOWN:
        print(f"  and {len(verifier.problems) - MOST_SHOWN} more.")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
