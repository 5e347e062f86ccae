"""Forms of the request pages."""

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
    verdict = forms.ChoiceField(choices=[("approve", "Approve"), ("reject", "Reject"), ("comment", "Comment")])
    comment = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))
    shown = forms.CharField(required=False, widget=forms.HiddenInput)
