"""How the ledger fares: sealed how far, how late, anchored where."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from governance.ledger import anchors, keys, sealer
from governance.ledger.proofs import last_checkpoint
from governance.ledger.tree import TreeDamaged

LATE_S = 10.0


def status() -> dict[str, Any]:
    last = last_checkpoint()
    return {
        "tree_size": last.tree_size if last else 0,
        "checkpoint_at": last.at if last else None,
        "lag_s": round(sealer.lag_s(), 3),
        "problem": problem(),
        "anchors": anchors.shown(),
    }


def problem() -> str:
    """Why the sealer would refuse to go on; empty when it would not."""
    try:
        with transaction.atomic():
            if last_checkpoint():
                keys.current()
            sealer.read_frontier(sealer.find_place().size)
    except (keys.KeyUnknown, TreeDamaged, ImproperlyConfigured) as error:
        return str(error)
    return ""
