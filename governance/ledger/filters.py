"""What an auditor may ask for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Filter:
    """actor: a part of a name or e-mail, of now or then; asset: a part of a label, or a digest; action: one, a noun, or the
    beginning of one; about: exactly these things, 'model:7'; flagged: out-of-band changes alone; times with zone."""

    actor: str = ""
    asset: str = ""
    action: str = ""
    after: datetime | None = None
    before: datetime | None = None
    team: str = ""
    door: str = ""
    key: str = ""
    request: str = ""
    about: Sequence[str] = ()
    flagged: bool = False
