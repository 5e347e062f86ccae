"""Pages: putting files into a draft without JavaScript, and taking them out."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.authentication import actor_of
from accounts.errors import Problem
from registry import actions
from registry.forms import UploadForm
from registry.views.versions import find, show_version


@login_required
@require_POST
def file_upload(request: HttpRequest, kind: str, team: str, name: str, number: int) -> HttpResponse:
    """Files of a form, each checked and stored as over REST; the first that is refused stops the rest."""
    by = actor_of(request)
    version = find(request, kind, team, name, number)
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return show_version(request, version, upload=form)
    folder = form.cleaned_data["folder"].strip().strip("/")
    stored = 0
    try:
        for file in form.cleaned_data["uploads"]:
            path = f"{folder}/{file.name}" if folder else str(file.name)
            actions.add_file(version=version, path=path, stream=file, expected_size=file.size, by=by)
            stored += 1
    except Problem as problem:
        return show_version(request, version, problem=problem)
    messages.success(request, f"{stored} file{'' if stored == 1 else 's'} uploaded.")
    return redirect(version.get_absolute_url())


@login_required
@require_POST
def file_remove(request: HttpRequest, kind: str, team: str, name: str, number: int) -> HttpResponse:
    version = find(request, kind, team, name, number)
    path = request.POST.get("path", "")
    actions.remove_file(version=version, path=path, by=actor_of(request))
    messages.success(request, f"{path} removed.")
    return redirect(version.get_absolute_url())
