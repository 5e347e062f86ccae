"""Keeping evidence."""

from collections.abc import Sequence
from typing import Any

from accounts.access import Actor
from accounts.models import Team
from governance import clock
from governance.digests import digest_of
from governance.ledger.actions import Action, Target, record
from governance.models import Evidence


def deposit_evidence(
    *,
    team: Team,
    kind: str,
    subject_digest: str,
    label: str,
    payload: dict[str, Any],
    by: Actor,
    link: str = "",
    also: Sequence[Target] = (),
) -> Evidence:
    """Keep a statement about exactly these bytes; whoever decides later is shown it. Called in the depositor's transaction."""
    digest = digest_of({"kind": kind, "subject": subject_digest, "payload": payload})
    evidence = Evidence.objects.create(
        team=team,
        kind=kind,
        subject_digest=subject_digest,
        label=label,
        payload=payload,
        link=link,
        digest=digest,
        created_at=clock.now(),  # policies ask what there was at a moment: one clock for all
    )
    record(
        Action.EVIDENCE_DEPOSITED,
        by=by,
        team=team.name,
        target=Target("evidence", evidence.pk, label, digest),
        also=also,
        after={"kind": kind, "subject_digest": subject_digest, "payload": payload},
    )
    return evidence
