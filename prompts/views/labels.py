"""Pages: labels, their history, moving and removing them."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import ANY_STAGE, require
from accounts.authentication import actor_of
from accounts.errors import ApprovalRequired, Conflict, Invalid
from accounts.moments import read_moment
from accounts.numbers import whole
from accounts.pages import add_problem
from accounts.rest import keyset_page
from accounts.roles import Permission
from governance import gate
from prompts import actions
from prompts.composition import impact_of
from prompts.forms import LabelForm
from prompts.models import Label, LabelMove, Prompt
from prompts.reads import get_prompt, labels_at, last_moves
from prompts.views.frame import prompt_page


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def prompt_labels(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """Where the labels point and pointed; a form posted here moves one."""
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    if request.method == "POST":
        return _move(request, prompt)
    return show_labels(request, prompt)


def show_labels(request: HttpRequest, prompt: Prompt, *, label_form: LabelForm | None = None) -> HttpResponse:
    """The labels tab: where each points (or pointed, with ?at=), and every move, of one with ?label=. The form is shown again with
    what is wrong with it."""
    wanted, at = request.GET.get("label", ""), request.GET.get("at", "").strip()
    rows = prompt.label_moves.select_related("before", "after", "moved_by")
    moment, wrong = None, ""
    if at:
        try:
            moment = read_moment(at)
        except Invalid as problem:
            wrong = problem.detail
        else:
            rows = rows.filter(moved_at__lte=moment)
    if wanted and "\0" not in wanted:
        rows = rows.filter(name=wanted)
    moves, following = keyset_page(rows, order=["-id"], cursor=request.GET.get("cursor", ""))
    frame = prompt_page(request, prompt, "labels")
    last = last_moves(prompt)
    context = {
        **frame,
        "moves": moves,
        "next": following,
        "then": labels_at(prompt, moment) if moment else [],
        "moment": moment,
        "wrong": wrong,
        "filters": [
            {
                "name": "label",
                "kind": "choice",
                "label": "Label",
                "value": wanted,
                "choices": [(one.name, one.name) for one in last[:100]],
            },
            {"name": "at", "kind": "date", "label": "As of", "value": at},
        ],
        "rollbacks": _rollbacks(last, frame["labels"]),
        "label_form": label_form or LabelForm(initial={"version": frame["latest"] and frame["latest"].number}),
    }
    return render(request, "prompts/labels.html", context, status=(label_form and 422) or (422 if wrong else 200))


def _rollbacks(last: list[LabelMove], labels: list[Label]) -> list[tuple[Label, int | None]]:
    """Each label with the number of the version that it pointed at before."""
    before = {
        move.name: move.before.number for move in last if move.before is not None and move.before.deleted_at is None
    }
    return [(label, before.get(label.name)) for label in labels]


def _move(request: HttpRequest, prompt: Prompt) -> HttpResponse:
    """Move a label; for a protected one on to the page where its promotion is asked for."""
    by = actor_of(request)
    require(by, Permission.ALIAS_MOVE, prompt, stage=ANY_STAGE)
    form = LabelForm(request.POST)
    if not form.is_valid():
        return show_labels(request, prompt, label_form=form)
    wanted = form.cleaned_data
    version = prompt.versions.filter(number=wanted["version"], deleted_at=None).first()
    if version is None:
        form.add_error("version", f"There is no version {wanted['version']}.")
        return show_labels(request, prompt, label_form=form)
    if "confirmed" not in request.POST and _moves_freely(prompt, wanted["label"]):
        impact = impact_of(prompt, wanted["label"], by)
        if impact:
            seen = {name: text for name, text in request.POST.items() if name.startswith("seen")}
            page = {"impact": impact, "wanted": wanted, "version": version, "seen": seen}
            return render(request, "prompts/label_confirm.html", {**prompt_page(request, prompt, "labels"), **page})
    try:
        actions.move_label(
            prompt=prompt, label=wanted["label"], version=version, reason=wanted["reason"], by=by,
            **_seen(request),
        )  # fmt: skip
    except ApprovalRequired as problem:
        messages.info(request, problem.detail)
        return redirect(
            f"{problem.link}&{urlencode({'reason': wanted['reason']})}" if wanted["reason"] else problem.link
        )
    except (Invalid, Conflict) as problem:
        add_problem(form, problem)
        return show_labels(request, prompt, label_form=form)
    messages.success(request, f"'{wanted['label']}' points at version {version.number} now.")
    return redirect(prompt.get_absolute_url())


def _moves_freely(prompt: Prompt, label: str) -> bool:
    """Without a request: on its page, what changes with a protected label is shown to those who decide."""
    return not gate.is_protected(prompt.team, "prompt", str(prompt), label)


def _seen(request: HttpRequest) -> dict[str, Any]:
    """The version that the page showed at the label: `expected`, or of a form for any label `seen.<label>`, none where it pointed at
    nothing. Empty where the page did not say."""
    if "seen" in request.POST:
        return {"expected": whole(request.POST.get(f"seen.{request.POST.get('label', '')}", ""), below=2**31)}
    number = whole(request.POST.get("expected", ""), below=2**31)
    return {} if number is None else {"expected": number}


@login_required
@require_POST
def label_remove(request: HttpRequest, team: str, name: str, label: str) -> HttpResponse:
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    actions.remove_label(prompt=prompt, label=label, by=by, **_seen(request))
    messages.success(request, f"Label '{label}' removed. Its history stays.")
    return redirect("prompt-labels", team=team, name=name)


@login_required
@require_POST
def label_roll_back(request: HttpRequest, team: str, name: str, label: str) -> HttpResponse:
    """Back to where it pointed before; for a protected label on to the request that was opened for it."""
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    done = actions.roll_back_label(
        prompt=prompt, label=label, reason=request.POST.get("reason", ""), by=by, **_seen(request)
    )
    if isinstance(done, Label):
        messages.success(request, f"'{label}' points at version {done.version.number} again.")
        return redirect("prompt-labels", team=team, name=name)
    messages.info(
        request, f"'{label}' is protected: a request to roll it back to version {done.version_number} is open."
    )
    return redirect("request-detail", done.pk)
