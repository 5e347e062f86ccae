"""Langfuse's `config`, any JSON object, and the fields that it is of a version: model, tools, response format, parameters.

What Langfuse keeps in one object and its documentation names `model`, `tools` and `response_format` is kept where other doors look
for it, as far as it has the shape that counts there; put together again it is the same object.
"""

from collections.abc import Mapping
from typing import Any

from accounts.errors import Invalid
from prompts.models import PromptVersion

_FORMATS = ("json_schema", "json_object", "text")
MAX_MODEL = 300


def fields_of(config: Any, *, plain: bool = False) -> dict[str, Any]:
    """The fields of a version. `plain`: everything as parameters, whatever it is."""
    if config is None:
        return {"parameters": {}}
    if not isinstance(config, dict):
        raise Invalid("config", 'Use a JSON object as config, such as {"model": "acme-chat", "temperature": 0}.')
    parameters, fields = dict(config), dict[str, Any]()
    if plain:
        return {"parameters": parameters}
    model, tools, wanted = (parameters.get(name) for name in ("model", "tools", "response_format"))
    if isinstance(model, str) and 0 < len(model) <= MAX_MODEL and model == model.strip():
        fields["model"] = parameters.pop("model")
    if isinstance(tools, list) and tools and all(_is_function(tool) for tool in tools):
        fields["tools"] = parameters.pop("tools")
    if isinstance(wanted, dict) and wanted.get("type") in _FORMATS:
        fields["response_format"] = parameters.pop("response_format")
    return {**fields, "parameters": parameters}


def config_of(version: PromptVersion) -> dict[str, Any]:
    return put_together(version.model, version.tools, version.response_format, version.parameters)


def put_together(model: str, tools: Any, response_format: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The object that clients see; what parameters say themselves stands."""
    found: dict[str, Any] = {}
    if model:
        found["model"] = model
    if tools:
        found["tools"] = tools
    if response_format is not None:
        found["response_format"] = response_format
    return {**found, **parameters}


def _is_function(tool: Any) -> bool:
    return isinstance(tool, dict) and tool.get("type") == "function" and isinstance(tool.get("function"), dict)
