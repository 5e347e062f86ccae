"""REST: counting tokens."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Invalid, Unauthenticated
from accounts.rest import ApiView
from serving import tokenizing


class TokenizeIn(serializers.Serializer[Any]):
    model = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=400,
        help_text="A deployment team/name, or a model team/name, team/name@alias or team/name:3.",
    )  # fmt: skip
    text = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False, default=None, allow_null=True)
    messages = serializers.ListField(child=serializers.DictField(), required=False, default=None, allow_null=True)


class TokenizeOut(serializers.Serializer[Any]):
    tokens = serializers.IntegerField()
    counted_with = serializers.CharField(help_text="The tokenizer, in words.")
    exact = serializers.BooleanField(help_text="It is the model's own, messages through its chat template.")


class Tokenize(ApiView):
    @extend_schema(operation_id="tokenize", tags=["Deployments"], request=TokenizeIn, responses=TokenizeOut)
    def post(self, request: Request) -> Response:
        """How many tokens a text, or messages, are to a model. Where its tokenizer is not known, an estimate that says so."""
        if self.by.user is None:
            raise Unauthenticated("Sign in or send a key.")
        given = self.read(TokenizeIn)
        if (given["text"] is None) == (given["messages"] is None):
            raise Invalid("text", "Give either a text or messages.")
        asked = given["messages"] if given["text"] is None else given["text"]
        found = tokenizing.count(given["model"], asked, self.by)
        return Response({"tokens": found.tokens, "counted_with": found.counted_with, "exact": found.exact})
