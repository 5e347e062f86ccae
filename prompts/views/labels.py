"""Pages: labels, their history, moving and removing them."""

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import ANY_STAGE, require
from accounts.authentication import actor_of
from accounts.errors import ApprovalRequired, Conflict, Invalid
from accounts.pages import add_problem
from accounts.rest import keyset_page
from accounts.roles import Permission
from prompts import actions
from prompts.forms import LabelForm
from prompts.models import Prompt
from prompts.reads import get_prompt
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
    """The labels tab; the form is shown again with what is wrong with it."""
    moves, following = keyset_page(
        prompt.label_moves.select_related("before", "after", "moved_by"),
        order=["-id"], cursor=request.GET.get("cursor", ""),
    )  # fmt: skip
    frame = prompt_page(request, prompt, "labels")
    context = {
        **frame,
        "moves": moves,
        "next": following,
        "label_form": label_form or LabelForm(initial={"version": frame["latest"] and frame["latest"].number}),
    }
    return render(request, "prompts/labels.html", context, status=422 if label_form else 200)


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
    try:
        actions.move_label(prompt=prompt, label=wanted["label"], version=version, reason=wanted["reason"], by=by)
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


@login_required
@require_POST
def label_remove(request: HttpRequest, team: str, name: str, label: str) -> HttpResponse:
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    actions.remove_label(prompt=prompt, label=label, by=by)
    messages.success(request, f"Label '{label}' removed. Its history stays.")
    return redirect(prompt.get_absolute_url())
