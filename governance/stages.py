"""Stages: the environments that aliases, labels and deployments belong to."""

from enum import StrEnum


class Stage(StrEnum):
    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


# Protected whether or not a team wrote a policy. Any other stage is protected by a policy that names it.
ALWAYS_PROTECTED = frozenset({Stage.PRODUCTION.value})


def stage_of(slot: str) -> str:
    """The stage that an alias or label belongs to: the one it is named after, else none ('')."""
    return slot if slot in set(Stage) else ""
