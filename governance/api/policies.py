"""REST: policies, their history, what they would have done, and the evidence that they are held against."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_team, require
from accounts.errors import Invalid, NotFound
from accounts.rest import ApiView, page_response
from accounts.roles import Permission
from governance import actions, policies
from governance.access import get_policy, visible_policies
from governance.actions.policies import draft
from governance.models import Evidence, Policy
from governance.reads import visible_evidence
from governance.rule_serializers import (
    DryRunSerializer,
    EvidenceSerializer,
    PolicyChangeSerializer,
    PolicyCreateSerializer,
    PolicyDiffSerializer,
    PolicyRequestSerializer,
    PolicyRulesSerializer,
    PolicySerializer,
    PolicyVersionSerializer,
)
from governance.rules import parse

_PAGE = [OpenApiParameter("cursor", str), OpenApiParameter("limit", int)]


class PolicyListView(ApiView):
    @extend_schema(
        operation_id="policies_list", tags=["Policies"], parameters=_PAGE, responses=PolicySerializer(many=True)
    )
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
        """Make a policy: what a move to a stage demands. Needs policy.edit; 403 approval_required where a policy guards policies."""
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
        """New rules, as a new version. Needs policy.edit; 403 approval_required where a policy guards policies."""
        policy = get_policy(self.by, policy_id)
        require(self.by, Permission.POLICY_EDIT, policy)
        actions.update_policy(policy=policy, by=self.by, **self.read(PolicyRulesSerializer))
        return Response(PolicySerializer(get_policy(self.by, policy_id)).data)

    @extend_schema(operation_id="policies_remove", tags=["Policies"], responses={204: None})
    def delete(self, request: Request, policy_id: int) -> Response:
        """End a policy. A stage that is always protected falls back to one review. Needs policy.edit."""
        actions.remove_policy(policy=get_policy(self.by, policy_id), by=self.by)
        return Response(status=204)


class PolicyVersionListView(ApiView):
    @extend_schema(
        operation_id="policies_versions",
        tags=["Policies"],
        parameters=_PAGE,
        responses=PolicyVersionSerializer(many=True),
    )
    def get(self, request: Request, policy_id: int) -> Response:
        """Every version of a policy, newest first: who wrote it, when, and its rules."""
        rows = get_policy(self.by, policy_id).versions.select_related("created_by")
        return page_response(request, rows, order=["-number"], show=lambda row: PolicyVersionSerializer(row).data)


class PolicyDiffView(ApiView):
    @extend_schema(
        operation_id="policies_diff",
        tags=["Policies"],
        parameters=[OpenApiParameter("from", int, required=True), OpenApiParameter("to", int, required=True)],
        responses=PolicyDiffSerializer,
    )
    def get(self, request: Request, policy_id: int) -> Response:
        """What changed between two versions, line by line in words."""
        policy = get_policy(self.by, policy_id)
        before, after = self._lines(policy, "from"), self._lines(policy, "to")
        return Response(
            {
                "before": before,
                "after": after,
                "removed": [line for line in before if line not in after],
                "added": [line for line in after if line not in before],
            }
        )

    def _lines(self, policy: Policy, name: str) -> list[str]:
        text = self.request.query_params.get(name, "")
        if not text.isdecimal() or len(text) > 9:
            raise Invalid(name, "Give the number of a version.")
        version = policy.versions.filter(number=int(text)).first()
        if version is None:
            raise NotFound(f"This policy has no version {text}.")
        return parse(version.checks, version.reviews, version.terms).sentences


class PolicyDryRunView(ApiView):
    @extend_schema(
        operation_id="policies_dry_run",
        tags=["Policies"],
        request=PolicyCreateSerializer,
        responses=DryRunSerializer,
    )
    def post(self, request: Request) -> Response:
        """What this policy would have done to each request of the past year, judged by the evidence and the reviews of its day.
        Writes nothing. Needs policy.edit and asset.view."""
        data = self.read(PolicyCreateSerializer)
        team = get_team(self.by, data.pop("team"))
        require(self.by, Permission.POLICY_EDIT, team)
        require(self.by, Permission.ASSET_VIEW, team)  # it names the requests
        found = draft(team=team, **data)
        run = policies.dry_run(team=team, kind=found.kind, pattern=found.pattern, stage=found.stage, rules=found.rules)
        return Response(DryRunSerializer(run).data)


class PolicyChangeView(ApiView):
    @extend_schema(
        operation_id="policies_ask",
        tags=["Policies"],
        request=PolicyChangeSerializer,
        responses={201: PolicyRequestSerializer},
    )
    def post(self, request: Request) -> Response:
        """Ask for a policy to be made, changed or removed, where a policy guards policies. Needs policy.edit."""
        data = self.read(PolicyChangeSerializer)
        team = get_team(self.by, data.pop("team"))
        number = data.pop("policy", None)
        policy = get_policy(self.by, number) if number is not None else None
        if policy is not None and policy.team_id != team.pk:
            raise Invalid("policy", f"This is not a policy of {team.name}.")
        asked = actions.ask_for_policy(team=team, policy=policy, by=self.by, **data)
        return Response({"request": asked.pk}, status=201)


class EvidenceListView(ApiView):
    @extend_schema(
        operation_id="evidence_list",
        tags=["Policies"],
        parameters=[
            OpenApiParameter("digest", str, required=True, description="Of the version: sha256:…"),
            OpenApiParameter("kind", str, enum=list(Evidence.Kind)),
            *_PAGE,
        ],
        responses=EvidenceSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """What speaks for and against exactly these bytes, newest first: evaluations, card, scan, lineage."""
        digest = request.query_params.get("digest", "")
        if not digest or len(digest) > 80 or "\0" in digest:
            raise Invalid("digest", "Give the digest of a version, such as sha256:….")
        rows = visible_evidence(self.by).filter(subject_digest=digest)
        if kind := request.query_params.get("kind"):
            if kind not in set(Evidence.Kind):
                raise Invalid("kind", f"Use one of {', '.join(Evidence.Kind)}.")
            rows = rows.filter(kind=kind)
        return page_response(request, rows, order=["-id"], show=lambda row: EvidenceSerializer(row).data)
