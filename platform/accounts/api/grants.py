"""REST: who has which roles in a team, the team's own roles, and its groups."""

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import actions, members
from accounts.access import get_team, require
from accounts.actions.grants import find_grant, roles_for
from accounts.api.people import PAGING, find_person
from accounts.errors import NotFound
from accounts.models import CustomRole, Group, Team
from accounts.rest import ApiView, page_response
from accounts.roles import PERMISSION_DESCRIPTIONS, ROLE_DESCRIPTIONS, ROLE_PERMISSIONS, Permission, Role
from accounts.serializers import (
    GrantSerializer,
    GroupChangeSerializer,
    GroupCreateSerializer,
    GroupMemberSerializer,
    GroupSerializer,
    MemberCreateSerializer,
    MemberSerializer,
    NewMemberSerializer,
    PermissionTableSerializer,
    RoleChangeSerializer,
    RoleCreateSerializer,
    RoleSerializer,
)
from accounts.things import find


def check_role(team: Team, role: str) -> None:
    """Raise NotFound for what is no role of the team, archived ones included."""
    if role not in set(Role) and not team.custom_roles.filter(slug=role).exists():
        raise NotFound(f"There is no role '{role}'. The roles are {', '.join(roles_for(team))}.")


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
        responses={200: NewMemberSerializer, 201: NewMemberSerializer},
        examples=[
            OpenApiExample("A reviewer", {"person": "bob@example.com", "role": "reviewer"}, request_only=True),
            OpenApiExample(
                "A deployer of some names, on staging, until a day",
                {
                    "person": "dana@example.com",
                    "role": "deployer",
                    "prefix": "date-",
                    "stage": "staging",
                    "expires_at": "2027-01-31T00:00:00Z",
                    "reason": "Stands in for Bob.",
                },
                request_only=True,
            ),
        ],
    )
    def post(self, request: Request, team: str) -> Response:
        """Give a person or service account a role on the team, on its names with a prefix or on one asset, at every stage or one,
        for ever or until a time: 201, or 200 when it had just that already. Needs team.manage."""
        found = get_team(self.by, team)
        data = self.read(MemberCreateSerializer)
        require(self.by, Permission.TEAM_MANAGE, found)
        user = find_person(data["person"], "person")
        on = find(self.by, found, data["asset"], data["kind"])[1] if data["asset"] else found
        narrower = {name: data[name] for name in ("prefix", "stage", "reason")}
        row, new = actions.grant(
            user=user,
            role=data["role"],
            on=on,
            kind="" if data["asset"] else data["kind"],
            expires_at=data["expires_at"],
            by=self.by,
            **narrower,
        )
        member = members.get_member(found, user.email)
        return Response(
            {**MemberSerializer(member).data, "grant": GrantSerializer(row).data}, status=201 if new else 200
        )


class MemberView(ApiView):
    @extend_schema(operation_id="members_revoke", tags=["Teams"], responses={204: None})
    def delete(self, request: Request, team: str, email: str, role: str) -> Response:
        """Take a role on the team away, its narrowed grants (prefix, stage) included. Needs team.manage."""
        found = get_team(self.by, team)
        require(self.by, Permission.TEAM_MANAGE, found)
        check_role(found, role)
        actions.revoke_role(user=members.get_member(found, email), role=role, on=found, by=self.by)
        return Response(status=204)


class GrantListView(ApiView):
    @extend_schema(
        operation_id="grants_list",
        tags=["Teams"],
        parameters=[*PAGING, OpenApiParameter("person", str, description="Only this e-mail's.")],
        responses=GrantSerializer(many=True),
    )
    def get(self, request: Request, team: str) -> Response:
        """Every grant in a team that holds now: on the team, on prefixes of names and on single assets."""
        rows = members.grants_in(get_team(self.by, team))
        if email := request.query_params.get("person"):
            rows = rows.filter(user__email__iexact=email)
        return page_response(request, rows, order=["id"], show=lambda row: GrantSerializer(row).data)


