"""Names that move: what they pointed at when something was tested, and that they point elsewhere now.

Whoever moves a label or an alias that evidence may have been gathered through deposits where it points from then on; evidence notes
where it pointed. Governance compares the two and needs to know nothing of the apps above."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accounts.access import Actor
from accounts.models import Team
from governance.actions.evidence import deposit_evidence
from governance.digests import digest_of
from governance.ledger.actions import Target
from governance.models import Evidence


@dataclass(frozen=True)
class Name:
    """A label or alias of an asset. kind: prompt, model or dataset; `asset`: team/name."""

    kind: str
    asset_id: int
    asset: str
    slot: str
    team_id: int

    @property
    def key(self) -> str:
        """What it is found by, whatever the asset is called."""
        return digest_of({"pointer": [self.kind, self.asset_id, self.slot]})

    def at(self, version: int, digest: str) -> dict[str, Any]:
        """'It pointed there': a line of evidence's `pointers`."""
        return {
            "key": self.key,
            "team": self.team_id,
            "name": f"{self.asset}@{self.slot}",
            "version": version,
            "digest": digest,
        }


def deposit_pointer(
    name: Name, *, team: Team, version: int | None, digest: str, by: Actor, also: Sequence[Target] = ()
) -> None:
    """From now on it points at this version (None: at nothing)."""
    deposit_evidence(
        team=team,
        kind=Evidence.Kind.POINTER,
        subject_digest=name.key,
        label=f"{name.asset}@{name.slot}"[:300],
        payload={"version": version, "digest": digest},
        by=by,
        also=also,
    )
