"""REST: teams, people, memberships and keys."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import actions, members
from accounts.access import ANY_STAGE, Actor, get_team, require, roles_on, visible_teams
from accounts.actions.grants import roles_for
from accounts.errors import Invalid, NotFound
from accounts.models import Team, User
from accounts.rest import ApiView, page_response
from accounts.roles import Permission, Role
from accounts.serializers import (
    KeyCreateSerializer,
    KeySerializer,
    MemberCreateSerializer,
    MemberSerializer,
    MeSerializer,
    NewKeySerializer,
    PersonCreateSerializer,
    PersonSerializer,
    ServiceAccountCreateSerializer,
    TeamCreateSerializer,
    TeamSerializer,
)

PAGING = [
    OpenApiParameter("cursor", str, description="`next` of the page before."),
    OpenApiParameter("limit", int, description="Results per page, 1 to 200; 50 when left out."),
]


def find_person(email: str, field: str) -> User:
    """Somebody by e-mail, for a grant; the field is wrong when there is nobody."""
    user = User.objects.filter(email__iexact=email.strip()).first()
    if user is None:
        raise Invalid(field, f"There is no account for {email}. A site administrator can make one.")
    return user


def check_role(team: Team, role: str) -> None:
    """Raise NotFound for what is no role of the team, archived ones included."""
    if role not in set(Role) and not team.custom_roles.filter(slug=role).exists():
        raise NotFound(f"There is no role '{role}'. The roles are {', '.join(roles_for(team))}.")


class MeView(ApiView):
    @extend_schema(operation_id="me", tags=["Me"], responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Who you are: your teams and roles, and the key that you sent."""
        user = self.by.user
        assert user is not None  # the view asks for authentication
        teams = Team.objects.filter(visible_teams(self.by)).order_by("name")
        user.teams = [  # type: ignore[attr-defined]
            {"name": team.name, "title": team.title, "roles": sorted(roles_on(self.by, team, stage=ANY_STAGE))}
            for team in teams
        ]
        user.key = self.by.key  # type: ignore[attr-defined]
        return Response(MeSerializer(user).data)


