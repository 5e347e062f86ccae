"""Changes to people and service accounts."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from accounts.access import Actor, require, require_site_admin
from accounts.actions.common import check_name
from accounts.actions.grants import grant_role
from accounts.actions.sessions import end_sessions
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.models import Team, User
from accounts.roles import Permission
from governance.ledger.actions import Action, Target, record


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
def create_service_account(*, name: str, team: Team, role: str, by: Actor) -> User:
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
    if not active:
        end_sessions(user, by=by, reason="The account was deactivated.")
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