class GrantView(ApiView):
    @extend_schema(operation_id="grants_get", tags=["Teams"], responses=GrantSerializer)
    def get(self, request: Request, team: str, grant_id: int) -> Response:
        """One grant: what it gives, who gave it, when and why, and when it ends."""
        return Response(GrantSerializer(find_grant(get_team(self.by, team), grant_id)).data)

    @extend_schema(operation_id="grants_revoke", tags=["Teams"], responses={204: None})
    def delete(self, request: Request, team: str, grant_id: int) -> Response:
        """Take one grant away. Needs team.manage; the team's last administrator stays."""
        found = get_team(self.by, team)
        require(self.by, Permission.TEAM_MANAGE, found)
        actions.revoke_grant(grant=find_grant(found, grant_id), by=self.by)
        return Response(status=204)


class PermissionTableView(ApiView):
    @extend_schema(operation_id="permissions", tags=["Teams"], responses=PermissionTableSerializer)
    def get(self, request: Request) -> Response:
        """The permissions there are, and the built-in roles."""
        return Response(
            {
                "permissions": [
                    {"name": one.value, "description": text} for one, text in PERMISSION_DESCRIPTIONS.items()
                ],
                "roles": [
                    {
                        "name": role.value,
                        "description": ROLE_DESCRIPTIONS[role],
                        "permissions": [one.value for one in Permission if one in ROLE_PERMISSIONS[role]],
                    }
                    for role in Role
                ],
            }
        )


