"""Addresses as they are typed: [models/|datasets/]team/name[@alias|:number]."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ADDRESS = re.compile(
    r"(?:(?P<kind>models|datasets)/)?(?P<address>[^/@:\s]+/[^/@:\s]+)(?:@(?P<alias>[^/@:\s]+)|:v?(?P<number>[0-9]{1,9}))?"
)


@dataclass(frozen=True)
class Address:
    """`at`: an alias, a number, or '' where none was named."""

    kind: str
    asset: str
    at: int | str

    def __str__(self) -> str:
        at = f":{self.at}" if isinstance(self.at, int) else f"@{self.at}" if self.at else ""
        return f"{'datasets/' if self.kind == 'dataset' else ''}{self.asset}{at}"


def parse(text: str) -> Address:
    """ValueError for what is no address."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError(
            f"'{text}' is no address. Write team/name, team/name@alias or team/name:3, and datasets/team/name for a dataset."
        )
    number = match["number"]
    return Address((match["kind"] or "models")[:-1], match["address"], int(number) if number else match["alias"] or "")
