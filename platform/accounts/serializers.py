"""JSON shapes of teams, people, memberships and keys."""

from typing import Any

from rest_framework import serializers

from accounts.members import roles_of
from accounts.models import NAME_HELP, ApiKey, Team, User
from accounts.roles import Role, Scope

ROLE_HELP = f"A built-in role ({', '.join(Role)}) or one of the team's own."


class TeamCreateSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=96, help_text=NAME_HELP)
    title = serializers.CharField(max_length=120, required=False, allow_blank=True, help_text="What pages show.")


class TeamSerializer(serializers.ModelSerializer[Team]):
    class Meta:
        model = Team
        fields = ["id", "name", "title", "created_at"]


class PersonCreateSerializer(serializers.Serializer[Any]):
    email = serializers.CharField(max_length=254, help_text="What the person signs in with.")
    name = serializers.CharField(max_length=120)
    password = serializers.CharField(
        max_length=200, write_only=True, trim_whitespace=False, help_text="A first password, at least 8 characters."
    )
    site_admin = serializers.BooleanField(default=False, help_text="May make teams and people.")


class PersonSerializer(serializers.ModelSerializer[User]):
    site_admin = serializers.BooleanField(source="is_superuser")
    active = serializers.BooleanField(source="is_active")

    class Meta:
        model = User
        fields = ["id", "email", "name", "kind", "active", "site_admin", "created_at"]


class MemberCreateSerializer(serializers.Serializer[Any]):
    person = serializers.CharField(max_length=254, help_text="E-mail of the person or service account.")
    role = serializers.CharField(max_length=48, help_text=ROLE_HELP)


class MemberSerializer(serializers.ModelSerializer[User]):
    """Somebody with roles on a team."""

    roles = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["email", "name", "kind", "roles"]

    def get_roles(self, member: User) -> list[str]:
        return roles_of(member)


class ServiceAccountCreateSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=96, help_text=NAME_HELP)
    role = serializers.CharField(max_length=48, default=Role.CONTRIBUTOR.value, help_text=ROLE_HELP)


class KeyCreateSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, help_text="What will use it.")
    team = serializers.CharField(
        required=False, allow_null=True, help_text="The one team it works for; null: all that its owner reaches."
    )
    scopes = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text=f"Any of {', '.join(Scope)}; none: all that its owner may do.",
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="Null: never.")
    service_account = serializers.CharField(
        required=False, help_text="E-mail of a service account of `team`, to make its key (needs team.manage)."
    )


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    id = serializers.CharField(source="key_id", help_text="Public; also the user name where a client sends Basic.")
    owner = serializers.EmailField(source="user.email")
    team = serializers.CharField(source="team.name", default=None, allow_null=True)
    state = serializers.SerializerMethodField(help_text="active, expired or revoked")

    class Meta:
        model = ApiKey
        fields = [
            "id", "name", "owner", "team", "scopes", "state", "created_at", "expires_at", "revoked_at", "last_used_at",
        ]  # fmt: skip

    def get_state(self, key: ApiKey) -> str:
        return key.state()


class NewKeySerializer(KeySerializer):
    key = serializers.CharField(help_text="The whole key. This is the only time that it is shown.")

    class Meta(KeySerializer.Meta):
        fields = ["key", *KeySerializer.Meta.fields]


class MeTeamSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())


class MeSerializer(PersonSerializer):
    teams = MeTeamSerializer(many=True)
    key = KeySerializer(allow_null=True, help_text="The key of this request; null in a browser's session.")

    class Meta(PersonSerializer.Meta):
        fields = [*PersonSerializer.Meta.fields, "teams", "key"]
