"""Health, the API's browsable page, and the error pages of the whole site."""

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from redis import Redis, RedisError

from accounts.errors import Forbidden, NotFound, Problem


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when PostgreSQL and Redis answer, else 503 with what does not."""
    checks: dict[str, str] = {}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        checks["postgresql"] = "ok"
    except DatabaseError as error:
        checks["postgresql"] = type(error).__name__
    try:
        Redis.from_url(settings.REDIS_URL, socket_timeout=2).ping()
        checks["redis"] = "ok"
    except RedisError as error:
        checks["redis"] = type(error).__name__
    return JsonResponse(checks, status=200 if set(checks.values()) == {"ok"} else 503)


@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api_docs.html")


def _problem(request: HttpRequest, problem: Problem) -> HttpResponse:
    if request.path.startswith("/api/"):
        body = {
            "type": f"urn:countersign:problem:{problem.code}",
            "title": problem.title,
            "status": problem.status,
            "detail": problem.detail,
        }
        return JsonResponse(body, status=problem.status, content_type="application/problem+json")
    return render(request, "problem.html", {"problem": problem}, status=problem.status)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _problem(request, NotFound("There is nothing at this address, or you may not see it."))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _problem(request, Forbidden("You may not do this here."))


def server_error(request: HttpRequest) -> HttpResponse:
    """As little machinery as possible: something is broken."""
    text = "Something went wrong on our side. It has been logged."
    if request.path.startswith("/api/"):
        body = {"type": "urn:countersign:problem:internal", "title": "Internal error", "status": 500, "detail": text}
        return JsonResponse(body, status=500, content_type="application/problem+json")
    return HttpResponse(text, status=500, content_type="text/plain")
