"""The quick door for what is written most: a version whose bytes lie elsewhere, by one SQL statement ahead of every other layer.

As for the quick reads, it answers only when everything is in order; errors are worded by the ordinary views.
"""

import json
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException

from accounts import keys
from accounts.errors import Problem
from accounts.middleware import address_of
from doors.mlflow.base import MlflowError, check_texts, send
from doors.mlflow.entities import version_json
from doors.mlflow.registry_models import refuse_prompts
from doors.mlflow.sources import NAMED, refuse_climbing
from registry import actions

CREATE = "/api/2.0/mlflow/model-versions/create"
_OURS = {"", "file", "models", "runs", "mlflow-artifacts"}
_TEXTS = {"name", "source", "description", *NAMED}
_MOST_BYTES = 100_000


def answer(request: HttpRequest) -> HttpResponse | None:
    """The version that was made; None where another view has to look."""
    if request.method != "POST" or request.path_info != CREATE or "HTTP_X_MLFLOW_WORKSPACE" in request.META:
        return None
    key = keys.split_key(keys.from_header(request.META.get("HTTP_AUTHORIZATION", "")) or "")
    asked = _asked(request) if key else None
    if key is None or asked is None:
        return None
    name, source, description, tags, facts = asked
    try:
        version = actions.register_elsewhere_by_key(
            key=key, address=address_of(request), request_id=getattr(request, "request_id", ""), name=name, source=source,
            description=description, tags=tags, facts={"mlflow": facts} if facts else {},
        )  # fmt: skip
    except Problem:
        return None
    if version is None:
        return None
    made = round(version.created_at.timestamp() * 1000)
    told = json.dumps(sorted(tags.items())) if tags else None
    row = (
        name, version.number, made, made, version.description, "", version.state, source, json.dumps(facts), False, told, None, None
    )  # fmt: skip
    return send({"model_version": version_json(row, "")})


def _asked(request: HttpRequest) -> tuple[str, str, str, dict[str, str], dict[str, str]] | None:
    """Name, source, description, tags and what else a version of bytes elsewhere may say of itself; None for everything else."""
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > _MOST_BYTES:
            return None
        values: Any = json.loads(request.body)
        if not isinstance(values, dict) or not all(isinstance(values.get(one, ""), str) for one in _TEXTS):
            return None
        check_texts(values)
        source = values.get("source", "")
        scheme = urlsplit(source).scheme.lower()
        if scheme in _OURS or len(scheme) == 1 or not values.get("name"):
            return None
        refuse_climbing(source)
        tags = {}
        for item in values.get("tags") or []:
            if not isinstance(item["key"], str) or not item["key"] or not isinstance(item["value"], str):
                return None
            tags[item["key"]] = item["value"]
        refuse_prompts(tags)
    except (MlflowError, ValueError, KeyError, TypeError, RecursionError, RawPostDataException):
        return None
    return (
        values["name"],
        source,
        values.get("description", ""),
        tags,
        {one: values[one] for one in NAMED if values.get(one)},
    )
