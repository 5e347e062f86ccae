"""Forms of the settings pages. They check shapes; the rules are in actions."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from accounts.models import NAME_HELP, Team
from accounts.roles import Role, Scope

SCOPE_HELP = {
    Scope.READ: "see assets, deployments and the ledger",
    Scope.WRITE: "register, evaluate and ask for promotions",
    Scope.REVIEW: "decide on requests",
    Scope.DEPLOY: "start, scale and stop deployments",
    Scope.INVOKE: "call deployed models",
    Scope.ADMIN: "manage members and policies",
}
_LIFETIMES = [("30", "30 days"), ("90", "90 days"), ("365", "1 year"), ("", "Never")]
_ROLES = [(role.value, role.value) for role in Role]


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
    lifetime = forms.ChoiceField(label="Expires after", choices=_LIFETIMES, initial="90", required=False)

    def __init__(self, *args: Any, teams: list[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["team"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [*((team.name, team.title or team.name) for team in teams), ("", "All my teams")]

    def expires_at(self) -> datetime | None:
        """The end of its life; None: never."""
        days = self.cleaned_data["lifetime"]
        return timezone.now() + timedelta(days=int(days)) if days else None


class GrantForm(forms.Form):
    person = forms.CharField(
        label="E-mail", max_length=254, widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "email"})
    )
    role = forms.ChoiceField(choices=_ROLES)


class ServiceAccountForm(forms.Form):
    name = forms.CharField(max_length=96, help_text=NAME_HELP)
    role = forms.ChoiceField(choices=_ROLES, initial=Role.CONTRIBUTOR.value)


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
