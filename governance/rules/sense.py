"""Do the lines of a policy make sense together, and for what they are to hold? Pure; who there is to review is asked elsewhere."""

from itertools import combinations

from governance.rules.checks import BOUNDS, Check, MetricCheck
from governance.rules.parsing import Rules
from governance.rules.reading import Errors, refuse

# What can be said of each kind of target. A change of a deployment, policy or role has no bytes of its own.
CHECKS_OF_KIND: dict[str, frozenset[str]] = {
    "model": frozenset({"metric", "card", "scan", "licence", "lineage"}),
    "dataset": frozenset({"card", "scan", "licence"}),
    "prompt": frozenset({"prompt_tests"}),
    "deployment": frozenset(),
    "policy": frozenset(),
    "role": frozenset(),
}
_WHY_NOT = {
    ("dataset", "metric"): "A dataset is what models are measured on; it has no metrics itself.",
    ("dataset", "lineage"): "A dataset has no base model and no training data.",
    ("prompt", "metric"): "Evaluations measure models: nothing would ever measure a prompt alone.",
    ("model", "prompt_tests"): "Tests are of prompts: a model is measured by evaluations, with a metric.",
    ("dataset", "prompt_tests"): "Tests are of prompts: a dataset answers nothing.",
    ("prompt", "card"): "A prompt has no card.",
    ("prompt", "licence"): "A prompt has no licence.",
    ("prompt", "scan"): "A prompt is text: there are no files to scan.",
    ("prompt", "lineage"): "A prompt is not trained, so it has no lineage.",
}


def check_sense(rules: Rules, *, kind: str) -> None:
    """Raise InvalidRules for checks that this kind can't pass, that contradict each other or that stand there twice."""
    errors: Errors = {}
    for index, check in enumerate(rules.checks):
        if check.type not in CHECKS_OF_KIND[kind]:
            why = _WHY_NOT.get(
                (kind, check.type),
                f"A change of a {kind} is not bytes, so that nothing can be measured or scanned: ask for reviews. "
                "What runs is checked by the policy of the model.",
            )
            errors[f"checks[{index}].type"] = [why]
    for (first, one), (second, other) in combinations(enumerate(rules.checks), 2):
        if text := _clash(one, other):
            errors.setdefault(f"checks[{second}]", []).append(f"{text} (check {first + 1}).")
    if rules.terms.unsafe_files == "allowed" and "scan" not in CHECKS_OF_KIND[kind]:
        errors["terms.unsafe_files"] = [f"A {kind} has no files that could be unsafe."]
    refuse(errors)


def _clash(one: Check, other: Check) -> str:
    """What is wrong with having both; '' when nothing is."""
    if not isinstance(one, MetricCheck) or not isinstance(other, MetricCheck):
        return f"'{one.type}' is checked already" if one.type == other.type else ""
    if (one.metric, one.dataset, one.dataset_version) != (other.metric, other.dataset, other.dataset_version):
        return ""
    if bool(one.against) != bool(other.against):
        return ""
    if one.against:
        if one.better == other.better:
            return f"This is '{one.title}' once more" if one.bound == other.bound else ""
        low, high = (one, other) if one.better == "higher" else (other, one)
        # Both can hold only where each lets the other's side be worse by something.
        impossible = low.margin + high.margin >= 0 and BOUNDS.index(low.bound) <= BOUNDS.index(high.bound)
        return (
            f"This contradicts '{one.title}': the same metric can't have to be higher and lower" if impossible else ""
        )
    for low, high in ((one, other), (other, one)):
        # lower <= value <= upper: a minimum of one is a minimum of those above it too, a maximum of those below.
        if (
            low.minimum is not None
            and high.maximum is not None
            and low.minimum > high.maximum
            and BOUNDS.index(low.bound) <= BOUNDS.index(high.bound)
        ):
            return f"This contradicts '{one.title}', so that nothing could ever pass"
    if one.bound != other.bound:
        return ""
    both = (one.minimum is not None and other.minimum is not None) or (
        one.maximum is not None and other.maximum is not None
    )
    return f"This is '{one.title}' once more" if both else ""
