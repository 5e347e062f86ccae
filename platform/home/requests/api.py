"""REST: approval requests and reviews."""

from typing import Any

from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

import registry.reads
import serving.actions
import serving.reads
from accounts.access import get_team
from accounts.errors import Invalid
from accounts.members import get_member
from accounts.rest import ApiView, page_response
from governance import actions, policies
from governance.candidates import candidates
from governance.models import ApprovalRequest, Attestation
from governance.renewals import renewal_evidence
from home import approvals
from home.requests.serializers import (
    AnswerSerializer,
    CountsSerializer,
    DeploymentRequestSerializer,
    EvidencePairSerializer,
    GlassReviewSerializer,
    GlassSerializer,
    LineSerializer,
    RemovalCreateSerializer,
    RequestCreateSerializer,
    RequestDetailSerializer,
    RequestSerializer,
    ReviewCreateSerializer,
    ReviewSerializer,
    RoleRequestSerializer,
    StepSerializer,
)

TAG = ["Requests"]


def detail(request: ApprovalRequest) -> dict[str, Any]:
    """A request with its policy held against the evidence, its reviews and its attestation."""
    judged = policies.evaluate(request)
    envelope = Attestation.objects.filter(request=request).values_list("envelope", flat=True).first()
    waiting = candidates(request, judged) if request.state == ApprovalRequest.State.OPEN else []
    return {
        **RequestSerializer(request).data,
        "policy": [LineSerializer(line).data for line in judged.lines],
        "steps": StepSerializer(judged.steps, many=True).data,
        "problems": [step.problem for step in waiting if step.problem],
        "seal": actions.seal(request, judged),
        "reviews": ReviewSerializer(request.reviews.select_related("reviewer", "on_behalf_of"), many=True).data,
        "attestation": envelope,
    }


