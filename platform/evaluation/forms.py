"""The form that starts an evaluation."""

from typing import Any

from django import forms

from accounts.access import Actor
from accounts.errors import Problem
from registry.models import Asset, Version
from registry.reads import get_asset

NEWEST = 50
_VERSION_OF = {Asset.Kind.MODEL: "version", Asset.Kind.DATASET: "dataset_version"}


class EvaluationForm(forms.Form):
    """Model and dataset as team/name; their versions are offered once they are known."""

    model = forms.CharField(
        label="Model",
        max_length=200,
        help_text="A text-generation model, as team/name.",
        widget=forms.TextInput(attrs={"list": "models", "autocomplete": "off", "placeholder": "team/name"}),
    )
    version = forms.TypedChoiceField(
        label="Version",
        coerce=int,
        empty_value=None,
        required=False,
        help_text="Only registered ones can be evaluated.",
    )
    dataset = forms.CharField(
        label="Dataset",
        max_length=200,
        help_text="Of the same team, with an input and an expected text in each row.",
        widget=forms.TextInput(attrs={"list": "datasets", "autocomplete": "off", "placeholder": "team/name"}),
    )
    dataset_version = forms.TypedChoiceField(label="Dataset version", coerce=int, empty_value=None, required=False)
    max_tokens = forms.IntegerField(
        label="Longest answer", min_value=1, max_value=32_768, initial=64, help_text="In tokens."
    )
    temperature = forms.FloatField(
        label="Temperature", min_value=0, max_value=2, initial=0, help_text="0 takes the likeliest token each time."
    )
    input_field = forms.CharField(label="Input field", max_length=200, initial="input")
    expected_field = forms.CharField(label="Expected field", max_length=200, initial="expected")
    limit = forms.IntegerField(
        label="Only the first rows",
        min_value=1,
        required=False,
        help_text="For a quick look. A result on a part of the rows is no evidence for an approval.",
    )

    def __init__(self, *args: Any, by: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by = by
        self._assets: dict[str, Asset | Problem] = {}
        for kind, field in _VERSION_OF.items():
            choice = self.fields[field]
            assert isinstance(choice, forms.ChoiceField)
            choice.choices = [("", "Newest registered"), *self._versions(kind, str(self._named(field)))]

    def _named(self, field: str) -> Any:
        return (self.data if self.is_bound else self.initial).get(field) or ""

    def asset(self, kind: Asset.Kind) -> Asset:
        """What is named in the form, looked up once; raises Problem where there is none."""
        if kind not in self._assets:
            try:
                self._assets[kind] = get_asset(self.by, kind, str(self._named(kind.value)).strip())
            except Problem as problem:
                self._assets[kind] = problem
        found = self._assets[kind]
        if isinstance(found, Problem):
            raise found
        return found

    def _versions(self, kind: Asset.Kind, chosen: str) -> list[tuple[str, str]]:
        """The newest registered versions of what is named, and the chosen one however old it is."""
        try:
            rows = Version.objects.filter(asset=self.asset(kind)).registered().listed().order_by("-number")
        except Problem:
            return []
        found = list(rows.values_list("number", "message")[:NEWEST])
        if chosen.isdecimal() and len(chosen) < 10 and int(chosen) not in {number for number, _ in found}:
            found += rows.filter(number=int(chosen)).values_list("number", "message")
        return [(str(number), f"{number}: {message[:80]}" if message else str(number)) for number, message in found]

    def clean(self) -> dict[str, Any] | None:
        for kind, field in _VERSION_OF.items():
            if kind.value not in self.cleaned_data:
                continue
            try:
                self.asset(kind)
            except Problem as problem:
                self.errors.pop(field, None)  # of what is not there no version can be chosen
                self.add_error(kind.value, problem.detail)
        return self.cleaned_data

    def given(self) -> dict[str, Any]:
        """The parameters, as evaluation.parameters takes them."""
        names = ("max_tokens", "temperature", "input_field", "expected_field", "limit")
        return {name: self.cleaned_data[name] for name in names}

    @property
    def choices(self) -> list[forms.BoundField]:
        return [self["model"], self["version"], self["dataset"], self["dataset_version"]]

    @property
    def settings(self) -> list[forms.BoundField]:
        return [self[name] for name in ("max_tokens", "temperature", "input_field", "expected_field", "limit")]


def suggestions(by: Actor, kind: Asset.Kind) -> list[str]:
    """The models (that write text) or datasets changed last, as team/name."""
    rows = Asset.objects.visible_to(by).filter(kind=kind)
    if kind == Asset.Kind.MODEL:
        rows = rows.filter(task=Asset.Task.TEXT_GENERATION)
    newest = rows.order_by("-updated_at", "-id").values_list("team__name", "name")[:NEWEST]
    return [f"{team}/{name}" for team, name in newest]
