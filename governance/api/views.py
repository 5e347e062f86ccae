"""REST: saved views of the ledger."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_team
from accounts.rest import ApiView, page_response
from governance import actions
from governance.access import get_view, visible_views
from governance.models import SavedView


class SavedViewSerializer(serializers.ModelSerializer[SavedView]):
    team = serializers.CharField(source="team.name")
    owner = serializers.CharField(source="owner.email")

    class Meta:
        model = SavedView
        fields = ["id", "team", "owner", "name", "query", "shared", "created_at"]


class SavedViewCreateSerializer(serializers.Serializer[SavedView]):
    team = serializers.CharField()
    name = serializers.CharField()
    query = serializers.CharField(
        allow_blank=True, help_text="As in the ledger's address: action=request&after=2026-05-03."
    )
    shared = serializers.BooleanField(default=False, help_text="With everybody who reads the team's ledger.")


class SavedViewChangeSerializer(serializers.Serializer[SavedView]):
    name = serializers.CharField(required=False)
    shared = serializers.BooleanField(required=False)


class SavedViewListView(ApiView):
    @extend_schema(operation_id="ledger_views_list", tags=["Ledger"], responses=SavedViewSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Your saved views and those shared with you."""
        return page_response(
            request, visible_views(self.by), order=["-id"], show=lambda view: SavedViewSerializer(view).data
        )

    @extend_schema(
        operation_id="ledger_views_create",
        tags=["Ledger"],
        request=SavedViewCreateSerializer,
        responses={201: SavedViewSerializer},
    )
    def post(self, request: Request) -> Response:
        """Keep a filter by name. Needs ledger.view."""
        data = self.read(SavedViewCreateSerializer)
        view = actions.save_view(team=get_team(self.by, data.pop("team")), by=self.by, **data)
        return Response(SavedViewSerializer(view).data, status=201)


class SavedViewView(ApiView):
    @extend_schema(operation_id="ledger_views_get", tags=["Ledger"], responses=SavedViewSerializer)
    def get(self, request: Request, view_id: int) -> Response:
        """One saved view."""
        return Response(SavedViewSerializer(get_view(self.by, view_id)).data)

    @extend_schema(
        operation_id="ledger_views_update",
        tags=["Ledger"],
        request=SavedViewChangeSerializer,
        responses=SavedViewSerializer,
    )
    def patch(self, request: Request, view_id: int) -> Response:
        """Rename it, share it or no longer. Its owner may."""
        view = get_view(self.by, view_id)
        actions.change_view(view=view, by=self.by, **self.read(SavedViewChangeSerializer))
        return Response(SavedViewSerializer(get_view(self.by, view_id)).data)

    @extend_schema(operation_id="ledger_views_remove", tags=["Ledger"], responses={204: None})
    def delete(self, request: Request, view_id: int) -> Response:
        """Forget it. Its owner may, and, of a shared one, who manages the team."""
        actions.remove_view(view=get_view(self.by, view_id), by=self.by)
        return Response(status=204)
