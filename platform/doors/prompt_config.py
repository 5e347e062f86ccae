"""What other products keep in one object beside a prompt (Langfuse's `config`, MLflow's model config), and the fields that it is
of a version: model, tools, response format, parameters.

What has the shape that counts there is kept where every door looks for it; put together again it is the same object.
"""

from collections.abc import Mapping
from typing import Any

from accounts.errors import Invalid
from prompts.checks import check_content
from prompts.models import PromptVersion

_FORMATS = ("json_schema", "json_object", "text")
MAX_MODEL = 300


def fields_of(config: Any, *, field: str = "config", model: str = "model") -> dict[str, Any]:
    """The fields of a version. `model`: the key under which the product writes the model's name. Tools and response formats
    that versions don't take stay among the parameters."""
    if config is None:
        return {"parameters": {}}
    if not isinstance(config, dict):
        raise Invalid(field, f'Use a JSON object as {field}, such as {{"{model}": "acme-chat", "temperature": 0}}.')
    parameters, fields = dict(config), dict[str, Any]()
    name, tools, wanted = (parameters.get(key) for key in (model, "tools", "response_format"))
    if isinstance(name, str) and 0 < len(name) <= MAX_MODEL and name == name.strip() and name.isprintable():
        fields["model"] = parameters.pop(model)
    if isinstance(tools, list) and tools and all(_is_function(tool) for tool in tools) and _taken(tools=tools):
        fields["tools"] = parameters.pop("tools")
    if isinstance(wanted, dict) and wanted.get("type") in _FORMATS and _taken(response_format=wanted):
        fields["response_format"] = parameters.pop("response_format")
    return {**fields, "parameters": parameters}


def config_of(version: PromptVersion) -> dict[str, Any]:
    """The object as Langfuse's clients see it; what parameters say themselves stands."""
    found: dict[str, Any] = {"model": version.model} if version.model else {}
    if version.tools:
        found["tools"] = version.tools
    if version.response_format is not None:
        found["response_format"] = version.response_format
    return {**found, **version.parameters}


def model_config_of(version: PromptVersion) -> Mapping[str, Any]:
    """The object as MLflow's clients see it: a response format has a place of its own there."""
    found: dict[str, Any] = {"model_name": version.model} if version.model else {}
    if version.tools:
        found["tools"] = version.tools
    return {**found, **version.parameters}


def _is_function(tool: Any) -> bool:
    return isinstance(tool, dict) and tool.get("type") == "function" and isinstance(tool.get("function"), dict)


def _taken(**fields: Any) -> bool:
    try:
        check_content(type="text", format=PromptVersion.Format.MUSTACHE, template="-", **fields)
    except Invalid:
        return False
    return True
