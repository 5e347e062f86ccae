"""REST: API keys."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import actions, members
from accounts.access import Actor, get_team, require
from accounts.api.people import PAGING, find_person
from accounts.errors import Invalid, NotFound
from accounts.rest import ApiView, page_response
from accounts.roles import Permission
from accounts.serializers import (
    KeyChangeSerializer,
    KeyCreateSerializer,
    KeyRotateSerializer,
    KeySerializer,
    NewKeySerializer,
)


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
        networks=data.get("networks") or (),
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

    @extend_schema(operation_id="keys_change", tags=["Keys"], request=KeyChangeSerializer, responses=KeySerializer)
    def patch(self, request: Request, key_id: str) -> Response:
        """Limit a key to other networks, in a signed-in session. It holds from the next request on."""
        data = self.read(KeyChangeSerializer)
        key = actions.limit_key(key=members.get_key(self.by, key_id), networks=data["networks"], by=self.by)
        return Response(KeySerializer(key).data)


class KeyRotateView(ApiView):
    @extend_schema(
        operation_id="keys_rotate",
        tags=["Keys"],
        request=KeyRotateSerializer,
        responses={201: NewKeySerializer},
        examples=[OpenApiExample("The old one works for a day more", {"overlap_s": 86400}, request_only=True)],
    )
    def post(self, request: Request, key_id: str) -> Response:
        """A new key in this one's place, with the same powers; the old one works for `overlap_s` seconds more. In a signed-in
        session: a key makes no keys."""
        data = self.read(KeyRotateSerializer)
        row, whole = actions.rotate_key(key=members.get_key(self.by, key_id), overlap_s=data["overlap_s"], by=self.by)
        return Response({"key": whole, **KeySerializer(row).data}, status=201)
