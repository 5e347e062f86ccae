"""Making a deployment: model and stage first, then a version with the gate's word on it."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from accounts.access import ANY_STAGE, Actor, can, require
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.errors import ApprovalRequired, NotFound, Problem
from accounts.models import Team
from accounts.pages import add_problem
from accounts.roles import Permission
from governance.models import ApprovalRequest
from governance.stages import Stage
from registry import reads as registry
from registry.models import Asset
from serving import actions, cluster, reads
from serving.forms import ChoiceForm, DeploymentForm
from serving.models import Deployment

MODELS_OFFERED = 200


@login_required
def deployment_create(request: HttpRequest) -> HttpResponse:
    """`?model=team/name&version=3&stage=production` fill it in beforehand."""
    by = actor_of(request)
    team, models = _offered(request, by)
    asset = _chosen(request, by, models)
    stage = request.GET.get("stage", Stage.PRODUCTION.value)
    if stage not in set(Stage):
        stage = Stage.PRODUCTION.value
    number = request.GET.get("version", "")
    asked = int(number) if number.isdecimal() and len(number) < 10 else None
    choices = reads.choices(asset, stage, asked=asked) if asset else []
    form = DeploymentForm(request.POST or None, initial=_initial(asset, choices, asked))
    problem: Problem | None = None
    if request.method == "POST" and asset and form.is_valid():
        try:
            version = registry.get_version(by, asset, form.cleaned_data["version"])
            if "ask" in request.POST:
                given = {name: form.cleaned_data[name] for name in ("name", "num_gpus", "engine", "engine_options")}
                asked_for = actions.request_create(
                    team=asset.team, version=version, stage=stage, reason=request.POST.get("reason", ""), by=by, **given
                )
                return to_request(request, asked_for)
            made = actions.create_deployment(
                team=asset.team, stage=stage, by=by, **{**form.cleaned_data, "version": version}
            )
        except Problem as found:
            if found.errors:
                add_problem(form, found)
            else:
                problem = found
        else:
            messages.success(request, f"{made} is queued. Follow it here.")
            return redirect(made.get_absolute_url())
    context = {
        "team_now": team,
        "asset": asset,
        "stage": stage,
        "choice_form": _choice_form(asset, stage, models),
        "choices": choices,
        "form": form,
        "chosen": str(form["version"].value() or ""),
        "problem": problem,
        "guarded": is_guarded(problem),
        "may_request": bool(asset and can(by, Permission.REQUEST_CREATE, asset, stage=ANY_STAGE)),
        **_cluster(),
    }
    return render(request, "serving/new.html", context, status=422 if form.is_bound else 200)


def is_guarded(problem: Problem | None) -> bool:
    """Was it refused because a policy guards the change itself (not for want of an approval of the bytes)?"""
    return isinstance(problem, ApprovalRequired) and "kind=deployment" in problem.link


def to_request(request: HttpRequest, made: ApprovalRequest) -> HttpResponse:
    messages.success(request, "Request opened. The reviewers find it in their inbox; once approved, it is carried out.")
    return redirect(f"/requests/{made.pk}")


def _offered(request: HttpRequest, by: Actor) -> tuple[Team, list[Asset]]:
    """The team to deploy in (that of the model asked for, else the current one) and its models."""
    asked = request.GET.get("model", "").partition("/")[0]
    team = Team.objects.filter(name=asked).first() if asked else None
    if team is None or not registry.visible_assets(by, "model").filter(team=team).exists():
        team = current_team(request)
    if team is None:
        raise NotFound("You are in no team yet. Ask an administrator for a role in one.")
    require(by, Permission.DEPLOYMENT_MANAGE, team, stage=ANY_STAGE)
    rows = Asset.objects.visible_to(by).models().filter(team=team).exclude(task="").select_related("team")
    return team, list(rows.order_by("-updated_at")[:MODELS_OFFERED])


def _chosen(request: HttpRequest, by: Actor, models: list[Asset]) -> Asset | None:
    if asked := request.GET.get("model"):
        return registry.get_asset(by, "model", asked)
    return models[0] if models else None


def _choice_form(asset: Asset | None, stage: str, models: list[Asset]) -> ChoiceForm:
    form = ChoiceForm(initial={"model": str(asset or ""), "stage": stage}, auto_id="choose_%s")
    names = [str(model) for model in models]
    if asset and str(asset) not in names:
        names.insert(0, str(asset))
    form.fields["model"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]
    return form


def _initial(asset: Asset | None, choices: list[reads.Choice], asked: int | None) -> dict[str, Any]:
    """The version that was asked for, else the newest that may run there; the model's name while that is free."""
    name = asset.name if asset else ""
    if asset and Deployment.objects.filter(team=asset.team, name=name).exists():
        name = ""
    version = asked or next((choice.version.number for choice in choices if choice.allowed), None)
    return {"version": version, "name": name, "replicas": 1, "num_gpus": 0, "engine": "transformers"}


def _cluster() -> dict[str, Any]:
    try:
        return {"resources": cluster.resources(timeout_s=2)}
    except cluster.RayError:
        return {"resources": None}
