"""Pages: tags, archiving, deleting and restoring: buttons that post and lead back."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.authentication import actor_of
from accounts.errors import Invalid, NotFound
from accounts.numbers import whole
from accounts.pages import add_problem
from prompts import actions
from prompts.forms import TagForm
from prompts.reads import get_gone, get_prompt, get_version
from prompts.views.prompts import show_settings
from prompts.views.versions import show_version


@login_required
@require_POST
def tag_set(request: HttpRequest, team: str, name: str) -> HttpResponse:
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    form = TagForm(request.POST)
    if form.is_valid():
        try:
            actions.set_tag(prompt=prompt, by=by, **form.cleaned_data)
        except Invalid as problem:
            add_problem(form, problem)
        else:
            return redirect("prompt-settings", team=team, name=name)
    return show_settings(request, prompt, tag_form=form)


@login_required
@require_POST
def tag_remove(request: HttpRequest, team: str, name: str) -> HttpResponse:
    by = actor_of(request)
    actions.delete_tag(prompt=get_prompt(by, f"{team}/{name}"), key=request.POST.get("key", ""), by=by)
    return redirect("prompt-settings", team=team, name=name)


@login_required
@require_POST
def version_tag_set(request: HttpRequest, team: str, name: str, number: int) -> HttpResponse:
    by = actor_of(request)
    version = get_version(by, get_prompt(by, f"{team}/{name}"), number)
    form = TagForm(request.POST)
    if form.is_valid():
        try:
            actions.set_tag(version=version, by=by, **form.cleaned_data)
        except Invalid as problem:
            add_problem(form, problem)
        else:
            return redirect(version.get_absolute_url() + "#tags")
    return show_version(request, version, tag_form=form)


@login_required
@require_POST
def version_tag_remove(request: HttpRequest, team: str, name: str, number: int) -> HttpResponse:
    by = actor_of(request)
    version = get_version(by, get_prompt(by, f"{team}/{name}"), number)
    actions.delete_tag(version=version, key=request.POST.get("key", ""), by=by)
    return redirect(version.get_absolute_url() + "#tags")


def _why(request: HttpRequest) -> str:
    return request.POST.get("reason", "")


@login_required
@require_POST
def prompt_archive(request: HttpRequest, team: str, name: str) -> HttpResponse:
    by = actor_of(request)
    prompt = actions.archive_prompt(prompt=get_prompt(by, f"{team}/{name}"), reason=_why(request), by=by)
    messages.success(request, f"{prompt} is archived.")
    return redirect(prompt.get_absolute_url())


@login_required
@require_POST
def prompt_restore(request: HttpRequest, team: str, name: str) -> HttpResponse:
    by = actor_of(request)
    gone = get_gone(by, f"{team}/{name}")
    prompt = actions.restore_prompt(prompt=gone, name=request.POST.get("name", "").strip(), reason=_why(request), by=by)
    messages.success(request, f"{prompt} is back.")
    return redirect(prompt.get_absolute_url())


@login_required
@require_POST
def prompt_delete(request: HttpRequest, team: str, name: str) -> HttpResponse:
    by = actor_of(request)
    prompt = actions.delete_prompt(prompt=get_prompt(by, f"{team}/{name}"), reason=_why(request), by=by)
    messages.success(request, f"{prompt} is deleted. It is in the list of deleted prompts.")
    return redirect("prompt-list")


@login_required
@require_POST
def version_delete(request: HttpRequest, team: str, name: str, number: int) -> HttpResponse:
    by = actor_of(request)
    version = get_version(by, get_prompt(by, f"{team}/{name}"), number)
    actions.delete_version(version=version, reason=_why(request), by=by)
    messages.success(request, f"Version {number} is deleted; its number stays taken. It can be restored below.")
    return redirect(version.prompt.get_absolute_url())


@login_required
@require_POST
def version_restore(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """Of a deleted version, whose number is posted: it has no page of its own."""
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    number = whole(request.POST.get("version", ""), below=2**31)
    version = prompt.versions.filter(number=number or 0).first()
    if version is None:
        raise NotFound(f"{prompt} has no such version.")
    version.prompt = prompt
    actions.restore_version(version=version, reason=_why(request), by=by)
    messages.success(request, f"Version {version.number} is back.")
    return redirect(version.get_absolute_url())
