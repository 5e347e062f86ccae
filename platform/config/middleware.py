"""Middleware of the whole site: request ids, security headers, and domain errors as answers."""

import re
import secrets
from collections.abc import Callable
from typing import cast

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import resolve

import doors.huggingface.hot
import doors.langfuse.hot
import doors.mlflow.hot
import doors.mlflow.hot_prompts
import doors.mlflow.hot_runs
import doors.mlflow.hot_writes
import prompts.hot
import registry.hot
from accounts import refusals
from accounts.errors import Problem
from accounts.rest import unstorable
from accounts.roles import PERMISSION_DESCRIPTIONS, SITE_PERMISSIONS, Permission

GetResponse = Callable[[HttpRequest], HttpResponseBase]
_SMALL_FORM = 1024 * 1024
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,80}")


def request_id(get_response: GetResponse) -> GetResponse:
    """Give each request an id (the caller's own, when it sends a sane one); answers and ledger events carry it."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request.request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(12)  # type: ignore[attr-defined]
        response = get_response(request)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response

    return middleware


def storable_addresses(get_response: GetResponse) -> GetResponse:
    """A NUL in an address names nothing: PostgreSQL would refuse to look it up."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            return JsonResponse(
                {
                    "type": "urn:countersign:problem:invalid",
                    "title": "Invalid input",
                    "status": 400,
                    "detail": "The address holds a NUL character (%00). Take it out.",
                },
                status=400,
                content_type="application/problem+json",
            )
        return get_response(request)

    return middleware


def hot_reads(get_response: GetResponse) -> GetResponse:
    """A version by alias, label or number with a key: one SQL statement, ahead of sessions and everything else that it needs not."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        return prompts.hot.answer(request) or registry.hot.answer(request) or get_response(request)

    return middleware


_FOREIGN = ("/api/2.0/", "/api/3.0/")


def foreign_doors(get_response: GetResponse) -> GetResponse:
    """MLflow's, the Hub's and Langfuse's addresses, ahead of sessions and pages: their views take keys alone, and say errors in the shape of
    their clients."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(_FOREIGN) or request.path_info == "/version":
            quick = (
                doors.mlflow.hot_prompts.answer(request)
                or doors.mlflow.hot.answer(request)
                or doors.mlflow.hot_runs.answer(request)
                or doors.mlflow.hot_writes.answer(request)
            )
            if quick is not None:
                return quick
            view, _, parts = resolve(request.path_info, "doors.mlflow.urls")
            response: HttpResponseBase = view(request, **parts)
            return response
        if request.path_info.startswith("/hf/"):
            if (file := doors.huggingface.hot.answer(request)) is not None:
                return file
            view, _, parts = resolve(request.path_info, "doors.huggingface.urls")
            return cast(HttpResponseBase, view(request, **parts))
        if request.path_info.startswith("/api/public/"):
            if (prompt := doors.langfuse.hot.answer(request)) is not None:
                return prompt
            view, _, parts = resolve(request.path_info, "doors.langfuse.urls")
            return cast(HttpResponseBase, view(request, **parts))
        return get_response(request)

    return middleware


def security_headers(get_response: GetResponse) -> GetResponse:
    policy = (
        "default-src 'self'; script-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
        f"connect-src 'self' {settings.GATEWAY_URL} {settings.STORAGE_ORIGIN}; frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'"
    )

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.setdefault("Content-Security-Policy", policy)
        return response

    return middleware


def no_uploads_of_strangers(get_response: GetResponse) -> GetResponse:
    """A form with files is read to the disk to look for its CSRF token, before any view asks who sent it: ask first."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if (
            request.content_type == "multipart/form-data"
            and int(request.META.get("CONTENT_LENGTH") or 0) > _SMALL_FORM
            and not request.user.is_authenticated
        ):
            return redirect_to_login(request.get_full_path())
        return get_response(request)

    return middleware


class ProblemMiddleware:
    """A domain error that reaches the top of a page becomes a page that says what happened and what to do."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, DataError):
            exception = unstorable(exception)
        if not isinstance(exception, Problem):
            return None
        refusals.note(request, exception)
        template = "components/problem.html" if request.htmx else "problem.html"  # type: ignore[attr-defined]
        missing = getattr(exception, "permission", "")
        about = PERMISSION_DESCRIPTIONS.get(Permission(missing), "") if missing in set(Permission) else ""
        context = {"problem": exception, "permission_about": about, "by_role": missing not in SITE_PERMISSIONS}
        return render(request, template, context, status=exception.status)


problems = ProblemMiddleware
