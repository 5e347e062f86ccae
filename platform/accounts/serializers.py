"""JSON shapes of teams, people, roles and keys."""

from typing import Any

from rest_framework import serializers

from accounts.models import NAME_HELP, ApiKey, Team, User
from accounts.roles import Role, Scope


class TeamSerializer(serializers.ModelSerializer[Team]):
    class Meta:
        model = Team
        fields = ["id", "name", "title", "created_at"]


class TeamCreateSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text=NAME_HELP)
    title = serializers.CharField(default="", allow_blank=True, max_length=120)


class PersonSerializer(serializers.ModelSerializer[User]):
    site_admin = serializers.BooleanField(source="is_superuser")

    class Meta:
        model = User
        fields = ["id", "email", "name", "kind", "is_active", "site_admin", "created_at"]


class PersonCreateSerializer(serializers.Serializer[Any]):
    email = serializers.CharField(max_length=254)
    name = serializers.CharField(max_length=120)
    password = serializers.CharField(
        default=None, allow_null=True, write_only=True, help_text="The first password; none for a service account."
    )
    kind = serializers.ChoiceField(User.Kind.choices, default=User.Kind.PERSON)


class MemberSerializer(serializers.Serializer[Any]):
    person = serializers.CharField(help_text="E-mail address.")
    name = serializers.CharField(read_only=True)
    kind = serializers.CharField(read_only=True)
    roles = serializers.ListField(child=serializers.CharField(), read_only=True)


class GrantSerializer(serializers.Serializer[Any]):
    person = serializers.CharField(help_text="E-mail address of somebody who has an account.")
    role = serializers.ChoiceField([role.value for role in Role])


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    id = serializers.CharField(
        source="key_id", help_text="The key's public part: the user name of Basic authentication."
    )
    team = serializers.CharField(source="team.name", allow_null=True, default=None)
    owner = serializers.CharField(source="user.email")
    state = serializers.SerializerMethodField(help_text="active, expired or revoked")

    class Meta:
        model = ApiKey
        fields = [
            "id",
            "name",
            "owner",
            "team",
            "scopes",
            "state",
            "created_at",
            "expires_at",
            "revoked_at",
            "last_used_at",
        ]

    def get_state(self, key: ApiKey) -> str:
        return key.state()


class KeyCreateSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, help_text="What will use it.")
    team = serializers.CharField(
        default=None, allow_null=True, help_text="The key reaches this team alone; none: all of yours."
    )
    service_account = serializers.CharField(
        default=None, allow_null=True, help_text="E-mail of a service account of the team."
    )
    scopes = serializers.ListField(
        child=serializers.ChoiceField([scope.value for scope in Scope]),
        default=list,
        help_text="None: all that you may do.",
    )
    expires_at = serializers.DateTimeField(default=None, allow_null=True)


class NewKeySerializer(KeySerializer):
    key = serializers.CharField(read_only=True, help_text="The whole key. It is shown this once.")

    class Meta(KeySerializer.Meta):
        fields = [*KeySerializer.Meta.fields, "key"]
