"""Changes to teams, people, roles and keys."""

import re
from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from guardian.shortcuts import assign_perm, get_user_perms, remove_perm

from accounts import keys
from accounts.access import Actor, require, require_site_admin, roles_on, visible_teams
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.models import NAME_HELP, NAME_PATTERN, ApiKey, Team, TeamUserObjectPermission, User
from accounts.roles import ALL_ROLE_CODENAMES, Permission, Role, Scope
from governance.ledger.actions import Action, Target, record


def check_name(name: str, field: str = "name") -> None:
    """Raise Invalid for a name that cannot stand in an address."""
    if not re.fullmatch(NAME_PATTERN, name):  # the whole of it: a '$' alone lets a line break at the end pass
        raise Invalid(field, NAME_HELP)


@transaction.atomic
def create_team(*, name: str, title: str = "", by: Actor) -> Team:
    """A new team; only a site administrator makes one, and gets no role in it by that."""
    require_site_admin(by)
    check_name(name)
    try:
        with transaction.atomic():
            team = Team.objects.create(name=name, title=title)
    except IntegrityError:
        raise Conflict(f"There is a team '{name}' already.", errors={"name": ["This name is taken."]}) from None
    record(Action.TEAM_CREATED, by=by, team=name, target=Target("team", team.pk, name), after={"title": title})
    return team


@transaction.atomic
def create_user(
    *,
    email: str,
    name: str,
    password: str | None = None,
    kind: str = User.Kind.PERSON,
    by: Actor,
    is_superuser: bool = False,
) -> User:
    """A person (with a first password) or a service account (without one)."""
    require_site_admin(by)
    return _create_user(email=email, name=name, password=password, kind=kind, by=by, is_superuser=is_superuser)


def _create_user(*, email: str, name: str, password: str | None, kind: str, by: Actor, is_superuser: bool) -> User:
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise Invalid("email", "This is not an e-mail address.") from None
    if kind == User.Kind.PERSON:
        if not password:
            raise Invalid("password", "Give the person a first password.")
        try:
            validate_password(password, User(email=email, name=name))
        except ValidationError as error:
            raise Invalid("password", " ".join(error.messages)) from None
    elif password:
        raise Invalid("password", "A service account has no password, only keys.")
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, name=name, kind=kind, is_superuser=is_superuser)
    except IntegrityError:
        raise Conflict(
            f"There is an account for {email} already.", errors={"email": ["This address is taken."]}
        ) from None
    record(
        Action.USER_CREATED,
        by=by,
        target=Target("user", user.pk, email),
        after={"name": name, "kind": kind, "site_admin": is_superuser},
    )
    return user


@transaction.atomic
def create_service_account(*, name: str, team: Team, role: Role, by: Actor) -> User:
    """A service account of a team, with its first role there: made by whoever manages the team."""
    require(by, Permission.TEAM_MANAGE, team)
    check_name(name)
    # An address that no mail goes to: accounts are told apart by it.
    email = f"{name}+{team.name}".replace(".", "-") + "@service.invalid"
    try:
        user = _create_user(email=email, name=name, password=None, kind=User.Kind.SERVICE, by=by, is_superuser=False)
    except Conflict:
        raise Conflict(
            f"The team '{team}' has a service account '{name}' already.", errors={"name": ["This name is taken."]}
        ) from None
    grant_role(user=user, role=role, on=team, by=by)
    return user


@transaction.atomic
def rename_user(*, name: str, by: Actor) -> User:
    """Change one's own name. Ledger events keep the name that was used then."""
    if by.user is None or by.key is not None:
        raise Forbidden("Sign in to change your name.")
    name = name.strip()
    if not name or len(name) > 120:
        raise Invalid("name", "Use 1 to 120 characters.")
    user = User.objects.select_for_update().get(pk=by.user.pk)
    if user.name != name:
        before, user.name = user.name, name
        user.save(update_fields=["name"])
        record(
            Action.USER_UPDATED,
            by=by,
            target=Target("user", user.pk, user.email),
            before={"name": before},
            after={"name": name},
        )
    return user


@transaction.atomic
def set_active(*, user: User, active: bool, by: Actor) -> None:
    """Let somebody in or keep them out; deactivated, their sessions and keys stop working at once. Twice is once."""
    require_site_admin(by)
    user = User.objects.select_for_update().get(pk=user.pk)
    if user.pk == by.id:
        raise Conflict("You can't deactivate yourself: ask another site administrator.")
    if user.is_active == active:
        return
    user.is_active = active
    user.save(update_fields=["is_active"])
    record(
        Action.USER_REACTIVATED if active else Action.USER_DEACTIVATED,
        by=by,
        target=Target("user", user.pk, user.email),
    )


def create_first_administrator(*, email: str, password: str, name: str = "Administrator") -> User | None:
    """The account that a fresh installation begins with; None when there is an administrator already."""
    with transaction.atomic():
        if User.objects.select_for_update().filter(is_superuser=True).exists():
            return None
        return _create_user(
            email=email,
            name=name,
            password=password,
            kind=User.Kind.PERSON,
            by=Actor(None, via="task"),
            is_superuser=True,
        )


