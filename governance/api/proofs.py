"""REST: checkpoints, keys and proofs of the ledger. A checkpoint gives no event away: everyone who is signed in reads it."""

from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Conflict, Invalid, NotFound
from accounts.rest import ApiView, page_response
from governance.access import ledger_teams
from governance.ledger import keys, proofs, state
from governance.ledger.models import Checkpoint
from governance.ledger.reads import Filter, search

_NOT_YET = "Not sealed yet: that takes a few seconds after the event. Try again in a moment."


class PlainText(BaseRenderer):
    """Lets a client ask for text/plain; the views write it themselves."""

    media_type = "text/plain"
    format = "txt"

    def render(self, data: Any, *arguments: Any, **options: Any) -> Any:
        return JSONRenderer().render(data)


class OpeningSerializer(serializers.Serializer[object]):
    salt = serializers.CharField(help_text="16 bytes, hexadecimal.")
    value = serializers.JSONField()


class KeySerializer(serializers.Serializer[object]):
    name = serializers.CharField()
    hash = serializers.CharField(help_text="8 hexadecimal digits, as in a note's signature.")
    public_key = serializers.CharField(help_text="Ed25519, 32 bytes in base64.")
    text = serializers.CharField(help_text="The C2SP verifier key: name+hash+base64.")
    active_from = serializers.DateTimeField()
    retired_at = serializers.DateTimeField(allow_null=True)
    from_size = serializers.IntegerField(help_text="Signs checkpoints of more events than this...")
    to_size = serializers.IntegerField(allow_null=True, help_text="...up to and including this many.")
    endorsement = serializers.CharField(help_text="A note in which the key before it hands over to this one.")


class ProofSerializer(serializers.Serializer[object]):
    leaf_index = serializers.IntegerField()
    tree_size = serializers.IntegerField()
    leaf = serializers.CharField(help_text="Canonical JSON; its UTF-8 bytes are the leaf's data.")
    openings = serializers.DictField(child=OpeningSerializer(allow_null=True), help_text="null: erased.")
    path = serializers.ListField(
        child=serializers.CharField(), help_text="RFC 9162 inclusion path, leaf to root, base64."
    )
    checkpoint = serializers.CharField(help_text="C2SP signed note.")
    keys = KeySerializer(many=True)


class CheckpointSerializer(serializers.ModelSerializer[Checkpoint]):
    class Meta:
        model = Checkpoint
        fields = ["tree_size", "at", "note"]


class PathSerializer(serializers.Serializer[object]):
    path = serializers.ListField(child=serializers.CharField(), help_text="RFC 9162 consistency proof, base64.")


class AnchorSerializer(serializers.Serializer[object]):
    kind = serializers.CharField()
    place = serializers.CharField()
    tree_size = serializers.IntegerField(help_text="Of the last checkpoint that got there; 0: none yet.")
    at = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField(help_text="Of the last attempt; empty when it went well.")


class StatusSerializer(serializers.Serializer[object]):
    tree_size = serializers.IntegerField()
    checkpoint_at = serializers.DateTimeField(allow_null=True)
    lag_s = serializers.FloatField(help_text="Age of the oldest event that waits to be sealed.")
    problem = serializers.CharField(help_text="Why nothing is sealed; empty when all is well.")
    anchors = AnchorSerializer(many=True)


class ProofView(ApiView):
    @extend_schema(operation_id="ledger_proof", tags=["Ledger"], responses=ProofSerializer)
    def get(self, request: Request, event_id: int) -> Response:
        """The proof that an event is in the signed tree. Needs ledger.view; 409 until it is sealed."""
        if not search(Filter(), teams=ledger_teams(self.by)).filter(pk=event_id).exists():
            raise NotFound("There is no such event that you can see.")
        found = proofs.proof_of(event_id)
        if found is None:
            raise Conflict(_NOT_YET, code="not_sealed")
        return Response(found)


class CheckpointView(ApiView):
    renderer_classes = [PlainText, JSONRenderer]

    @extend_schema(operation_id="ledger_checkpoint", tags=["Ledger"], responses={(200, "text/plain"): OpenApiTypes.STR})
    def get(self, request: Request) -> HttpResponse:
        """The latest checkpoint, a C2SP signed note."""
        found = proofs.last_checkpoint()
        if found is None:
            raise NotFound("Nothing is sealed yet.")
        return HttpResponse(found.note, content_type="text/plain; charset=utf-8")


class CheckpointListView(ApiView):
    @extend_schema(
        operation_id="ledger_checkpoints",
        tags=["Ledger"],
        parameters=[OpenApiParameter("cursor", str), OpenApiParameter("limit", int)],
        responses=CheckpointSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """All checkpoints, newest first."""
        rows = Checkpoint.objects.all()
        return page_response(request, rows, order=["-tree_size"], show=lambda row: CheckpointSerializer(row).data)


class CheckpointTextView(ApiView):
    renderer_classes = [PlainText, JSONRenderer]

    @extend_schema(
        operation_id="ledger_checkpoints_text", tags=["Ledger"], responses={(200, "text/plain"): OpenApiTypes.STR}
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """The notes of all checkpoints, oldest first: the verifier's second file."""
        notes = Checkpoint.objects.order_by("tree_size").values_list("note", flat=True)
        answer = StreamingHttpResponse(_in_pages(notes), content_type="text/plain; charset=utf-8")
        answer["Content-Disposition"] = 'attachment; filename="checkpoints.txt"'
        return answer


def _in_pages(notes: Any, page: int = 2000) -> Any:
    last = -1
    while found := list(notes.filter(tree_size__gt=last).values_list("tree_size", "note")[:page]):
        yield "".join(note for _, note in found)
        last = found[-1][0]


class ConsistencyView(ApiView):
    @extend_schema(
        operation_id="ledger_consistency",
        tags=["Ledger"],
        parameters=[OpenApiParameter("from", int, required=True), OpenApiParameter("to", int, required=True)],
        responses=PathSerializer,
    )
    def get(self, request: Request) -> Response:
        """The proof that the tree of `from` events is the beginning of the tree of `to`."""
        last = proofs.last_checkpoint()
        sizes = {}
        for name in ("from", "to"):
            text = request.query_params.get(name, "")
            if not text.isdecimal() or len(text) > 18 or int(text) > (last.tree_size if last else 0):
                raise Invalid(
                    name, f"Use a number of events up to {last.tree_size if last else 0}, the latest checkpoint's."
                )
            sizes[name] = int(text)
        if sizes["from"] > sizes["to"]:
            raise Invalid("from", "It must not be more than `to`.")
        return Response({"path": proofs.texts(proofs.consistency_path(sizes["from"], sizes["to"]))})


class KeyListView(ApiView):
    @extend_schema(operation_id="ledger_keys", tags=["Ledger"], responses=KeySerializer(many=True))
    def get(self, request: Request) -> Response:
        """Every key that ever signed a checkpoint, oldest first. The verifier reads this as keys.json."""
        return Response(keys.shown())


class StatusView(ApiView):
    @extend_schema(operation_id="ledger_status", tags=["Ledger"], responses=StatusSerializer)
    def get(self, request: Request) -> Response:
        """How far the ledger is sealed, and whether sealing and anchoring go well. Needs ledger.view."""
        ledger_teams(self.by)
        return Response(StatusSerializer(state.status()).data)
