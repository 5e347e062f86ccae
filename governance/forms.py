"""Forms of policies, and the choices of the ledger's filter."""

from typing import Any

from django import forms
from django.forms import formset_factory

from accounts.roles import Role
from governance.actions.policies import KINDS
from governance.ledger.actions import Action
from governance.rules import CardCheck, MetricCheck, Rules
from governance.stages import Stage

ACTIONS = [
    ("", "Any action"),
    *[(noun, f"{noun.replace('_', ' ')}: all") for noun in sorted({a.value.split(".")[0] for a in Action})],
    *[(action.value, action.value) for action in sorted(Action)],
]


class PolicyForm(forms.Form):
    kind = forms.ChoiceField(choices=[(kind, f"{kind}s".capitalize()) for kind in KINDS], label="Holds for")
    pattern = forms.CharField(
        max_length=120, initial="*", label="Names", help_text="The name without its team; '*' stands for any letters."
    )
    stage = forms.ChoiceField(choices=[(stage.value, stage.value) for stage in Stage], initial=Stage.PRODUCTION.value)


class RulesForm(forms.Form):
    card = forms.BooleanField(
        required=False, label="The card is complete", help_text="Intended use, limits, training data and licence."
    )
    count = forms.IntegerField(min_value=1, max_value=10, initial=1, label="Reviews")
    role = forms.ChoiceField(
        choices=[(role.value, role.value) for role in Role],
        initial=Role.REVIEWER.value,
        label="By people with the role",
        help_text="Never the author of the version nor of the request, and no one twice.",
    )


class MetricForm(forms.Form):
    """One metric check; an empty metric leaves the row out."""

    metric = forms.CharField(
        required=False,
        max_length=60,
        widget=forms.TextInput(attrs={"placeholder": "exact_match", "list": "metric-names"}),
    )
    bound = forms.ChoiceField(
        choices=[("lower", "lower bound (95 %)"), ("value", "value"), ("upper", "upper bound (95 %)")], initial="lower"
    )
    minimum = forms.FloatField(required=False, widget=forms.NumberInput(attrs={"step": "any", "placeholder": "0.9"}))
    maximum = forms.FloatField(required=False, widget=forms.NumberInput(attrs={"step": "any"}))
    dataset = forms.CharField(
        required=False, max_length=200, widget=forms.TextInput(attrs={"placeholder": "any dataset"})
    )


MetricFormSet = formset_factory(MetricForm, extra=2, max_num=20, validate_max=True, absolute_max=30)


def rules_initial(rules: Rules) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The rules as initial values of RulesForm and MetricFormSet."""
    first = {
        "card": any(isinstance(check, CardCheck) for check in rules.checks),
        "count": rules.reviews.count,
        "role": rules.reviews.steps[0].role,
    }
    metrics = [
        {"metric": c.metric, "bound": c.bound, "minimum": c.minimum, "maximum": c.maximum, "dataset": c.dataset}
        for c in rules.checks
        if isinstance(c, MetricCheck)
    ]
    return first, metrics


def rules_data(form: RulesForm, metrics: Any) -> dict[str, Any]:
    """What was filled in, as the JSON that governance.rules parses."""
    checks: list[dict[str, Any]] = [
        {"type": "metric", **{key: value for key, value in row.cleaned_data.items() if value not in (None, "")}}
        for row in metrics
        if row.cleaned_data.get("metric")
    ]
    if form.cleaned_data["card"]:
        checks.append({"type": "card"})
    return {"checks": checks, "reviews": {"count": form.cleaned_data["count"], "role": form.cleaned_data["role"]}}
