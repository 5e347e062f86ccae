"""The sections of the left navigation, and who sees which."""

from dataclasses import dataclass

from accounts.access import Actor, team_ids
from accounts.roles import Permission


@dataclass(frozen=True)
class Section:
    title: str
    address: str
    icon: str
    current: bool = False
    group: str = ""
    # The second key after 'g'.
    key: str = ""


@dataclass(frozen=True)
class _Entry:
    title: str
    address: str
    icon: str
    group: str
    key: str
    permission: Permission | None = None
    also: tuple[str, ...] = ()  # where else its pages stand


_ENTRIES = [
    _Entry("Inbox", "/requests/", "inbox", "", "i"),
    _Entry("Models", "/models/", "box", "Assets", "m", Permission.ASSET_VIEW),
    _Entry("Datasets", "/datasets/", "database", "Assets", "d", Permission.ASSET_VIEW),
    _Entry("Prompts", "/prompts/", "message-2", "Assets", "p", Permission.ASSET_VIEW, ("/prompt-tests/",)),
    _Entry("Playground", "/playground/", "player-play", "Work", "t", Permission.ASSET_VIEW),
    _Entry("Evaluations", "/evaluations/", "flask", "Work", "e", Permission.ASSET_VIEW),
    _Entry("Experiments", "/experiments/", "chart-line", "Work", "x", Permission.ASSET_VIEW),
    _Entry("Runs", "/runs/", "activity", "Work", "r", Permission.ASSET_VIEW, ("/logged-models/",)),
    _Entry("Deployments", "/deployments/", "rocket", "Work", "y", Permission.DEPLOYMENT_VIEW),
    _Entry("Policies", "/policies/", "checklist", "Govern", "o", Permission.TEAM_VIEW),
    _Entry("Ledger", "/ledger/", "book-2", "Govern", "l", Permission.LEDGER_VIEW),
    _Entry("Settings", "/settings/", "settings", "", "s"),
]


def sections_for(actor: Actor, path: str) -> list[Section]:
    """The sections that this actor may use anywhere; a person without a team keeps Inbox and Settings."""
    return [
        Section(
            entry.title,
            entry.address,
            entry.icon,
            path.startswith((entry.address, *entry.also)),
            entry.group,
            entry.key,
        )
        for entry in _ENTRIES
        if entry.permission is None or actor.is_site_admin or team_ids(actor, entry.permission)
    ]