class TeamListView(ApiView):
    @extend_schema(operation_id="teams_list", tags=["Teams"], parameters=PAGING, responses=TeamSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The teams that you are in; a site administrator gets all."""
        return page_response(
            request,
            Team.objects.filter(visible_teams(self.by)),
            order=["name"],
            show=lambda team: TeamSerializer(team).data,
        )

    @extend_schema(
        operation_id="teams_create",
        tags=["Teams"],
        request=TeamCreateSerializer,
        responses={201: TeamSerializer},
        examples=[OpenApiExample("A team", {"name": "acme", "title": "Acme"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Make a team. Needs a site administrator."""
        team = actions.create_team(by=self.by, **self.read(TeamCreateSerializer))
        return Response(TeamSerializer(team).data, status=201)


class PeopleView(ApiView):
    @extend_schema(
        operation_id="people_list", tags=["People"], parameters=PAGING, responses=PersonSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """The people and service accounts of your teams; a site administrator gets all."""
        return page_response(
            request,
            members.known_people(self.by),
            order=["id"],
            show=lambda person: PersonSerializer(person).data,
        )

    @extend_schema(
        operation_id="people_create",
        tags=["People"],
        request=PersonCreateSerializer,
        responses={201: PersonSerializer},
        examples=[
            OpenApiExample(
                "A person",
                {"email": "alice@example.com", "name": "Alice", "password": "a long first password"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Make an account for a person. Needs a site administrator."""
        data = self.read(PersonCreateSerializer)
        user = actions.create_user(is_superuser=data.pop("site_admin"), by=self.by, **data)
        return Response(PersonSerializer(user).data, status=201)


class MemberListView(ApiView):
    @extend_schema(
        operation_id="members_list", tags=["Teams"], parameters=PAGING, responses=MemberSerializer(many=True)
    )
    def get(self, request: Request, team: str) -> Response:
        """Who has which roles on a team."""
        found = get_team(self.by, team)
        return page_response(
            request, members.members(found), order=["id"], show=lambda member: MemberSerializer(member).data
        )

    @extend_schema(
        operation_id="members_grant",
        tags=["Teams"],
        request=MemberCreateSerializer,
        responses={200: MemberSerializer, 201: MemberSerializer},
        examples=[
            OpenApiExample("A reviewer", {"person": "bob@example.com", "role": "reviewer"}, request_only=True),
        ],
    )
    def post(self, request: Request, team: str) -> Response:
        """Give a person or service account a role: 201, or 200 when it had the role already. Needs team.manage."""
        found = get_team(self.by, team)
        data = self.read(MemberCreateSerializer)
        require(self.by, Permission.TEAM_MANAGE, found)
        user = find_person(data["person"], "person")
        new = actions.grant_role(user=user, role=data["role"], on=found, by=self.by)
        member = members.get_member(found, user.email)
        return Response(MemberSerializer(member).data, status=201 if new else 200)


class MemberView(ApiView):
    @extend_schema(operation_id="members_revoke", tags=["Teams"], responses={204: None})
    def delete(self, request: Request, team: str, email: str, role: str) -> Response:
        """Take a role away. Needs team.manage."""
        found = get_team(self.by, team)
        require(self.by, Permission.TEAM_MANAGE, found)
        check_role(found, role)
        actions.revoke_role(user=members.get_member(found, email), role=role, on=found, by=self.by)
        return Response(status=204)


class ServiceAccountListView(ApiView):
    @extend_schema(
        operation_id="service_accounts_create",
        tags=["Teams"],
        request=ServiceAccountCreateSerializer,
        responses={201: MemberSerializer},
    )
    def post(self, request: Request, team: str) -> Response:
        """Make a service account: it has keys and no password. Needs team.manage."""
        found = get_team(self.by, team)
        data = self.read(ServiceAccountCreateSerializer)
        user = actions.create_service_account(name=data["name"], team=found, role=data["role"], by=self.by)
        return Response(MemberSerializer(members.get_member(found, user.email)).data, status=201)


def make_key(by: Actor, data: dict[str, Any]) -> dict[str, Any]:
    """Translate a key's form or body into the action; the answer has the whole key."""
    try:
        team = get_team(by, data["team"]) if data.get("team") else None
    except NotFound as missing:
        raise Invalid("team", missing.detail) from None
    owner = None
    if email := data.get("service_account"):
        if team is None:
            raise Invalid("team", "A service account's key belongs to a team: name it.")
        require(by, Permission.TEAM_MANAGE, team)
        owner = find_person(email, "service_account")
    row, whole = actions.create_key(
        name=data["name"],
        team=team,
        user=owner,
        scopes=data.get("scopes") or (),
        expires_at=data.get("expires_at"),
        by=by,
    )
    return {"key": whole, **KeySerializer(row).data}


class KeyListView(ApiView):
    @extend_schema(
        operation_id="keys_list",
        tags=["Keys"],
        parameters=[
            *PAGING,
            OpenApiParameter("team", str, description="All keys made for this team (needs team.manage)."),
        ],
        responses=KeySerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """Your keys, newest first. Only their ids: a whole key is shown once, when it is made."""
        team = None
        if name := request.query_params.get("team"):
            team = get_team(self.by, name)
            require(self.by, Permission.TEAM_MANAGE, team)
        return page_response(
            request, members.keys_of(self.by, team), order=["-id"], show=lambda key: KeySerializer(key).data
        )

    @extend_schema(
        operation_id="keys_create",
        tags=["Keys"],
        request=KeyCreateSerializer,
        responses={201: NewKeySerializer},
        examples=[
            OpenApiExample(
                "A key that only calls models",
                {"name": "chat bot", "team": "acme", "scopes": ["invoke"]},
                request_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Make a key for yourself, in a signed-in session: a key makes no keys."""
        return Response(make_key(self.by, self.read(KeyCreateSerializer)), status=201)


class KeyView(ApiView):
    @extend_schema(operation_id="keys_get", tags=["Keys"], responses=KeySerializer)
    def get(self, request: Request, key_id: str) -> Response:
        """One key: its scopes, state and last use."""
        return Response(KeySerializer(members.get_key(self.by, key_id)).data)

    @extend_schema(operation_id="keys_revoke", tags=["Keys"], responses={204: None})
    def delete(self, request: Request, key_id: str) -> Response:
        """Revoke a key, for ever and at once: your own, or one of a team that you manage."""
        actions.revoke_key(key=members.get_key(self.by, key_id), by=self.by)
        return Response(status=204)
