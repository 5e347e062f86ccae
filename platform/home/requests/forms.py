"""Forms of the request pages. What is right in itself is said here; what needs the rows is said by the actions."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.utils.dateparse import parse_datetime

from accounts.models import User
from governance.stages import ALWAYS_PROTECTED

KINDS = [("model", "Model"), ("dataset", "Dataset"), ("prompt", "Prompt")]
MIN_GLASS_REASON = 20
_TIME = {"type": "datetime-local", "step": "60", "data-utc": ""}


class UtcField(forms.DateTimeField):
    """A time that is written in UTC, whatever the browser's zone is; the label says so."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=forms.DateTimeInput(attrs=dict(_TIME), format="%Y-%m-%dT%H:%M"), **kwargs)

    def to_python(self, value: Any) -> datetime | None:
        """What a browser sends has no zone, and is taken for UTC; a time with its zone is taken as it is."""
        try:
            moment = parse_datetime(str(value).strip()) if value else None
        except ValueError:
            moment = None
        if value and moment is None:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


class WhenField(forms.ChoiceField):
    """At once where nothing is said."""

    def clean(self, value: Any) -> Any:
        return super().clean(value or "now")


class MoveForm(forms.Form):
    """A version of an asset, and the alias or label it should take."""

    kind = forms.ChoiceField(choices=KINDS)
    asset = forms.CharField(
        max_length=200,
        help_text="As team/name.",
        widget=forms.TextInput(attrs={"list": "assets", "autocomplete": "off"}),
    )
    version = forms.IntegerField(
        min_value=1, widget=forms.NumberInput(attrs={"list": "versions", "autocomplete": "off"})
    )
    alias = forms.CharField(
        max_length=96,
        label="To",
        initial=sorted(ALWAYS_PROTECTED)[0],
        help_text="The protected alias or label to move.",
        widget=forms.TextInput(attrs={"list": "slots", "autocomplete": "off"}),
    )

    def move_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("kind", "asset", "version", "alias")]


class RequestForm(MoveForm):
    """Asking for a promotion: at once when it is approved, at a time, or when an evaluation ends green."""

    reason = forms.CharField(
        required=False,
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What the reviewer should know.",
    )
    when = WhenField(
        label="Once approved, apply it",
        widget=forms.RadioSelect,
        choices=[
            ("now", "at once"),
            ("time", "at a time"),
            ("evaluation", "when an evaluation of this version ends with every check satisfied"),
        ],
        initial="now",
    )
    apply_at = UtcField(required=False, label="Time, in UTC")
    apply_after_evaluation = forms.IntegerField(
        required=False,
        min_value=1,
        label="Evaluation",
        help_text="Its number, as in its address.",
        widget=forms.NumberInput(attrs={"list": "evaluations", "autocomplete": "off"}),
    )

    def clean(self) -> dict[str, Any]:
        """What the choice of `when` leaves out is empty; what it needs is there."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        chosen = given.pop("when", "") or "now"
        for choice, field, missing in (
            ("time", "apply_at", "Say at which time."),
            ("evaluation", "apply_after_evaluation", "Say which evaluation."),
        ):
            if chosen != choice:
                given[field] = None
                self.errors.pop(field, None)
            elif given.get(field) is None and field not in self.errors:
                self.add_error(field, missing)
        return given


class GlassForm(MoveForm):
    """Breaking the glass is slow on purpose: the asset's name is typed, and a reason that somebody else will read."""

    typed = forms.CharField(
        max_length=200,
        label="Type the asset’s name, as team/name, once more",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    reason = forms.CharField(
        max_length=5000,
        label="Why this cannot wait for a review",
        help_text=f"At least {MIN_GLASS_REASON} characters. It stands on the request, in the ledger and in the signed statement.",
        widget=forms.Textarea(attrs={"rows": 4}),
    )

    def clean_reason(self) -> str:
        reason = str(self.cleaned_data["reason"]).strip()
        if len(reason) < MIN_GLASS_REASON:
            raise forms.ValidationError(f"Say it in at least {MIN_GLASS_REASON} characters.")
        return reason

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        typed = given.pop("typed", None)
        if typed is not None and "asset" in given and typed.strip() != given["asset"]:
            self.add_error("typed", f"This is not {given['asset']}.")
        return given


class ReviewForm(forms.Form):
    """One word on a request. Whoever asks for changes says which."""

    verdict = forms.ChoiceField(
        choices=[("approve", "Approve"), ("changes", "Ask for changes"), ("reject", "Reject"), ("comment", "Comment")]
    )
    comment = forms.CharField(required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 3}))
    shown = forms.CharField(required=False, widget=forms.HiddenInput)
    on_behalf_of = forms.CharField(required=False, max_length=254)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        needs = {"changes": "Say what should change.", "comment": "Write something."}.get(given.get("verdict", ""))
        if needs and not given.get("comment", "").strip() and "comment" not in self.errors:
            self.add_error("comment", needs)
        return given


class SettleForm(forms.Form):
    """What is said after the glass was broken."""

    verdict = forms.ChoiceField(choices=[("confirm", "Confirm"), ("roll_back", "Roll back")])
    comment = forms.CharField(max_length=5000, error_messages={"required": "Say what you found."})
    on_behalf_of = forms.CharField(required=False, max_length=254)


class AnswerForm(forms.Form):
    """The requester's answer to changes that were asked for."""

    reason = forms.CharField(max_length=5000, error_messages={"required": "Say what you changed, or why not."})


class DelegationForm(forms.Form):
    """Who reviews for me, from when to when."""

    to = forms.ModelChoiceField(
        User.objects.none(), to_field_name="email", label="Who reviews for you", empty_label="Choose a person"
    )
    starts_at = UtcField(label="From, in UTC")
    ends_at = UtcField(label="Until, in UTC")
    reason = forms.CharField(
        required=False, max_length=300, help_text="Such as ‘on holiday’; it stands beside the reviews."
    )

    def __init__(self, *args: Any, people: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["to"].queryset = people  # type: ignore[attr-defined]
