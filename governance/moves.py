"""What a request is about, in terms that governance can keep without knowing the apps above it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from accounts.models import Team
from governance.stages import stage_of


@dataclass(frozen=True)
class Pointer:
    """A version that an alias or label points at."""

    version_id: int
    number: int
    digest: str


@dataclass(frozen=True)
class Move:
    """'Let `slot` of this asset point at exactly these bytes.' kind: model, dataset or prompt; asset_label: team/name."""

    team: Team
    kind: str
    asset_id: int
    asset_label: str
    version_id: int
    version_number: int
    digest: str
    slot: str
    author_ids: Sequence[int] = field(default_factory=tuple)
    previous: Pointer | None = None

    @property
    def stage(self) -> str:
        return stage_of(self.slot)
