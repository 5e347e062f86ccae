"""What is in a version beside its files: tensors, and the memory that they need."""

from dataclasses import asdict

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Invalid
from accounts.rest import Cursor, page_arguments
from registry import memory, tensors
from registry.api.base import PAGE, PROBLEMS, RegistryView

MAX_TOKENS = 1_000_000_000


class TensorOut(serializers.Serializer[None]):
    name = serializers.CharField()
    dtype = serializers.CharField(help_text="As safetensors names it (F32, BF16, F8_E4M3), or GGUF (Q4_K).")
    shape = serializers.ListField(child=serializers.IntegerField())
    parameters = serializers.IntegerField(help_text="Elements: the product of the shape.")
    size = serializers.IntegerField(help_text="Bytes; 0 where the type is not known.")
    file = serializers.CharField()


class TensorsOut(serializers.Serializer[None]):
    results = TensorOut(many=True)
    next = serializers.CharField(allow_null=True, help_text="Cursor of the next page.")
    total = serializers.IntegerField(help_text="Tensors that were found.")


class PrecisionOut(serializers.Serializer[None]):
    name = serializers.CharField()
    bits = serializers.IntegerField()
    weights = serializers.IntegerField(help_text="Bytes.")
    total = serializers.IntegerField(help_text="Bytes, with the cache.")


class CacheOut(serializers.Serializer[None]):
    tokens = serializers.IntegerField()
    per_token = serializers.IntegerField(help_text="Bytes.")
    size = serializers.IntegerField(help_text="Bytes.")
    formula = serializers.CharField()


class MemoryOut(serializers.Serializer[None]):
    parameters = serializers.IntegerField(
        allow_null=True, help_text="null where they are not known: then nothing else is."
    )
    stored = serializers.IntegerField(help_text="Bytes of the tensors as they are in the files.")
    precisions = PrecisionOut(many=True)
    cache = CacheOut(
        allow_null=True, help_text="Keys and values of one text; null where the configuration does not say."
    )


class Tensors(RegistryView):
    operations = {"get": "tensor_list"}

    @extend_schema(
        summary="List the tensors of a version",
        description="Out of the headers of its safetensors, PyTorch, GGUF or ONNX files; no weights are read.",
        parameters=[
            *PAGE,
            OpenApiParameter("search", str, description="Words that the name has, or a type."),
            OpenApiParameter("sort", str, enum=list(tensors.SORTS), description="'place' without it."),
            OpenApiParameter("file", str, description="Only those of this file."),
            OpenApiParameter("prefix", str, description="Only those below this name, such as 'model.layers.0'."),
        ],
        responses={200: TensorsOut, 404: PROBLEMS[404], 409: PROBLEMS[409]},
    )
    def get(self, request: Request, kind: str, team: str, name: str, number: int) -> Response:
        version = self.version(kind, team, name, number)
        cursor, limit = page_arguments(request)
        start = Cursor.read(cursor, 1)[0] if cursor else 0
        if not isinstance(start, int) or isinstance(start, bool) or start < 0:
            raise Invalid("cursor", "This is not a cursor of this list. Leave it out to begin at the first page.")
        sort = request.query_params.get("sort", "place")
        if sort not in tensors.SORTS:
            raise Invalid("sort", f"Use one of {', '.join(tensors.SORTS)}.")
        given = {key: request.query_params.get(key, "") for key in ("search", "file", "prefix")}
        found = tensors.select(tensors.of_version(version), sort=sort, **given)
        results = [
            {
                "name": row.tensor.name,
                "dtype": row.tensor.dtype,
                "shape": row.tensor.shape,
                "parameters": row.tensor.elements,
                "size": row.tensor.size,
                "file": row.path,
            }
            for row in found[start : start + limit]
        ]
        following = Cursor.write([start + limit]) if start + limit < len(found) else None
        return Response({"results": results, "next": following, "total": len(found)})


class MemoryNeeded(RegistryView):
    operations = {"get": "memory"}

    @extend_schema(
        summary="The memory that a version needs at each precision",
        description="Weights, and the cache of one text. A lower bound: activations and the engine come on top.",
        parameters=[OpenApiParameter("tokens", int, description="Length of the text; the context length without it.")],
        responses={200: MemoryOut, 400: PROBLEMS[400], 404: PROBLEMS[404]},
    )
    def get(self, request: Request, kind: str, team: str, name: str, number: int) -> Response:
        version = self.version(kind, team, name, number)
        text = request.query_params.get("tokens", "")
        if text and not (text.isdecimal() and len(text) < 12 and 0 < int(text) <= MAX_TOKENS):
            raise Invalid("tokens", f"Use a whole number between 1 and {MAX_TOKENS}.")
        found = memory.needed(version.facts, int(text) if text else None)
        if found is None:
            return Response({"parameters": None, "stored": 0, "precisions": [], "cache": None})
        return Response(asdict(found))
