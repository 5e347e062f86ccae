"""Leaving checkpoints where the database's administrator does not rule: in a file, and with a timestamp service (RFC 3161).

Anchoring never stops sealing. A failure is written down, shown in the ledger's status and tried again."""

import os
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)
from rfc3161_client.tsp import PKIStatus

from governance.ledger.models import Anchor, Checkpoint
from governance.ledger.proofs import last_checkpoint

_LOCK = 0xA2C402
_WAIT_S = 20
_MOST_ANSWER = 1024 * 1024


class AnchorFailed(Exception):
    """The checkpoint did not get there; the message says why."""


def places() -> dict[str, str]:
    """Kind and place of each anchor that is configured."""
    configured = {
        Anchor.Kind.FILE.value: settings.LEDGER_ANCHOR_PATH,
        Anchor.Kind.TIMESTAMP.value: settings.LEDGER_TSA_URL,
    }
    return {kind: place for kind, place in configured.items() if place}


def anchor() -> int:
    """Send the latest checkpoint to each place where it is due; how many got there. Safe to run twice and at once."""
    done = 0
    for kind, place in places().items():
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
                if not cursor.fetchone()[0]:
                    return done
            checkpoint = last_checkpoint()
            if checkpoint and _is_due(kind, place, checkpoint):
                done += _send(kind, place, checkpoint)
    return done


def _is_due(kind: str, place: str, checkpoint: Checkpoint) -> bool:
    last = Anchor.objects.filter(kind=kind, place=place).order_by("-id").first()
    if last is None:
        return True
    if last.tree_size >= checkpoint.tree_size and not last.error:
        return False
    return timezone.now() - last.at >= timedelta(seconds=settings.LEDGER_ANCHOR_EVERY_S)


def _send(kind: str, place: str, checkpoint: Checkpoint) -> bool:
    send = _SENDERS[kind]
    error, receipt = "", None
    try:
        receipt = send(place, checkpoint)
    except (AnchorFailed, OSError, ValueError) as wrong:
        error = str(wrong) or type(wrong).__name__
    Anchor.objects.create(kind=kind, place=place, tree_size=checkpoint.tree_size, error=error[:2000], receipt=receipt)
    return not error


def _to_file(place: str, checkpoint: Checkpoint) -> None:
    """A folder gets a file per checkpoint, whole or not at all; a file gets the note at its end."""
    path = Path(place)
    if not path.is_dir():
        with path.open("a", encoding="utf-8") as file:
            file.write(checkpoint.note)
            file.flush()
            os.fsync(file.fileno())
        return
    partial = path / f".checkpoint-{checkpoint.tree_size}.partial"
    with partial.open("w", encoding="utf-8") as file:
        file.write(checkpoint.note)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path / f"checkpoint-{checkpoint.tree_size:012}.txt")


def _to_timestamp_service(place: str, checkpoint: Checkpoint) -> bytes:
    """The service's answer (DER), whose signature and content were verified. The time stamp is over the note's bytes."""
    data = checkpoint.note.encode()
    asked = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).build()
    request = urllib.request.Request(  # noqa: S310  the operator's own address, of http or https (see settings)
        place, data=asked.as_bytes(), headers={"Content-Type": "application/timestamp-query"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_WAIT_S) as answer:  # noqa: S310
            body: bytes = answer.read(_MOST_ANSWER)
    except urllib.error.URLError as error:
        raise AnchorFailed(f"The timestamp service can't be reached: {error}") from error
    response = decode_timestamp_response(body)
    if response.status != PKIStatus.GRANTED:
        raise AnchorFailed(f"The timestamp service refused: {response.status_string or response.status}")
    builder = VerifierBuilder.from_request(asked)
    for root in trusted_roots():
        builder = builder.add_root_certificate(root)
    try:
        builder.build().verify_message(response, data)
    except VerificationError as error:
        raise AnchorFailed(f"The time stamp does not verify: {error}") from error
    return body


def trusted_roots() -> list[x509.Certificate]:
    """The certificates that a time stamp must lead to: those of LEDGER_TSA_CERTIFICATES (a PEM file)."""
    if not settings.LEDGER_TSA_CERTIFICATES:
        raise AnchorFailed(
            "LEDGER_TSA_CERTIFICATES is not set: name a PEM file with the root of the timestamp service."
        )
    return x509.load_pem_x509_certificates(Path(settings.LEDGER_TSA_CERTIFICATES).read_bytes())


_SENDERS: dict[str, Callable[[str, Checkpoint], bytes | None]] = {
    Anchor.Kind.FILE.value: _to_file,
    Anchor.Kind.TIMESTAMP.value: _to_timestamp_service,
}


def shown() -> list[dict[str, Any]]:
    """Per configured place: the last checkpoint that got there, and how the last attempt went."""
    found = []
    for kind, place in places().items():
        rows = Anchor.objects.filter(kind=kind, place=place).order_by("-id")
        last, good = rows.first(), rows.filter(error="").first()
        found.append(
            {
                "kind": kind,
                "place": place,
                "tree_size": good.tree_size if good else 0,
                "at": good.at if good else None,
                "error": last.error if last else "",
            }
        )
    return found
