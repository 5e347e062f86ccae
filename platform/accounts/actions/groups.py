"""Changes to a team's named groups."""

from typing import Any

from django.db import IntegrityError, transaction

from accounts.access import Actor, require
from accounts.actions.common import check_name, team_target, user_target
from accounts.errors import Conflict, Invalid
from accounts.models import Grant, Group, GroupMember, Team, User
from accounts.roles import Permission
from governance.ledger.actions import Action, Target, record

MAX_SLUG = 48


@transaction.atomic
def create_group(*, team: Team, slug: str, title: str = "", description: str = "", by: Actor) -> Group:
    """A named group, without members yet."""
    require(by, Permission.TEAM_MANAGE, team)
    check_name(slug, "slug")
    if len(slug) > MAX_SLUG:
        raise Invalid("slug", f"Use at most {MAX_SLUG} characters.")
    try:
        with transaction.atomic():
            group = Group.objects.create(
                team=team, slug=slug, title=_title(title, slug), description=description.strip()
            )
    except IntegrityError:
        raise Conflict(
            f"The team '{team}' has a group '{slug}' already.", errors={"slug": ["This name is taken."]}
        ) from None
    _record(Action.GROUP_CREATED, group, by, after=_described(group))
    return group


@transaction.atomic
def change_group(*, group: Group, title: str | None = None, description: str | None = None, by: Actor) -> Group:
    """Another title or description. The slug stays: policies name it."""
    require(by, Permission.TEAM_MANAGE, group.team)
    group = _locked(group)
    before = _described(group)
    if title is not None:
        group.title = _title(title, group.slug)
    if description is not None:
        group.description = description.strip()
    if before != _described(group):
        group.save(update_fields=["title", "description"])
        _record(Action.GROUP_CHANGED, group, by, before=before, after=_described(group))
    return group


@transaction.atomic
def delete_group(*, group: Group, by: Actor) -> None:
    """End a group. A policy that names it can't be met from then on, and says so."""
    require(by, Permission.TEAM_MANAGE, group.team)
    group = _locked(group)
    before = {**_described(group), "members": sorted(group.members.values_list("email", flat=True))}
    _record(Action.GROUP_DELETED, group, by, before=before)
    group.delete()


@transaction.atomic
def add_member(*, group: Group, user: User, by: Actor) -> bool:
    """Put somebody of the team into a group; False when they were in it already."""
    require(by, Permission.TEAM_MANAGE, group.team)
    group = _locked(group)
    if not Grant.objects.filter(user=user, team=group.team).live().exists():
        raise Invalid("person", f"{user.email} has no role in '{group.team}'. Give them one first.")
    if user.kind != User.Kind.PERSON:
        raise Invalid("person", "A group is of people: a service account speaks for nobody.")
    _, new = GroupMember.objects.get_or_create(group=group, user=user, defaults={"added_by": by.user})
    if new:
        _record(Action.GROUP_MEMBER_ADDED, group, by, about=user, after={"member": user.email})
    return new


@transaction.atomic
def remove_member(*, group: Group, user: User, by: Actor) -> None:
    """Take somebody out of a group. Twice is once."""
    require(by, Permission.TEAM_MANAGE, group.team)
    group = _locked(group)
    gone, _ = GroupMember.objects.filter(group=group, user=user).delete()
    if gone:
        _record(Action.GROUP_MEMBER_REMOVED, group, by, about=user, before={"member": user.email})


def _locked(group: Group) -> Group:
    return Group.objects.select_for_update(of=("self",)).select_related("team").get(pk=group.pk)


def _title(title: str, slug: str) -> str:
    title = title.strip() or slug
    if len(title) > 120:
        raise Invalid("title", "Use at most 120 characters.")
    return title


def _described(group: Group) -> dict[str, Any]:
    return {"title": group.title, "description": group.description}


def _record(action: Action, group: Group, by: Actor, *, about: User | None = None, **facts: Any) -> None:
    record(
        action,
        by=by,
        team=group.team.name,
        target=Target("group", group.pk, f"{group.team.name}/{group.slug}"),
        also=[team_target(group.team), *([user_target(about)] if about else [])],
        **facts,
    )