def role_target(obj: models.Model) -> Target:
    return Target(str(obj._meta.model_name), obj.pk, str(obj))


@transaction.atomic
def grant_role(*, user: User, role: Role, on: models.Model, by: Actor) -> bool:
    """Give a role on a team or one asset; False when it was there already."""
    require(by, Permission.TEAM_MANAGE, on)  # type: ignore[arg-type]  # teams and assets have team_id
    if role in _roles_held(user, on):
        return False
    assign_perm(f"{on._meta.app_label}.role_{role.value}", user, on)
    record(
        Action.ROLE_GRANTED,
        by=by,
        team=_team_name(on),
        target=Target("user", user.pk, user.email),
        also=[role_target(on)],
        after={"role": role.value, "on": str(on)},
    )
    return True


@transaction.atomic
def revoke_role(*, user: User, role: Role, on: models.Model, by: Actor) -> None:
    """Take a role away; without effect, and without an event, where it was not held."""
    require(by, Permission.TEAM_MANAGE, on)  # type: ignore[arg-type]  # teams and assets have team_id
    if role not in _roles_held(user, on):
        return
    remove_perm(f"{on._meta.app_label}.role_{role.value}", user, on)
    record(
        Action.ROLE_REVOKED,
        by=by,
        team=_team_name(on),
        target=Target("user", user.pk, user.email),
        also=[role_target(on)],
        before={"role": role.value, "on": str(on)},
    )


def _roles_held(user: User, on: models.Model) -> set[Role]:
    """The roles granted on just this, whether or not the account is active."""
    names = get_user_perms(user, on).values_list("codename", flat=True)
    return {ALL_ROLE_CODENAMES[name] for name in names if name in ALL_ROLE_CODENAMES}


def _team_name(on: models.Model) -> str:
    team: Team = on.team  # type: ignore[attr-defined]  # teams and assets have it
    return team.name


@transaction.atomic
def create_key(
    *,
    name: str,
    by: Actor,
    team: Team | None = None,
    user: User | None = None,
    scopes: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A key for oneself, or, as the team's administrator, for a service account. Returns the row and the whole key, which is shown this once."""
    owner = user or by.user
    if owner is None:
        raise Forbidden("Sign in to make a key.")
    if by.key is not None:
        raise Forbidden("A key cannot make keys: sign in for that.")
    if owner != by.user:
        if owner.kind != User.Kind.SERVICE:
            raise Forbidden("A person's keys are made by that person alone.")
        if team is None:
            raise Invalid("team", "A service account's key belongs to a team: name it.")
        require(by, Permission.TEAM_MANAGE, team)
        if not TeamUserObjectPermission.objects.filter(user=owner, content_object=team).exists():
            raise Invalid("service_account", f"{owner.email} has no role in '{team}'. Give it one first.")
    elif (
        team is not None and not Team.objects.filter(visible_teams(by), pk=team.pk).exists() and not roles_on(by, team)
    ):
        raise Invalid("team", f"You have no role in '{team}'.")
    if not name.strip():
        raise Invalid("name", "Name the key after what will use it.")
    unknown = sorted(set(scopes) - set(Scope))
    if unknown:
        raise Invalid(
            "scopes", f"Unknown: {', '.join(unknown)}. Use {', '.join(Scope)}, or none for all that you may do."
        )
    if expires_at and expires_at <= timezone.now():
        raise Invalid("expires_at", "Use a time in the future.")
    key_id, whole, hashed = keys.new_key()
    row = ApiKey.objects.create(
        key_id=key_id,
        secret_sha256=hashed,
        user=owner,
        made_by=by.user,
        team=team,
        name=name.strip(),
        scopes=list(scopes),
        expires_at=expires_at,
    )
    record(
        Action.KEY_CREATED,
        by=by,
        team=team.name if team else "",
        target=Target("key", key_id, name),
        also=[Target("user", owner.pk, owner.email)],
        after={
            "owner": owner.email,
            "scopes": list(scopes),
            "expires_at": expires_at.isoformat() if expires_at else None,
        },
    )
    return row, whole


@transaction.atomic
def revoke_key(*, key: ApiKey, by: Actor) -> None:
    """End a key: one's own, or as administrator any key of the team. Twice is once.

    A key that is narrower than its person (a team, scopes) ends itself and nothing wider than itself."""
    key = ApiKey.objects.select_for_update(of=("self",)).select_related("team", "user").get(pk=key.pk)
    with_whole_power = by.key is None or by.key.pk == key.pk or (not by.key.scopes and by.key.team_id is None)
    if key.user_id != by.id or not with_whole_power:
        if key.team is None:
            require_site_admin(by)
        else:
            require(by, Permission.TEAM_MANAGE, key.team)
    if key.revoked_at:
        return
    key.revoked_at = timezone.now()
    key.save(update_fields=["revoked_at"])
    record(
        Action.KEY_REVOKED,
        by=by,
        team=key.team.name if key.team else "",
        target=Target("key", key.key_id, key.name),
        also=[Target("user", key.user_id, key.user.email)],
    )
