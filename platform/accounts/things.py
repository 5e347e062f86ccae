"""What roles are granted on besides teams. It lies in apps above this one, which are known here by name only, as guardian knows them."""

from collections.abc import Iterator

from django.apps import apps
from django.db.models import Model

from accounts.access import Actor, can
from accounts.errors import Invalid, NotFound
from accounts.models import Team
from accounts.roles import Permission

# kind -> app and model, and whether a column `kind` tells it from others in the same table.
KINDS: dict[str, tuple[str, str, bool]] = {
    "model": ("registry", "Asset", True),
    "dataset": ("registry", "Asset", True),
    "prompt": ("prompts", "Prompt", False),
    "deployment": ("serving", "Deployment", False),
}
VIEWING = {"deployment": Permission.DEPLOYMENT_VIEW}


def named(team: Team, name: str, kind: str = "") -> Iterator[tuple[str, Model]]:
    """The things of this name in a team, with their kinds; of one kind, where it is given."""
    if kind and kind not in KINDS:
        raise Invalid("kind", f"Use one of {', '.join(KINDS)}.")
    for one in [kind] if kind else KINDS:
        app, model, has_kind = KINDS[one]
        rows = apps.get_model(app, model)._default_manager.filter(team=team, name=name)
        if model == "Asset":
            rows = rows.filter(deleted_at=None)  # a deleted one has given its name away
        if (row := (rows.filter(kind=one) if has_kind else rows).first()) is not None:
            row.team = team
            yield one, row


def find(actor: Actor, team: Team, name: str, kind: str = "") -> tuple[str, Model]:
    """The one thing of this name in a team that the actor sees; NotFound, or Invalid where several kinds have it."""
    name = name.removeprefix(f"{team.name}/")
    seen = [
        (one, row)
        for one, row in named(team, name, kind)
        if can(actor, VIEWING.get(one, Permission.ASSET_VIEW), row)  # type: ignore[arg-type]  # all have team_id
    ]
    if not seen:
        raise NotFound(f"There is no {kind or 'asset'} '{team}/{name}' that you can see.")
    if len(seen) > 1:
        raise Invalid("kind", f"'{team}/{name}' is a {' and a '.join(one for one, _ in seen)}: say which.")
    return seen[0]
