"""Forms of the settings pages. They check shapes; the rules are in actions."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from accounts.models import NAME_HELP, Team
from accounts.roles import PERMISSION_DESCRIPTIONS, STAGES, Permission, Role, Scope
from accounts.things import KINDS

SCOPE_HELP = {
    Scope.READ: "see assets, deployments and the ledger",
    Scope.WRITE: "register, evaluate and ask for promotions",
    Scope.REVIEW: "decide on requests",
    Scope.DEPLOY: "start, scale and stop deployments",
    Scope.INVOKE: "call deployed models",
    Scope.ADMIN: "manage members and policies",
}
_LIFETIMES = [("30", "30 days"), ("90", "90 days"), ("365", "1 year"), ("", "Never")]
_KIND_CHOICES = [("", "every kind"), *((kind, f"{kind}s") for kind in KINDS)]
_STAGE_CHOICES = [("", "Every stage"), *((stage, f"{stage} only") for stage in STAGES)]
_ENDS = [
    ("", "Never"),
    ("1", "In a day"),
    ("7", "In a week"),
    ("30", "In 30 days"),
    ("90", "In 90 days"),
    ("365", "In a year"),
]
OVERLAPS = [("0", "Now"), ("3600", "In an hour"), ("86400", "In a day"), ("604800", "In a week")]


def role_choices(team: Team) -> list[tuple[str, str]]:
    """The built-in roles and the team's own, for a form."""
    own = team.custom_roles.filter(archived_at=None)
    return [*((role.value, role.value) for role in Role), *((role.slug, f"{role.slug}: {role.title}") for role in own)]


class ProfileForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="How others see you. The ledger keeps the name that you had then.")


class KeyForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="What will use it, such as 'training laptop'.")
    team = forms.ChoiceField(required=False, help_text="Flat names of clients such as MLflow are names in this team.")
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, f"{scope.value}: {SCOPE_HELP[scope]}") for scope in Scope],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: all that you may do yourself, now and later.",
    )
    networks = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono", "spellcheck": "false", "placeholder": "10.1.0.0/16"}),
        help_text="From where alone it works: networks in CIDR form, one a line. Empty: from everywhere.",
    )
    lifetime = forms.ChoiceField(label="Expires after", choices=_LIFETIMES, initial="90", required=False)

    def __init__(self, *args: Any, teams: list[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["team"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [*((team.name, team.title or team.name) for team in teams), ("", "All my teams")]

    def clean_networks(self) -> list[str]:
        return str(self.cleaned_data["networks"]).replace(",", " ").split()

    def expires_at(self) -> datetime | None:
        """The end of its life; None: never."""
        days = self.cleaned_data["lifetime"]
        return timezone.now() + timedelta(days=int(days)) if days else None


class GrantForm(forms.Form):
    person = forms.CharField(
        label="E-mail", max_length=254, widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "email"})
    )
    role = forms.ChoiceField()
    on = forms.CharField(
        label="Only on",
        max_length=200,
        required=False,
        help_text="Empty: everything in the team. Else one name, such as date-normaliser, or how names begin, such as date-*.",
    )
    kind = forms.ChoiceField(label="Kind of asset", choices=_KIND_CHOICES, required=False)
    stage = forms.ChoiceField(
        choices=_STAGE_CHOICES,
        required=False,
        help_text="With a stage chosen, the role holds for what is done at that stage and nowhere else.",
    )
    ends = forms.ChoiceField(choices=_ENDS, required=False)
    reason = forms.CharField(max_length=2000, required=False, help_text="Kept in the ledger.")

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = role_choices(team)  # type: ignore[attr-defined]  # a ChoiceField

    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["ends"]
        return timezone.now() + timedelta(days=int(days)) if days else None


class ServiceAccountForm(forms.Form):
    name = forms.CharField(max_length=96, help_text=NAME_HELP)
    role = forms.ChoiceField(initial=Role.CONTRIBUTOR.value)

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = role_choices(team)  # type: ignore[attr-defined]  # a ChoiceField


class RoleForm(forms.Form):
    slug = forms.CharField(label="Name", max_length=48, help_text=NAME_HELP)
    title = forms.CharField(max_length=120, required=False)
    description = forms.CharField(max_length=2000, required=False)
    permissions = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, offered: list[Permission], edit: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["permissions"].choices = [  # type: ignore[attr-defined]  # a ChoiceField
            (one.value, f"{one.value}: {PERMISSION_DESCRIPTIONS[one]}") for one in offered
        ]
        if edit:
            del self.fields["slug"]


class GroupForm(forms.Form):
    slug = forms.CharField(label="Name", max_length=48, help_text=f"Policies name it. {NAME_HELP}")
    title = forms.CharField(max_length=120, required=False)
    description = forms.CharField(max_length=2000, required=False)


class GroupMemberForm(forms.Form):
    person = forms.CharField(
        label="E-mail", max_length=254, widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "email"})
    )


class TeamForm(forms.Form):
    name = forms.CharField(max_length=96, help_text=f"Stands in addresses. {NAME_HELP}")
    title = forms.CharField(max_length=120, required=False, help_text="What pages show; the name when left out.")


class PersonForm(forms.Form):
    name = forms.CharField(max_length=120)
    email = forms.CharField(label="E-mail", max_length=254, widget=forms.EmailInput)
    password = forms.CharField(
        label="First password",
        max_length=200,
        strip=False,
        widget=forms.TextInput(attrs={"autocomplete": "new-password", "class": "mono"}),
        help_text="Hand it over by another way than this site, and ask for it to be changed.",
    )
    site_admin = forms.BooleanField(
        label="Site administrator", required=False, help_text="May make teams and people, and manage every team."
    )
