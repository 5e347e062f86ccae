"""The card of a version: text, fields, and what is missing."""

import io

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from registry import actions, cards
from registry.actions.versions import manifest_of
from registry.api.base import PROBLEMS, RegistryView
from registry.inspection.cards import missing
from registry.models import Version
from registry.paths import CARD
from registry.serializers import CardIn, CardOut


def card_json(version: Version) -> dict[str, object]:
    text = version.card if version.is_registered else cards.of_draft(manifest_of(version))
    card = cards.readable(text)
    return {"markdown": text, "card": cards.structured(card), "missing": missing(card, version.asset.kind)}


class CardDetail(RegistryView):
    operations = {"get": "version_card", "put": "version_card_write"}

    @extend_schema(
        summary="The card of a version",
        description="README.md as text and as fields (of its front matter and its sections), and what a complete card would say besides.",
        responses={200: CardOut, 404: PROBLEMS[404]},
    )
    def get(self, request: Request, kind: str, team: str, name: str, number: int) -> Response:
        return Response(card_json(self.version(kind, team, name, number)))

    @extend_schema(summary="Write the card of a draft", request=CardIn, responses={200: CardOut, **PROBLEMS})
    def put(self, request: Request, kind: str, team: str, name: str, number: int) -> Response:
        version = self.version(kind, team, name, number)
        content = self.read(CardIn)["markdown"].encode()
        actions.add_file(version=version, path=CARD, stream=io.BytesIO(content), expected_size=len(content), by=self.by)
        return self.get(request, kind, team, name, number)
