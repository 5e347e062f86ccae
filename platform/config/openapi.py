"""What the OpenAPI document says of every operation alike: who may call it, how errors and pages look."""

from typing import Any

from django.conf import settings

from accounts.rest import ApiView

_METHODS = frozenset({"get", "put", "post", "delete", "patch", "head"})
_TAGS = {
    "Me": "Who you are, by the key or session that you send.",
    "Teams": "Teams, the roles of their members, and service accounts.",
    "People": "Accounts of people.",
    "Keys": "API keys: made by whoever owns them, shown once, revocable.",
    "Models": "Models: versions with files, immutable once registered, and aliases that point at them.",
    "Datasets": "Datasets: the same as models, with rows to read.",
    "Prompts": "Prompts: versions, labels, rendering and differences.",
    "Runs": "Training runs: report their progress and metrics here.",
    "Evaluations": "A version measured on a dataset, with intervals and every example.",
    "Policies": "What a move to a stage demands.",
    "Requests": "Requests to move a protected alias or label, and their reviews.",
    "Deployments": "Served models: desired state, replicas and logs.",
    "Cluster": "What the Ray cluster has.",
    "Webhooks": "Events sent to other systems, signed by Standard Webhooks, and what came of each message.",
    "Notices": "What people are told, and how they want to be.",
    "Ledger": "Every act, for whoever may read it.",
    "Document": "This document.",
}
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details, sent as application/problem+json.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:countersign:problem:invalid"]},
        "title": {"type": "string", "description": "The kind of problem, in words."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, and what to do."},
        "errors": {
            "type": "object",
            "description": "Field: what is wrong with it.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "permission": {"type": "string", "description": "The missing permission, where one is missing."},
        "link": {"type": "string", "description": "A page that shows more, such as what a policy still asks for."},
    },
}
_ERRORS = {
    "401": "No key, or one that is wrong, expired or revoked.",
    "403": "A permission is missing; `permission` names it.",
    "404": "It does not exist, or you may not see it.",
}
# A view without words of its own inherits those of the base class, which are not for readers.
_OF_BASE = (ApiView.__doc__ or "")[:20]
_INVALID = "A field is wrong; `errors` names it."


def complete(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """drf-spectacular's last step."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("ProblemOut", None)
    schemas["Problem"] = _PROBLEM
    result["servers"] = [{"url": settings.SITE_URL}]
    used = set()
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            if method in _METHODS:
                if operation.get("description", "").startswith(_OF_BASE):
                    del operation["description"]
                operation["tags"] = [_tag(operation.get("tags", [])[0] if operation.get("tags") else path)]
                used.update(operation["tags"])
                _add_errors(operation, has_subject="{" in path)
                _wrap_list(operation)
    names = [*(name for name in _TAGS if name in used), *sorted(used - set(_TAGS))]
    result["tags"] = [{"name": name, "description": _TAGS.get(name, "")} for name in names]
    return result


def _tag(name: str) -> str:
    """One spelling for all: 'models' and 'Models' are one section."""
    name = "Document" if "openapi" in name else name
    return name[:1].upper() + name[1:]


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


def _add_errors(operation: dict[str, Any], *, has_subject: bool) -> None:
    """Every operation can answer these; what the view says itself stays, in the one shape that errors have."""
    responses = operation.setdefault("responses", {})
    for code, response in responses.items():
        if code[0] in "45":
            response["content"] = _problem("")["content"]
    if "requestBody" in operation:
        responses.setdefault("400", _problem(_INVALID))
    for code, text in _ERRORS.items():
        if code != "404" or has_subject:
            responses.setdefault(code, _problem(text))
    operation["responses"] = dict(sorted(responses.items()))


def _wrap_list(operation: dict[str, Any]) -> None:
    """Lists answer one page: {"results": [...], "next": cursor or null}."""
    content = operation["responses"].get("200", {}).get("content", {}).get("application/json")
    if not content or content.get("schema", {}).get("type") != "array":
        return
    content["schema"] = {
        "type": "object",
        "required": ["results", "next"],
        "properties": {
            "results": content["schema"],
            "next": {"type": ["string", "null"], "description": "Cursor of the next page; null on the last."},
        },
    }
    parameters = operation.setdefault("parameters", [])
    given = {parameter["name"] for parameter in parameters}
    for name, kind, text in (
        ("cursor", "string", "`next` of the page before."),
        ("limit", "integer", "Results per page, 1 to 200; 50 when left out."),
    ):
        if name not in given:
            parameters.append({"in": "query", "name": name, "schema": {"type": kind}, "description": text})
