"""Forms of the request pages."""

from typing import Any

from django import forms

from governance.stages import ALWAYS_PROTECTED


class RequestForm(forms.Form):
    kind = forms.ChoiceField(choices=[("model", "Model"), ("dataset", "Dataset"), ("prompt", "Prompt")])
    asset = forms.CharField(max_length=200, help_text="team/name")
    version = forms.IntegerField(min_value=1)
    alias = forms.CharField(
        max_length=96,
        label="To",
        initial=sorted(ALWAYS_PROTECTED)[0],
        help_text="The protected alias or label to move.",
    )
    reason = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 4}), help_text="What the reviewer should know."
    )


class ReviewForm(forms.Form):
    """One word on a request. Whoever asks for changes says which."""

    verdict = forms.ChoiceField(
        choices=[("approve", "Approve"), ("changes", "Ask for changes"), ("reject", "Reject"), ("comment", "Comment")]
    )
    comment = forms.CharField(required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 3}))
    shown = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if given.get("verdict") == "changes" and not given.get("comment", "").strip():
            self.add_error("comment", "Say what should change.")
        return given
