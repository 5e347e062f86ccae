"""What an auditor may ask for."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Filter:
    """actor: a part of a name or e-mail, of now or then; asset: a part of a label, or a digest; action: one, a noun, or the
    beginning of one; flagged: out-of-band changes alone; times with zone. about: one thing's life, 'model:7'; of a person
    ('user:7') and of a key ('key:abc') also what they did."""

    actor: str = ""
    asset: str = ""
    action: str = ""
    after: datetime | None = None
    before: datetime | None = None
    team: str = ""
    door: str = ""
    key: str = ""
    request: str = ""
    about: tuple[str, ...] = ()
    flagged: bool = False
