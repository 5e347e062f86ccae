"""REST: oneself, teams, people and service accounts."""

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import actions, members
from accounts.access import ANY_STAGE, get_team, roles_on, visible_teams
from accounts.errors import Invalid
from accounts.models import Team, User
from accounts.rest import ApiView, page_response
from accounts.serializers import (
    MemberSerializer,
    MeSerializer,
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
