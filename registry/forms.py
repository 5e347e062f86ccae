"""Forms of the pages. They check shape only: rules are the actions'."""

from typing import Any

from django import forms

from accounts.models import NAME_HELP
from registry.models import Asset


class AssetForm(forms.Form):
    name = forms.CharField(
        max_length=96,
        help_text=NAME_HELP,
        widget=forms.TextInput({"autofocus": True, "autocomplete": "off", "spellcheck": "false"}),
    )
    description = forms.CharField(
        required=False, widget=forms.Textarea({"rows": 3}), help_text="What it is, in a line or two."
    )
    task = forms.ChoiceField(
        choices=[
            (Asset.Task.TEXT_GENERATION, "Text generation"),
            (Asset.Task.FEATURE_EXTRACTION, "Feature extraction (embeddings)"),
        ],
        help_text="What the model does: it decides how it is served and evaluated.",
    )

    restricted = forms.BooleanField(
        required=False,
        label="Restricted",
        help_text="Each download of its files, and each page of its rows, is an event in the ledger.",
    )
    gated = forms.BooleanField(
        required=False,
        label="Gated",
        help_text="Page and card are for whoever sees it; its files need access, which can be asked for and ends.",
    )

    def __init__(self, *args: Any, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if kind != Asset.Kind.MODEL:
            del self.fields["task"]


class DescriptionForm(AssetForm):
    """The same without the name. `may_lift`: whether a restriction or gate may be taken off, and the card shown to the site."""

    visibility = forms.ChoiceField(
        required=False,
        label="Who sees that it is there",
        choices=[
            (Asset.Visibility.TEAM, "The team"),
            (Asset.Visibility.SITE, "Everybody who signs in: page and card, gated ones only"),
        ],
    )

    def __init__(self, *args: Any, kind: str, may_lift: bool, **kwargs: Any) -> None:
        super().__init__(*args, kind=kind, **kwargs)
        del self.fields["name"]
        for name in ("restricted", "gated"):
            if self.initial.get(name) and not may_lift:
                self.fields[name].disabled = True  # what a browser sends for it is not looked at
                self.fields[name].help_text += " Lifting this needs the permission policy.edit."
        if not may_lift:
            self.fields["visibility"].disabled = True
            self.fields["visibility"].help_text = "Changing this needs the permission policy.edit."


class VersionForm(forms.Form):
    message = forms.CharField(
        required=False,
        label="What is new",
        widget=forms.Textarea({"rows": 3, "autofocus": True}),
        help_text="A line or two, shown beside the version.",
    )


class AccessForm(forms.Form):
    reason = forms.CharField(
        max_length=2000,
        label="What you need the files for",
        widget=forms.Textarea({"rows": 3}),
        help_text="Whoever decides reads it; it stands in the ledger.",
    )


class AccessDecisionForm(forms.Form):
    """`verdict` is the button's name."""

    verdict = forms.ChoiceField(choices=[("grant", "Give access"), ("refuse", "Refuse")])
    until = forms.DateField(required=False, widget=forms.DateInput({"type": "date"}))
    answer = forms.CharField(required=False, max_length=2000)


class AliasForm(forms.Form):
    alias = forms.CharField(
        max_length=96, help_text="An existing alias moves. A protected one, such as production, needs an approval.",
        widget=forms.TextInput({"list": "alias-names", "autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    version = forms.IntegerField(min_value=1, max_value=2**31 - 1, widget=forms.NumberInput({"inputmode": "numeric"}))
    reason = forms.CharField(required=False, max_length=2000)


class ManyFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """At least one file; its value is the list of them."""

    widget = ManyFilesInput

    def clean(self, data: Any, initial: Any = None) -> Any:
        return [super(ManyFilesField, self).clean(one, initial) for one in data or [None]]


class UploadForm(forms.Form):
    """One or several files for a draft, for browsers without JavaScript."""

    folder = forms.CharField(
        required=False, max_length=400, help_text="Where in the version: leave it empty for the top."
    )
    uploads = ManyFilesField(label="Files")
