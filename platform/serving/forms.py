"""Forms of the pages. They check shape only: rules are the actions'."""

from typing import Any

from django import forms

from accounts.bodies import read_written
from accounts.models import NAME_HELP
from governance.stages import Stage
from serving.actions.deployments import MAX_REPLICAS
from serving.models import Revision

PLAIN = {"autocomplete": "off", "spellcheck": "false"}
NUMBER = {"inputmode": "numeric"}


class OptionsField(forms.CharField):
    """A JSON object, written by hand."""

    def to_python(self, value: Any) -> Any:
        text = str(super().to_python(value) or "").strip()
        found = read_written(text) if text else {}
        if not isinstance(found, dict):
            raise forms.ValidationError('Write an object, such as {"max_concurrency": 8}.')
        return found


def options_field() -> OptionsField:
    return OptionsField(
        required=False,
        label="Engine options",
        widget=forms.Textarea({"rows": 3, "class": "mono", "placeholder": "{}", **PLAIN}),
        help_text="As JSON: <code>max_model_len</code>, <code>dtype</code>, <code>max_concurrency</code>, "
        "<code>threads</code>, and <code>num_cpus</code>, the share of CPUs that a replica takes.",
    )


def replicas_field() -> forms.IntegerField:
    return forms.IntegerField(
        min_value=1,
        max_value=MAX_REPLICAS,
        initial=1,
        widget=forms.NumberInput(NUMBER),
        help_text="Copies that answer side by side.",
    )


def gpus_field() -> forms.FloatField:
    return forms.FloatField(
        min_value=0,
        initial=0,
        required=False,
        label="GPUs per replica",
        widget=forms.NumberInput({"step": "any"}),
        help_text="0 runs on CPU; a share such as 0.5 lets two replicas use one.",
    )


def engine_field() -> forms.ChoiceField:
    return forms.ChoiceField(
        choices=[
            (Revision.Engine.TRANSFORMERS, "transformers: light, starts in seconds, CPU or GPU"),
            (Revision.Engine.VLLM, "vLLM: high throughput; needs its extra on every node"),
        ],
        initial=Revision.Engine.TRANSFORMERS,
    )


class DeploymentForm(forms.Form):
    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
    name = forms.CharField(max_length=96, help_text=NAME_HELP, widget=forms.TextInput(PLAIN))
    replicas = replicas_field()
    num_gpus = gpus_field()
    engine = engine_field()
    engine_options = options_field()

    def clean_num_gpus(self) -> float:
        return self.cleaned_data["num_gpus"] or 0


class ChoiceForm(forms.Form):
    """What decides which versions can be chosen; kept in the address."""

    model = forms.ChoiceField()
    stage = forms.ChoiceField(choices=[(stage.value, stage.value.capitalize()) for stage in Stage])


class RevisionForm(forms.Form):
    version = forms.TypedChoiceField(coerce=int)
    engine = engine_field()
    num_gpus = gpus_field()
    engine_options = options_field()

    def clean_num_gpus(self) -> float:
        return self.cleaned_data["num_gpus"] or 0


class ScaleForm(forms.Form):
    replicas = replicas_field()


class PriceForm(forms.Form):
    """Both or neither; empty fields take the price away."""

    input_price = forms.DecimalField(
        required=False, label="Input", widget=forms.TextInput({"inputmode": "decimal", "placeholder": "0.00"})
    )
    output_price = forms.DecimalField(
        required=False, label="Output", widget=forms.TextInput({"inputmode": "decimal", "placeholder": "0.00"})
    )


class TryForm(forms.Form):
    prompt = forms.CharField(
        max_length=100_000, label="Message", widget=forms.Textarea({"rows": 3, "placeholder": "Say something to it"})
    )
    max_tokens = forms.IntegerField(min_value=1, max_value=100_000, initial=256, label="Most tokens")
    temperature = forms.FloatField(min_value=0, max_value=2, initial=0, widget=forms.NumberInput({"step": "0.1"}))


class CompareForm(forms.Form):
    first = forms.CharField(max_length=100_000, label="First text", widget=forms.Textarea({"rows": 2}))
    second = forms.CharField(max_length=100_000, label="Second text", widget=forms.Textarea({"rows": 2}))
