"""Saved views of the ledger."""

from urllib.parse import parse_qsl, urlencode

from django.db import IntegrityError, transaction

from accounts.access import Actor, can, require
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.models import Team
from accounts.roles import Permission
from governance.asking import FIELDS, filter_of
from governance.ledger.actions import Action, Target, record
from governance.models import SavedView


def _target(view: SavedView) -> Target:
    return Target("view", view.pk, view.name)


def _state(view: SavedView) -> dict[str, object]:
    return {"name": view.name, "query": view.query, "shared": view.shared}


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > 80:
        raise Invalid("name", "Give the view a name of at most 80 characters.")
    return name


def _query(text: str) -> str:
    """The filter's own part of an address, in one order; Invalid where it can't be read."""
    if len(text) > 4000:
        raise Invalid("query", "This filter is too long.")
    given = dict(parse_qsl(text.removeprefix("?")))
    filter_of(given)
    kept = urlencode([(name, given[name].strip()) for name in FIELDS if given.get(name, "").strip()])
    if len(kept) > 2000:
        raise Invalid("query", "This filter is too long.")
    return kept


@transaction.atomic
def save_view(*, team: Team, name: str, query: str, shared: bool, by: Actor) -> SavedView:
    """Keep a filter of the ledger by name."""
    require(by, Permission.LEDGER_VIEW, team)
    if by.user is None:
        raise Forbidden("Only a person keeps views.", permission=Permission.LEDGER_VIEW.value)
    name, query = _name(name), _query(query)
    try:
        with transaction.atomic():
            view = SavedView.objects.create(team=team, owner=by.user, name=name, query=query, shared=shared)
    except IntegrityError:
        raise Conflict(f"You have a view named '{name}' in this team. Choose another name.") from None
    record(Action.VIEW_SAVED, by=by, team=team.name, target=_target(view), after=_state(view))
    return view


@transaction.atomic
def change_view(*, view: SavedView, by: Actor, name: str | None = None, shared: bool | None = None) -> SavedView:
    """Rename a view, or share it or no longer. Its owner may."""
    view = SavedView.objects.select_for_update(of=("self",)).select_related("team").get(pk=view.pk)
    require(by, Permission.LEDGER_VIEW, view.team)
    if view.owner_id != by.id:
        raise Forbidden("Only its owner changes a saved view. Save one of your own.", permission="view.own")
    before = _state(view)
    view.name = _name(name) if name is not None else view.name
    view.shared = shared if shared is not None else view.shared
    if before == _state(view):
        return view
    try:
        with transaction.atomic():
            view.save(update_fields=["name", "shared"])
    except IntegrityError:
        raise Conflict(f"You have a view named '{view.name}' in this team. Choose another name.") from None
    record(Action.VIEW_CHANGED, by=by, team=view.team.name, target=_target(view), before=before, after=_state(view))
    return view


@transaction.atomic
def remove_view(*, view: SavedView, by: Actor) -> None:
    """Forget a view. Its owner may, and, of a shared one, who manages the team."""
    found = SavedView.objects.select_for_update(of=("self",)).select_related("team").filter(pk=view.pk).first()
    if found is None:
        return
    require(by, Permission.LEDGER_VIEW, found.team)
    if found.owner_id != by.id and not (found.shared and can(by, Permission.TEAM_MANAGE, found.team)):
        raise Forbidden("Only its owner removes a saved view.", permission=Permission.TEAM_MANAGE.value)
    record(Action.VIEW_REMOVED, by=by, team=found.team.name, target=_target(found), before=_state(found))
    found.delete()