class RequestListView(ApiView):
    @extend_schema(
        operation_id="requests_list",
        tags=TAG,
        parameters=[
            OpenApiParameter("state", str, enum=list(ApprovalRequest.State)),
            OpenApiParameter("inbox", bool, description="Only those that wait for you."),
            OpenApiParameter("mine", bool, description="Only those that you asked for."),
            OpenApiParameter("asset", str, description="team/name"),
            OpenApiParameter("team", str),
            OpenApiParameter("kind", str, enum=list(ApprovalRequest.Kind)),
            OpenApiParameter("stage", str),
            OpenApiParameter(
                "only", str, enum=["glass", "renewals", "scheduled"],
                description="Broken glasses that are not settled, renewals, or approved ones that wait for their time.",
            ),
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
        responses=RequestSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """Requests, newest first."""
        asked = request.query_params
        rows = approvals.inbox(self.by) if _flag(asked.get("inbox")) else approvals.visible_requests(self.by)
        if _flag(asked.get("mine")):
            rows = rows.filter(requested_by_id=self.by.id or 0)
        for name, allowed in (("state", set(ApprovalRequest.State)), ("kind", set(ApprovalRequest.Kind))):
            if value := asked.get(name):
                if value not in allowed:
                    raise Invalid(name, f"Use one of {', '.join(sorted(allowed))}.")
                rows = rows.filter(**{name: value})
        for name, field in (("asset", "asset_label"), ("team", "team__name"), ("stage", "stage")):
            if value := asked.get(name):
                rows = rows.filter(**{field: value})
        if only := asked.get("only"):
            rows = rows.filter(_only(only))
        return page_response(request, rows, order=["-id"], show=lambda row: RequestSerializer(row).data)

    @extend_schema(
        operation_id="requests_create",
        tags=TAG,
        request=RequestCreateSerializer,
        responses={201: RequestDetailSerializer},
    )
    def post(self, request: Request) -> Response:
        """Ask for a protected alias or label to move to a version: at once when approved, at a time, or after an evaluation. Needs
        request.create, and production.set for production."""
        made = approvals.open_request(by=self.by, **self.read(RequestCreateSerializer))
        return Response(detail(made), status=201)


def _flag(text: str | None) -> bool:
    return (text or "").lower() in ("1", "true")


def _only(what: str) -> Q:
    filters = {
        "glass": Q(afterwards=ApprovalRequest.Afterwards.PENDING),
        "renewals": Q(renews__isnull=False),
        "scheduled": Q(state=ApprovalRequest.State.APPROVED),
    }
    if what not in filters:
        raise Invalid("only", f"Use one of {', '.join(filters)}.")
    return filters[what]


class RemovalView(ApiView):
    @extend_schema(
        operation_id="requests_remove",
        tags=TAG,
        request=RemovalCreateSerializer,
        responses={201: RequestDetailSerializer},
    )
    def post(self, request: Request) -> Response:
        """Ask for a protected alias or label to be emptied."""
        return Response(detail(approvals.open_removal(by=self.by, **self.read(RemovalCreateSerializer))), status=201)


class RoleRequestView(ApiView):
    @extend_schema(
        operation_id="requests_role", tags=TAG, request=RoleRequestSerializer, responses={201: RequestDetailSerializer}
    )
    def post(self, request: Request) -> Response:
        """Ask that somebody be given a role which the team guards. Needs team.manage; once approved it is given in your name."""
        given = self.read(RoleRequestSerializer)
        team = get_team(self.by, given.pop("team"))
        person = get_member(team, given.pop("person"))
        return Response(detail(approvals.open_role(team=team, person=person, by=self.by, **given)), status=201)


class DeploymentRequestView(ApiView):
    @extend_schema(
        operation_id="requests_deployment",
        tags=TAG,
        request=DeploymentRequestSerializer,
        responses={201: RequestDetailSerializer},
    )
    def post(self, request: Request) -> Response:
        """Ask for a deployment, or a change to one, where a policy guards them. Needs deployment.manage; once approved it is made
        in your name."""
        given = {name: value for name, value in self.read(DeploymentRequestSerializer).items() if value is not None}
        team = get_team(self.by, given.pop("team"))
        name, model, number = given.pop("name"), given.pop("model"), given.pop("version", None)
        stage = given.pop("stage")
        version = None
        if model or number is not None:
            if not model or number is None:
                raise Invalid("version", "Name the model and the number of its version.")
            asset = registry.reads.get_asset(self.by, "model", model)
            version = registry.reads.get_version(self.by, asset, number)
        if stage:
            if version is None:
                raise Invalid("model", "A new deployment runs a version of a model: name both.")
            made = serving.actions.request_create(
                team=team, name=name, version=version, stage=stage, by=self.by, **given
            )
        else:
            deployment = serving.reads.get_deployment(self.by, team.name, name)
            made = serving.actions.request_update(deployment=deployment, version=version, by=self.by, **given)
        return Response(detail(made), status=201)


class CountsView(ApiView):
    @extend_schema(operation_id="requests_counts", tags=TAG, responses=CountsSerializer)
    def get(self, request: Request) -> Response:
        """How many wait for you, are yours, are broken glasses, and are renewals."""
        return Response(approvals.counts(self.by))


class RequestView(ApiView):
    @extend_schema(operation_id="requests_get", tags=TAG, responses=RequestDetailSerializer)
    def get(self, request: Request, request_id: int) -> Response:
        """One request: the policy line by line, the reviews, and once applied its attestation."""
        return Response(detail(approvals.get_request(self.by, request_id)))


class ReviewListView(ApiView):
    @extend_schema(
        operation_id="reviews_create",
        tags=TAG,
        request=ReviewCreateSerializer,
        responses={201: RequestDetailSerializer},
    )
    def post(self, request: Request, request_id: int) -> Response:
        """Approve, reject, ask for changes or comment. The last approval that the policy asks for makes the change in the same
        transaction, unless it is to wait for a time or an evaluation."""
        found = approvals.get_request(self.by, request_id)
        given = self.read(ReviewCreateSerializer)
        behalf = approvals.delegator(found, given.pop("on_behalf_of"), self.by)
        return Response(detail(approvals.decide(request=found, by=self.by, on_behalf_of=behalf, **given)), status=201)


class WithdrawView(ApiView):
    @extend_schema(operation_id="requests_withdraw", tags=TAG, request=None, responses=RequestDetailSerializer)
    def post(self, request: Request, request_id: int) -> Response:
        """Take back a request that you made."""
        return Response(detail(actions.withdraw(request=approvals.get_request(self.by, request_id), by=self.by)))


class AnswerView(ApiView):
    @extend_schema(
        operation_id="requests_answer", tags=TAG, request=AnswerSerializer, responses=RequestDetailSerializer
    )
    def post(self, request: Request, request_id: int) -> Response:
        """Answer those who asked for changes to your request: they are asked again."""
        found = approvals.get_request(self.by, request_id)
        return Response(detail(actions.answer_changes(request=found, by=self.by, **self.read(AnswerSerializer))))


class RenewView(ApiView):
    @extend_schema(operation_id="requests_renew", tags=TAG, request=None, responses={201: RequestDetailSerializer})
    def post(self, request: Request, request_id: int) -> Response:
        """Ask anew for the bytes of an applied approval which has lapsed or soon will. Nothing moves."""
        found = approvals.get_request(self.by, request_id)
        return Response(detail(approvals.renew(request=found, by=self.by)), status=201)

    @extend_schema(operation_id="requests_renewal_evidence", tags=TAG, responses=EvidencePairSerializer(many=True))
    def get(self, request: Request, request_id: int) -> Response:
        """The evidence that an approval was given on beside the newest of the same sort."""
        found = approvals.get_request(self.by, request_id)
        return Response(EvidencePairSerializer(renewal_evidence(found), many=True).data)


class BreakGlassView(ApiView):
    @extend_schema(
        operation_id="requests_break_glass",
        tags=TAG,
        request=GlassSerializer,
        responses={201: RequestDetailSerializer},
    )
    def post(self, request: Request) -> Response:
        """Move a protected alias or label at once, in an emergency. Needs glass.break; it is reviewed afterwards."""
        return Response(detail(approvals.break_glass(by=self.by, **self.read(GlassSerializer))), status=201)


class GlassReviewView(ApiView):
    @extend_schema(
        operation_id="requests_settle_glass",
        tags=TAG,
        request=GlassReviewSerializer,
        responses={201: RequestDetailSerializer},
    )
    def post(self, request: Request, request_id: int) -> Response:
        """Review a broken glass afterwards: confirm it, or roll it back, which puts the alias where it was."""
        found = approvals.get_request(self.by, request_id)
        given = self.read(GlassReviewSerializer)
        behalf = approvals.delegator(found, given.pop("on_behalf_of"), self.by)
        done = approvals.settle_glass(request=found, by=self.by, on_behalf_of=behalf, **given)
        return Response(detail(done), status=201)
