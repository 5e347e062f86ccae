"""Which policy holds for what."""

from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatchcase

from django.db.models import Q

from accounts.models import Team
from governance.models import Policy, PolicyVersion
from governance.stages import ALWAYS_PROTECTED


def name_of(asset_label: str) -> str:
    """The part of team/name that patterns are held against."""
    return asset_label.partition("/")[2] or asset_label


def closest(policies: Sequence[Policy], asset_label: str) -> Policy | None:
    """The one whose pattern fits the name most closely: an exact name before a pattern, longer before shorter, newer before older."""
    name = name_of(asset_label)
    fitting = [policy for policy in policies if fnmatchcase(name, policy.pattern)]
    return max(fitting, key=lambda p: (p.pattern == name, len(p.pattern.replace("*", "")), p.pk), default=None)


def policy_for(
    team: Team, kind: str, asset_label: str, stage: str, *, as_of: datetime | None = None
) -> PolicyVersion | None:
    """The version in force of the policy that holds for this; `as_of`: the one that was in force then."""
    rows = Policy.objects.filter(team=team, kind=kind, stage=stage)
    if as_of is None:
        best = closest(list(rows.filter(removed_at=None).select_related("current__policy")), asset_label)
        return best.current if best else None
    then = rows.filter(Q(removed_at=None) | Q(removed_at__gt=as_of), created_at__lte=as_of)
    best = closest(list(then), asset_label)
    if best is None:
        return None
    return best.versions.filter(created_at__lte=as_of).select_related("policy").order_by("-number").first()


def is_protected(team: Team, kind: str, asset_label: str, stage: str) -> bool:
    """Does a move to this stage need an approval?"""
    return bool(stage) and (stage in ALWAYS_PROTECTED or policy_for(team, kind, asset_label, stage) is not None)
