"""Who the key is, and whether a card's front matter can be read."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from accounts.access import visible_teams
from accounts.authentication import actor_of
from accounts.errors import Invalid, TooLarge
from accounts.models import Team
from accounts.roles import Scope
from doors.huggingface.door import answer, door, json_of, text_of
from doors.huggingface.repos import home_of
from registry.inspection import cards

MAX_CARD = cards.MAX_CARD_BYTES


@door("GET")
def whoami(request: HttpRequest) -> HttpResponse:
    """`name` is the namespace that clients put before a bare name: the key's team. The person stands in fullname and email."""
    by = actor_of(request)
    assert by.user is not None
    assert by.key is not None
    teams = list(Team.objects.filter(visible_teams(by)).order_by("name")[:200])
    home = home_of(by)
    writes = not by.key.scopes or Scope.WRITE.value in by.key.scopes
    return answer(
        {
            "type": "user",
            "id": str(by.user.pk),
            "name": home.name if home else by.user.email.partition("@")[0],
            "fullname": by.user.name,
            "email": by.user.email,
            "emailVerified": True,
            "isPro": False,
            "orgs": [
                {"type": "org", "id": str(team.pk), "name": team.name, "fullname": team.title, "isEnterprise": False}
                for team in teams
            ],
            "auth": {
                "type": "access_token",
                "accessToken": {"displayName": by.key.name, "role": "write" if writes else "read"},
            },
        }
    )


@door("POST", public=True)
def validate_yaml(request: HttpRequest) -> HttpResponse:
    """{"errors": [], "warnings": []}: whether a card's front matter is YAML. A client asks before it commits a README.md."""
    body = json_of(request)
    content = body.get("content")
    if isinstance(content, str) and len(content) > MAX_CARD:
        raise TooLarge(f"A card has at most {MAX_CARD} characters.")
    try:
        cards.parse(text_of(body, "content", limit=MAX_CARD).lstrip("\ufeff"))
    except Invalid as error:
        return answer({"errors": [{"message": error.detail}], "warnings": []}, status=400)
    return answer({"errors": [], "warnings": []})