class RoleListView(ApiView):
    @extend_schema(operation_id="roles_list", tags=["Teams"], parameters=PAGING, responses=RoleSerializer(many=True))
    def get(self, request: Request, team: str) -> Response:
        """The team's own roles, archived ones included. The built-in ones are at `/permissions`."""
        rows = CustomRole.objects.filter(team=get_team(self.by, team))
        return page_response(request, rows, order=["slug"], show=lambda role: RoleSerializer(role).data)

    @extend_schema(
        operation_id="roles_create",
        tags=["Teams"],
        request=RoleCreateSerializer,
        responses={201: RoleSerializer},
        examples=[
            OpenApiExample(
                "Evaluates and nothing else",
                {
                    "slug": "evaluator",
                    "title": "Evaluator",
                    "permissions": ["team.view", "asset.view", "evaluation.run"],
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, team: str) -> Response:
        """Make a role of the team's own, out of permissions that you have yourself. Needs team.manage."""
        found = get_team(self.by, team)
        return Response(
            RoleSerializer(actions.create_role(team=found, by=self.by, **self.read(RoleCreateSerializer))).data,
            status=201,
        )


def find_role(team: Team, slug: str) -> CustomRole:
    role = CustomRole.objects.filter(team=team, slug=slug).select_related("team").first()
    if role is None:
        raise NotFound(f"The team '{team}' has no role '{slug}' of its own.")
    return role


class RoleView(ApiView):
    @extend_schema(operation_id="roles_get", tags=["Teams"], responses=RoleSerializer)
    def get(self, request: Request, team: str, slug: str) -> Response:
        """One of the team's own roles."""
        return Response(RoleSerializer(find_role(get_team(self.by, team), slug)).data)

    @extend_schema(operation_id="roles_change", tags=["Teams"], request=RoleChangeSerializer, responses=RoleSerializer)
    def patch(self, request: Request, team: str, slug: str) -> Response:
        """Another title, description or set of permissions; it holds at once for whoever has the role. Needs team.manage."""
        role = find_role(get_team(self.by, team), slug)
        return Response(
            RoleSerializer(actions.change_role(role=role, by=self.by, **self.read(RoleChangeSerializer))).data
        )

    @extend_schema(operation_id="roles_archive", tags=["Teams"], responses={204: None})
    def delete(self, request: Request, team: str, slug: str) -> Response:
        """Archive a role that nobody holds any more. Needs team.manage."""
        actions.archive_role(role=find_role(get_team(self.by, team), slug), by=self.by)
        return Response(status=204)


class GroupListView(ApiView):
    @extend_schema(operation_id="groups_list", tags=["Teams"], parameters=PAGING, responses=GroupSerializer(many=True))
    def get(self, request: Request, team: str) -> Response:
        """The team's named groups and who is in them. Policies ask for reviews by them."""
        rows = Group.objects.filter(team=get_team(self.by, team)).prefetch_related("members")
        return page_response(request, rows, order=["slug"], show=lambda group: GroupSerializer(group).data)

    @extend_schema(
        operation_id="groups_create",
        tags=["Teams"],
        request=GroupCreateSerializer,
        responses={201: GroupSerializer},
        examples=[OpenApiExample("The lawyers", {"slug": "legal", "title": "Legal"}, request_only=True)],
    )
    def post(self, request: Request, team: str) -> Response:
        """Make a named group. Needs team.manage."""
        found = get_team(self.by, team)
        group = actions.create_group(team=found, by=self.by, **self.read(GroupCreateSerializer))
        return Response(GroupSerializer(group).data, status=201)


def find_group(team: Team, slug: str) -> Group:
    group = Group.objects.filter(team=team, slug=slug).select_related("team").prefetch_related("members").first()
    if group is None:
        raise NotFound(f"The team '{team}' has no group '{slug}'.")
    return group


class GroupView(ApiView):
    @extend_schema(operation_id="groups_get", tags=["Teams"], responses=GroupSerializer)
    def get(self, request: Request, team: str, slug: str) -> Response:
        """One group and who is in it."""
        return Response(GroupSerializer(find_group(get_team(self.by, team), slug)).data)

    @extend_schema(
        operation_id="groups_change", tags=["Teams"], request=GroupChangeSerializer, responses=GroupSerializer
    )
    def patch(self, request: Request, team: str, slug: str) -> Response:
        """Another title or description. Needs team.manage."""
        found = get_team(self.by, team)
        actions.change_group(group=find_group(found, slug), by=self.by, **self.read(GroupChangeSerializer))
        return Response(GroupSerializer(find_group(found, slug)).data)

    @extend_schema(operation_id="groups_delete", tags=["Teams"], responses={204: None})
    def delete(self, request: Request, team: str, slug: str) -> Response:
        """End a group. Needs team.manage."""
        actions.delete_group(group=find_group(get_team(self.by, team), slug), by=self.by)
        return Response(status=204)


class GroupMemberListView(ApiView):
    @extend_schema(
        operation_id="groups_add_member",
        tags=["Teams"],
        request=GroupMemberSerializer,
        responses={200: GroupSerializer, 201: GroupSerializer},
    )
    def post(self, request: Request, team: str, slug: str) -> Response:
        """Put somebody of the team into a group: 201, or 200 when they were in it. Needs team.manage."""
        found = get_team(self.by, team)
        group = find_group(found, slug)
        require(self.by, Permission.TEAM_MANAGE, found)
        user = find_person(self.read(GroupMemberSerializer)["person"], "person")
        new = actions.add_member(group=group, user=user, by=self.by)
        return Response(GroupSerializer(find_group(found, slug)).data, status=201 if new else 200)


class GroupMemberView(ApiView):
    @extend_schema(operation_id="groups_remove_member", tags=["Teams"], responses={204: None})
    def delete(self, request: Request, team: str, slug: str, email: str) -> Response:
        """Take somebody out of a group. Needs team.manage."""
        found = get_team(self.by, team)
        group = find_group(found, slug)
        require(self.by, Permission.TEAM_MANAGE, found)
        user = group.members.filter(email__iexact=email).first()
        if user is None:
            raise NotFound(f"{email} is not in the group '{slug}'.")
        actions.remove_member(group=group, user=user, by=self.by)
        return Response(status=204)
