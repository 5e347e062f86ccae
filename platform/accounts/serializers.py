"""JSON shapes of teams, people, memberships and keys."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from accounts.members import roles_of
from accounts.models import NAME_HELP, ApiKey, CustomRole, Grant, Group, Team, User
from accounts.roles import STAGES, Role, Scope

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
    asset = serializers.CharField(
        max_length=200, default="", allow_blank=True, help_text="One asset's name, instead of the whole team."
    )
    prefix = serializers.CharField(
        max_length=97, default="", allow_blank=True, help_text="Names that begin with it, such as 'date-'."
    )
    kind = serializers.CharField(
        max_length=12,
        default="",
        allow_blank=True,
        help_text="Of the asset or the prefix: model, dataset, prompt or deployment.",
    )
    stage = serializers.CharField(
        max_length=20, default="", allow_blank=True, help_text=f"Acts at one stage only: {', '.join(STAGES)}."
    )
    expires_at = serializers.DateTimeField(default=None, allow_null=True, help_text="Null: never.")
    reason = serializers.CharField(max_length=2000, default="", allow_blank=True, help_text="Kept in the ledger.")


class MemberSerializer(serializers.ModelSerializer[User]):
    """Somebody with roles on a team."""

    roles = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["email", "name", "kind", "roles"]

    def get_roles(self, member: User) -> list[str]:
        return roles_of(member)


class GrantSerializer(serializers.ModelSerializer[Grant]):
    """One role that somebody holds, on what and until when."""

    person = serializers.EmailField(source="user.email")
    team = serializers.CharField(source="team.name")
    on = serializers.CharField(source="where", help_text="A team, names with a prefix (acme/date-*), or one asset.")
    granted_by = serializers.EmailField(source="granted_by.email", default=None, allow_null=True)

    class Meta:
        model = Grant
        fields = [
            "id", "person", "team", "role", "on", "prefix", "kind", "stage", "expires_at", "reason", "granted_by",
            "granted_at", "request_id",
        ]  # fmt: skip


class NewMemberSerializer(MemberSerializer):
    grant = GrantSerializer()

    class Meta(MemberSerializer.Meta):
        fields = [*MemberSerializer.Meta.fields, "grant"]


def reason_json(grant: Grant | None) -> dict[str, Any]:
    """A grant as a reason; none: it comes with being a site administrator."""
    if grant is None:
        return {"role": "admin", "on": "the whole site", "site_admin": True}
    return {**GrantSerializer(grant).data, "site_admin": False}


class PermissionSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    description = serializers.CharField()


class BuiltInRoleSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    description = serializers.CharField()
    permissions = serializers.ListField(child=serializers.CharField())


class PermissionTableSerializer(serializers.Serializer[Any]):
    permissions = PermissionSerializer(many=True)
    roles = BuiltInRoleSerializer(many=True)


class RoleChangeSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=120, required=False, allow_blank=True)
    description = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    permissions = serializers.ListField(child=serializers.CharField(max_length=40), required=False)


class RoleCreateSerializer(RoleChangeSerializer):
    slug = serializers.CharField(max_length=48, help_text=NAME_HELP)
    permissions = serializers.ListField(child=serializers.CharField(max_length=40))


class RoleSerializer(serializers.ModelSerializer[CustomRole]):
    class Meta:
        model = CustomRole
        fields = ["slug", "title", "description", "permissions", "created_at", "archived_at"]


class GroupChangeSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=120, required=False, allow_blank=True)
    description = serializers.CharField(max_length=2000, required=False, allow_blank=True)


class GroupCreateSerializer(GroupChangeSerializer):
    slug = serializers.CharField(max_length=48, help_text=NAME_HELP)


class GroupSerializer(serializers.ModelSerializer[Group]):
    members = serializers.SerializerMethodField()

    class Meta:
        model = Group
        fields = ["slug", "title", "description", "members", "created_at"]

    def get_members(self, group: Group) -> list[str]:
        return sorted(user.email for user in group.members.all())


class GroupMemberSerializer(serializers.Serializer[Any]):
    person = serializers.CharField(max_length=254, help_text="E-mail of somebody with a role in the team.")


class AbleSerializer(serializers.Serializer[Any]):
    person = serializers.EmailField()
    name = serializers.CharField()
    kind = serializers.CharField()
    because = serializers.ListField(child=serializers.DictField(), help_text="Grants, as `grants_list` shows them.")


class WhoSerializer(serializers.Serializer[Any]):
    permission = serializers.CharField()
    on = serializers.CharField()
    kind = serializers.CharField()
    stage = serializers.CharField()
    also_needs = serializers.CharField(allow_null=True)
    people = AbleSerializer(many=True)


class WhatSerializer(serializers.Serializer[Any]):
    person = serializers.EmailField()
    active = serializers.BooleanField()
    site_admin = serializers.BooleanField()
    key = serializers.CharField(allow_null=True)
    scopes = serializers.ListField(child=serializers.CharField())
    networks = serializers.ListField(child=serializers.CharField())
    grants = serializers.ListField(child=serializers.DictField())


class SessionSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    device = serializers.CharField(help_text="Such as 'Firefox on Linux'.")
    address = serializers.CharField()
    signed_in_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    current = serializers.BooleanField()


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
    networks = serializers.ListField(
        child=serializers.CharField(max_length=60), required=False, help_text="In CIDR form; none: from everywhere."
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="Null: never.")
    service_account = serializers.CharField(
        required=False, help_text="E-mail of a service account of `team`, to make its key (needs team.manage)."
    )


class KeyChangeSerializer(serializers.Serializer[Any]):
    networks = serializers.ListField(child=serializers.CharField(max_length=60), help_text="In CIDR form.")


class KeyRotateSerializer(serializers.Serializer[Any]):
    overlap_s = serializers.IntegerField(
        min_value=0, max_value=30 * 86400, help_text="For how many seconds more the old key works."
    )


@extend_schema_serializer(component_name="ApiKey")
class KeySerializer(serializers.ModelSerializer[ApiKey]):
    id = serializers.CharField(source="key_id", help_text="Public; also the user name where a client sends Basic.")
    owner = serializers.EmailField(source="user.email")
    team = serializers.CharField(source="team.name", default=None, allow_null=True)
    state = serializers.SerializerMethodField(help_text="active, expired or revoked")
    replaced_by = serializers.CharField(source="replaced_by.key_id", default=None, allow_null=True)

    class Meta:
        model = ApiKey
        fields = [
            "id", "name", "owner", "team", "scopes", "networks", "state", "created_at", "expires_at", "revoked_at",
            "last_used_at", "last_used_from", "replaced_by",
        ]  # fmt: skip

    def get_state(self, key: ApiKey) -> str:
        return key.state()


@extend_schema_serializer(component_name="NewApiKey")
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
