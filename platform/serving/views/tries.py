"""The try-it box: an answer that streams, or whole where there is no JavaScript."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from accounts.authentication import actor_of
from accounts.errors import Problem
from serving import invoke, reads
from serving.forms import CompareForm, TryForm
from serving.views.detail import overview


@login_required
@require_POST
def deployment_try(request: HttpRequest, team: str, name: str) -> HttpResponseBase:
    """Server-sent events of the engine, byte by byte, for `Accept: text/event-stream`; else the page with the answer."""
    by = actor_of(request)
    deployment = reads.get_deployment(by, team, name)
    form = TryForm(request.POST)
    streaming = "text/event-stream" in request.headers.get("Accept", "")
    if not form.is_valid():
        if streaming:
            text = " ".join(f"{field}: {errors[0]}" for field, errors in form.errors.items())
            return JsonResponse({"error": {"message": text}}, status=422)
        return overview(request, deployment, try_form=form, status=422)
    try:
        if not streaming:
            answer = invoke.generate(deployment=deployment, by=by, **form.cleaned_data)
            return overview(request, deployment, try_form=form, answer=answer)
        chunks = invoke.stream(deployment=deployment, by=by, **form.cleaned_data)
    except Problem as problem:
        if streaming:
            return JsonResponse({"error": {"message": problem.detail}}, status=problem.status)
        return overview(request, deployment, try_form=form, try_problem=problem, status=problem.status)
    response = StreamingHttpResponse(chunks, content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"  # reverse proxies: pass each event on as it comes
    return response


@login_required
@require_POST
def deployment_compare(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """Two texts and how near they are: the box of an embedding model."""
    by = actor_of(request)
    deployment = reads.get_deployment(by, team, name)
    form = CompareForm(request.POST)
    context: dict[str, object] = {"compare_form": form, "deployment": deployment}
    status = 422
    if form.is_valid():
        try:
            context["comparison"] = invoke.compare(deployment=deployment, by=by, **form.cleaned_data)
            status = 200
        except Problem as problem:
            context["try_problem"] = problem
            status = problem.status
    if request.headers.get("HX-Request"):
        return render(request, "serving/comparison.html", context)
    return overview(request, status=status, **context)  # type: ignore[arg-type]
