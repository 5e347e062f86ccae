"""REST: policies."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_team
from accounts.rest import ApiView, page_response
from governance import actions
from governance.access import get_policy, visible_policies
from governance.serializers import PolicyCreateSerializer, PolicyRulesSerializer, PolicySerializer


class PolicyListView(ApiView):
    @extend_schema(operation_id="policies_list", tags=["Policies"], responses=PolicySerializer(many=True))
    def get(self, request: Request) -> Response:
        """The policies of the teams that you are in."""
        return page_response(
            request, visible_policies(self.by), order=["-id"], show=lambda policy: PolicySerializer(policy).data
        )

    @extend_schema(
        operation_id="policies_create",
        tags=["Policies"],
        request=PolicyCreateSerializer,
        responses={201: PolicySerializer},
    )
    def post(self, request: Request) -> Response:
        """Make a policy: what a move to a stage demands. Needs policy.edit."""
        data = self.read(PolicyCreateSerializer)
        team = get_team(self.by, data.pop("team"))
        policy = actions.create_policy(team=team, by=self.by, **data)
        return Response(PolicySerializer(policy).data, status=201)


class PolicyView(ApiView):
    @extend_schema(operation_id="policies_get", tags=["Policies"], responses=PolicySerializer)
    def get(self, request: Request, policy_id: int) -> Response:
        """One policy with the rules in force."""
        return Response(PolicySerializer(get_policy(self.by, policy_id)).data)

    @extend_schema(
        operation_id="policies_update", tags=["Policies"], request=PolicyRulesSerializer, responses=PolicySerializer
    )
    def put(self, request: Request, policy_id: int) -> Response:
        """New rules, as a new version. Needs policy.edit."""
        policy = get_policy(self.by, policy_id)
        actions.update_policy(policy=policy, by=self.by, **self.read(PolicyRulesSerializer))
        return Response(PolicySerializer(get_policy(self.by, policy_id)).data)

    @extend_schema(operation_id="policies_remove", tags=["Policies"], responses={204: None})
    def delete(self, request: Request, policy_id: int) -> Response:
        """End a policy. A stage that is always protected falls back to one review. Needs policy.edit."""
        actions.remove_policy(policy=get_policy(self.by, policy_id), by=self.by)
        return Response(status=204)
