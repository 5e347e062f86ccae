"""REST: teams, people, members and keys."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import actions, reads
from accounts.access import get_team, require, require_site_admin, roles_on, visible_teams
from accounts.errors import Invalid, NotFound
from accounts.models import Team, User
from accounts.rest import ApiView, page_response
from accounts.roles import Permission, Role
from accounts.serializers import (
    GrantSerializer,
    KeyCreateSerializer,
    KeySerializer,
    MemberSerializer,
    NewKeySerializer,
    PersonCreateSerializer,
    PersonSerializer,
    TeamCreateSerializer,
    TeamSerializer,
)


class MeView(ApiView):
    @extend_schema(operation_id="me", tags=["Accounts"], responses=PersonSerializer)
    def get(self, request: Request) -> Response:
        """Who you are, by this key or session, and your roles by team."""
        by = self.by
        teams = Team.objects.filter(visible_teams(by))
        roles = {team.name: sorted(role.value for role in roles_on(by, team)) for team in teams}
        return Response({**PersonSerializer(by.user).data, "roles": roles})


class TeamListView(ApiView):
    @extend_schema(operation_id="teams_list", tags=["Accounts"], responses=TeamSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The teams that you see."""
        rows = Team.objects.filter(visible_teams(self.by))
        return page_response(request, rows, order=["name"], show=lambda team: TeamSerializer(team).data)

    @extend_schema(
        operation_id="teams_create", tags=["Accounts"], request=TeamCreateSerializer, responses={201: TeamSerializer}
    )
    def post(self, request: Request) -> Response:
        """Make a team. Needs a site administrator."""
        team = actions.create_team(by=self.by, **self.read(TeamCreateSerializer))
        return Response(TeamSerializer(team).data, status=201)


class PersonListView(ApiView):
    @extend_schema(operation_id="people_list", tags=["Accounts"], responses=PersonSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Everybody with an account. Needs a site administrator."""
        require_site_admin(self.by)
        return page_response(request, User.objects.all(), order=["id"], show=lambda user: PersonSerializer(user).data)

    @extend_schema(
        operation_id="people_create",
        tags=["Accounts"],
        request=PersonCreateSerializer,
        responses={201: PersonSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make an account for a person, or a service account. Needs a site administrator."""
        user = actions.create_user(by=self.by, **self.read(PersonCreateSerializer))
        return Response(PersonSerializer(user).data, status=201)


class MemberListView(ApiView):
    @extend_schema(operation_id="members_list", tags=["Accounts"], responses=MemberSerializer(many=True))
    def get(self, request: Request, team: str) -> Response:
        """Everybody with a role on the team."""
        found = get_team(self.by, team)
        require(self.by, Permission.TEAM_VIEW, found)
        rows = [
            {"person": user.email, "name": user.name, "kind": user.kind, "roles": [role.value for role in roles]}
            for user, roles in reads.members(found)
        ]
        return Response({"results": rows, "next": None})

    @extend_schema(
        operation_id="members_grant", tags=["Accounts"], request=GrantSerializer, responses={201: MemberSerializer}
    )
    def post(self, request: Request, team: str) -> Response:
        """Give somebody a role on the team. Needs team.manage."""
        found = get_team(self.by, team)
        require(self.by, Permission.TEAM_MANAGE, found)
        data = self.read(GrantSerializer)
        try:
            user = reads.get_user(data["person"])
        except NotFound as missing:
            raise Invalid("person", missing.detail) from None
        actions.grant_role(user=user, role=Role(data["role"]), on=found, by=self.by)
        roles = next((roles for member, roles in reads.members(found) if member == user), [])
        body = {"person": user.email, "name": user.name, "kind": user.kind, "roles": [role.value for role in roles]}
        return Response(body, status=201)


class MemberView(ApiView):
    @extend_schema(operation_id="members_revoke", tags=["Accounts"], responses={204: None})
    def delete(self, request: Request, team: str, person: str, role: str) -> Response:
        """Take a role from somebody. Needs team.manage."""
        found = get_team(self.by, team)
        require(self.by, Permission.TEAM_MANAGE, found)
        if role not in set(Role):
            raise NotFound(f"There is no role '{role}'.")
        actions.revoke_role(user=reads.get_user(person), role=Role(role), on=found, by=self.by)
        return Response(status=204)


class KeyListView(ApiView):
    @extend_schema(operation_id="keys_list", tags=["Accounts"], responses=KeySerializer(many=True))
    def get(self, request: Request) -> Response:
        """Your keys, and those of service accounts in teams that you manage."""
        rows = reads.visible_keys(self.by)
        return page_response(request, rows, order=["-id"], show=lambda key: KeySerializer(key).data)

    @extend_schema(
        operation_id="keys_create", tags=["Accounts"], request=KeyCreateSerializer, responses={201: NewKeySerializer}
    )
    def post(self, request: Request) -> Response:
        """Make a key: in a signed-in session, since a key cannot make keys. The whole key is in this answer alone."""
        data = self.read(KeyCreateSerializer)
        try:
            team = get_team(self.by, data["team"]) if data["team"] else None
        except NotFound as missing:
            raise Invalid("team", missing.detail) from None
        user = reads.get_user(data["service_account"]) if data["service_account"] else None
        row, whole = actions.create_key(
            name=data["name"], team=team, user=user, scopes=data["scopes"], expires_at=data["expires_at"], by=self.by
        )
        return Response({**KeySerializer(row).data, "key": whole}, status=201)


class KeyView(ApiView):
    @extend_schema(operation_id="keys_get", tags=["Accounts"], responses=KeySerializer)
    def get(self, request: Request, key_id: str) -> Response:
        return Response(KeySerializer(reads.get_key(self.by, key_id)).data)

    @extend_schema(operation_id="keys_revoke", tags=["Accounts"], responses={204: None})
    def delete(self, request: Request, key_id: str) -> Response:
        """End a key at once."""
        actions.revoke_key(key=reads.get_key(self.by, key_id), by=self.by)
        return Response(status=204)
