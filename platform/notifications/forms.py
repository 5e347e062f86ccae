"""Forms of webhooks. They check shapes; the rules are in actions and policies."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone

from governance.ledger.actions import Action
from notifications.policies import NOUNS

EVENT_CHOICES = [
    ("*", "All events"),
    *((f"{noun}.*", f"All of {noun}") for noun in sorted(NOUNS)),
    *((action.value, action.value) for action in Action),
]
OVERLAPS = [("86400", "a day"), ("3600", "an hour"), ("604800", "a week"), ("0", "not at all: it has leaked")]
PERIODS = [("1", "the last hour"), ("24", "the last day"), ("168", "the last week"), ("720", "the last 30 days")]


class WebhookForm(forms.Form):
    url = forms.CharField(
        label="Address",
        max_length=2000,
        widget=forms.TextInput(
            attrs={"inputmode": "url", "autocomplete": "off", "placeholder": "https://example.com/hooks"}
        ),
        help_text="Where events are posted to, by https.",
    )
    description = forms.CharField(
        max_length=200, required=False, help_text="What listens there, such as 'Release bot'."
    )
    events = forms.MultipleChoiceField(
        choices=EVENT_CHOICES,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one kind of event."},
    )


class RotateForm(forms.Form):
    overlap = forms.ChoiceField(
        label="The old secret goes on working for", choices=OVERLAPS, help_text="Messages then carry both signatures."
    )

    def overlap_of(self) -> timedelta:
        return timedelta(seconds=int(self.cleaned_data["overlap"]))


class ResendForm(forms.Form):
    hours = forms.ChoiceField(label="Failed messages of", choices=PERIODS, initial="24")

    def since(self) -> Any:
        return timezone.now() - timedelta(hours=int(self.cleaned_data["hours"]))
