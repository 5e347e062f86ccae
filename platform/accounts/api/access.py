"""REST: who can do this here and why, what a person or key can do, and sessions."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import actions, sessions, who
from accounts.access import require_site_admin
from accounts.errors import NotFound
from accounts.models import User
from accounts.rest import ApiView
from accounts.serializers import SessionSerializer, WhatSerializer, WhoSerializer, reason_json


class WhoView(ApiView):
    @extend_schema(
        operation_id="access_who",
        tags=["Access"],
        parameters=[
            OpenApiParameter("permission", str, required=True, description="Such as request.review."),
            OpenApiParameter("on", str, required=True, description="A team, or team/name."),
            OpenApiParameter(
                "kind", str, description="model, dataset, prompt or deployment, where several have the name."
            ),
            OpenApiParameter("stage", str, description="The stage of the act; left out: an act of no stage."),
        ],
        responses=WhoSerializer,
    )
    def get(self, request: Request) -> Response:
        """Who can do this here, and why: each person and service account with every grant that gives it."""
        asked = request.query_params
        permission = who.read_permission(asked.get("permission", ""))
        stage = who.read_stage(asked.get("stage", ""))
        where = who.place(self.by, asked.get("on", ""), asked.get("kind", ""))
        beside = who.needs_beside(permission, stage)
        return Response(
            {
                "permission": permission.value,
                "on": where.label,
                "kind": where.kind,
                "stage": stage,
                "also_needs": beside.value if beside else None,
                "people": [
                    {
                        "person": able.user.email,
                        "name": able.user.name,
                        "kind": able.user.kind,
                        "because": [reason_json(reason) for reason in able.reasons],
                    }
                    for able in who.who_can(permission, where, stage)
                ],
            }
        )


class WhatView(ApiView):
    @extend_schema(
        operation_id="access_what",
        tags=["Access"],
        parameters=[
            OpenApiParameter("person", str, description="An e-mail; yourself when neither is given."),
            OpenApiParameter("key", str, description="A key's id: one of yours, or of a team that you manage."),
        ],
        responses=WhatSerializer,
    )
    def get(self, request: Request) -> Response:
        """What a person or key can do in the teams that you see, grant by grant."""
        key = None
        if key_id := request.query_params.get("key"):
            person, key = who.get_keys_owner(self.by, key_id)
        elif email := request.query_params.get("person"):
            person = who.get_person(self.by, email)
        else:
            assert self.by.user is not None  # the view asks for authentication
            person, key = self.by.user, self.by.key
        return Response(
            {
                "person": person.email,
                "active": person.is_active,
                "site_admin": person.is_superuser,
                "key": key.key_id if key else None,
                "scopes": list(key.scopes) if key else [],
                "networks": list(key.networks) if key else [],
                "grants": [
                    {
                        **reason_json(able.grant),
                        "permissions": [one.value for one in able.allowed],
                        "left_out_by_scopes": [one.value for one in able.lost],
                    }
                    for able in who.what_can(self.by, person, key)
                ],
            }
        )


class SessionListView(ApiView):
    @extend_schema(operation_id="sessions_list", tags=["Sessions"], responses=SessionSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Where you are signed in."""
        assert self.by.user is not None
        return Response({"results": sessions.shown(self.by.user, current_session(request)), "next": None})

    @extend_schema(operation_id="sessions_revoke_others", tags=["Sessions"], responses={204: None})
    def delete(self, request: Request) -> Response:
        """Sign out everywhere else."""
        assert self.by.user is not None
        actions.revoke_sessions(user=self.by.user, keep=current_session(request), by=self.by)
        return Response(status=204)


class SessionView(ApiView):
    @extend_schema(operation_id="sessions_revoke", tags=["Sessions"], responses={204: None})
    def delete(self, request: Request, session_id: int) -> Response:
        """End one of your sessions; of somebody else's as a site administrator."""
        actions.revoke_session(session=sessions.find(self.by, session_id), by=self.by)
        return Response(status=204)


class PersonSessionListView(ApiView):
    @extend_schema(operation_id="person_sessions_list", tags=["Sessions"], responses=SessionSerializer(many=True))
    def get(self, request: Request, person_id: int) -> Response:
        """Where somebody is signed in. Needs a site administrator."""
        return Response({"results": sessions.shown(self._person(person_id)), "next": None})

    @extend_schema(operation_id="person_sessions_revoke", tags=["Sessions"], responses={204: None})
    def delete(self, request: Request, person_id: int) -> Response:
        """Sign somebody out everywhere. Needs a site administrator."""
        actions.revoke_sessions(user=self._person(person_id), by=self.by)
        return Response(status=204)

    def _person(self, person_id: int) -> User:
        require_site_admin(self.by)
        user = User.objects.filter(pk=person_id).first()
        if user is None:
            raise NotFound("There is no such person.")
        return user


def current_session(request: Request) -> str:
    """The session that this request came by; '' with a key."""
    return str(request._request.session.session_key or "")
