"""REST: the ledger as a stream, the offline verifier, and the erasure of personal data."""

from collections.abc import Iterable
from pathlib import Path

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Invalid
from accounts.rest import ApiView
from governance import actions
from governance.asking import FIELDS, filter_of
from governance.ledger import countersign_verify, export

_MOST_DIGITS = 15


class AnyType(BaseContentNegotiation):
    """The format is in the address: whatever the client accepts, that is what it gets."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, str(first.media_type)

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        return next(iter(parsers), None)


class ExportView(ApiView):
    content_negotiation_class = AnyType

    @extend_schema(
        operation_id="ledger_export",
        tags=["Ledger"],
        parameters=[
            OpenApiParameter("format", str, description="jsonl (for the verifier), csv or ocsf. jsonl unless given."),
            OpenApiParameter("from_index", int, description="Go on from this leaf: the last line's index and one."),
            *[OpenApiParameter(name, str, description=text) for name, text in FIELDS.items()],
        ],
        responses={(200, "application/x-ndjson"): OpenApiTypes.STR, (200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """The sealed events that meet the filter, in the order of the tree, streamed. Needs ledger.export, and is an event
        itself."""
        kind = request.query_params.get("format", "jsonl")
        text = request.query_params.get("from_index", "0")
        if not text.isdecimal() or len(text) > _MOST_DIGITS:
            raise Invalid("from_index", "Use a whole number from 0.")
        chosen = filter_of({key: value for key, value in request.query_params.items() if isinstance(value, str)})
        selection = actions.begin_export(chosen=chosen, kind=kind, from_index=int(text), by=self.by)
        media_type, write = export.FORMATS[kind]
        answer = StreamingHttpResponse(export.in_chunks(write(selection)), content_type=media_type)
        suffix = "csv" if kind == "csv" else "jsonl"
        answer["Content-Disposition"] = f'attachment; filename="ledger-{kind}.{suffix}"'
        answer["X-Tree-Size"] = str(selection.tree_size)
        # What comes after this export, to be fetched later.
        following = request.query_params.copy()
        following["from_index"] = str(selection.tree_size)
        answer["Link"] = f'<{request.path}?{following.urlencode()}>; rel="next"'
        answer["X-Accel-Buffering"] = "no"
        return answer


class VerifierView(ApiView):
    content_negotiation_class = AnyType

    @extend_schema(
        operation_id="ledger_verifier", tags=["Ledger"], responses={(200, "text/x-python"): OpenApiTypes.STR}
    )
    def get(self, request: Request) -> HttpResponse:
        """The offline verifier: one Python file that needs nothing else."""
        answer = HttpResponse(
            Path(countersign_verify.__file__).read_bytes(), content_type="text/x-python; charset=utf-8"
        )
        answer["Content-Disposition"] = 'attachment; filename="countersign_verify.py"'
        return answer


class ErasureSerializer(serializers.Serializer[object]):
    email = serializers.CharField(max_length=254, help_text="Of the person, as the events name it.")
    user_id = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=2**63 - 1,
        help_text="Where the address changed since, or the account is gone.",
    )
    reason = serializers.CharField(max_length=2000, help_text="Who asked for it, and when. Do not name the person.")
    mentions = serializers.BooleanField(
        default=True, help_text="Also erase every other text in which the e-mail stands."
    )


class ErasedSerializer(serializers.Serializer[object]):
    events = serializers.IntegerField(help_text="How many events lost texts.")


class ErasureView(ApiView):
    @extend_schema(
        operation_id="ledger_erase", tags=["Ledger"], request=ErasureSerializer, responses={201: ErasedSerializer}
    )
    def post(self, request: Request) -> Response:
        """Erase a person's data from sealed events: facts and proofs stay. Site administrators only; it can't be undone."""
        data = self.read(ErasureSerializer)
        done = actions.erase_personal_data(
            email=data["email"],
            user_id=data.get("user_id"),
            reason=data["reason"],
            mentions=data["mentions"],
            by=self.by,
        )
        return Response({"events": done.events}, status=201)
