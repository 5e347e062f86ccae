"""Tools, response formats, model and parameters: what a model is called with beside the text."""

import json
import re
from collections.abc import Iterator
from typing import Any

import rfc8785
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from prompts.findings import MAX_BYTES, Findings, said

MAX_TOOLS = 128
MAX_MODEL = 300
MAX_SCHEMA_DEPTH = 60
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_VALIDATOR = Draft202012Validator(Draft202012Validator.META_SCHEMA)


def check_kept(field: str, value: Any, findings: Findings) -> bool:
    """Does this JSON survive storing, exactly and within the limit?"""
    try:
        canonical = rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError, TypeError) as error:
        findings.add(field, f"This can't be kept exactly: {error}")
        return False
    if len(canonical) > MAX_BYTES:
        findings.add(field, f"At most {MAX_BYTES:,} bytes, here {len(canonical):,}.")
    elif b"\\u0000" in canonical:
        findings.add(field, "Take out the NUL character.")
    else:
        return True
    return False


def check_parameters(parameters: Any, findings: Findings) -> dict[str, Any]:
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        findings.add("parameters", 'Parameters are a JSON object, such as {"temperature": 0}.')
        return {}
    check_kept("parameters", parameters, findings)
    return parameters


def check_model(model: Any, findings: Findings) -> str:
    if model is None:
        return ""
    if not isinstance(model, str):
        findings.add("model", f"A model is named by text, not {said(model)}.")
        return ""
    named: str = model.strip()
    if len(named) > MAX_MODEL:
        findings.add("model", f"At most {MAX_MODEL} characters, here {len(named):,}.")
    elif any(ord(letter) < 32 or 127 <= ord(letter) < 160 or 0xD800 <= ord(letter) < 0xE000 for letter in named):
        findings.add("model", "Take out the control characters.")
    return named


def check_tools(tools: Any, findings: Findings) -> list[dict[str, Any]]:
    """Functions as OpenAI's API takes them; their names valid, each once, their parameters a JSON schema."""
    if not tools:
        if tools not in (None, []):
            findings.add("tools", "Tools are a list of functions.")
        return []
    if not isinstance(tools, list):
        findings.add("tools", 'Tools are a list: [{"type": "function", "function": {"name": …, "parameters": {…}}}].')
        return []
    if len(tools) > MAX_TOOLS:
        findings.add("tools", f"At most {MAX_TOOLS} tools, here {len(tools)}.")
        return []
    if not check_kept("tools", tools, findings):
        return []
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        where = f"tools[{index}]"
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(tool, dict) or tool.get("type") != "function" or not isinstance(function, dict):
            findings.add(where, 'A tool is {"type": "function", "function": {"name": …, "parameters": {…}}}.')
            continue
        name = function.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            findings.add(f"{where}.function.name", "A name has 1 to 64 of a-z, A-Z, 0-9, '_' and '-'.")
        elif name in seen:
            findings.add(f"{where}.function.name", f"There are two tools called '{name}'.")
        else:
            seen.add(name)
        if not isinstance(function.get("description", ""), str):
            findings.add(f"{where}.function.description", "A description is text.")
        if (schema := function.get("parameters")) is not None:
            check_schema(f"{where}.function.parameters", schema, findings)
            if isinstance(schema, dict) and schema.get("type", "object") != "object":
                findings.add(f"{where}.function.parameters.type", 'A function takes an object: "type": "object".')
    return tools


def check_response_format(value: Any, findings: Findings) -> dict[str, Any] | None:
    """text, json_object, or json_schema with a name and a schema, as OpenAI's API takes it."""
    if value is None or value == {}:
        return None
    if not isinstance(value, dict) or value.get("type") not in ("text", "json_object", "json_schema"):
        findings.add("response_format.type" if isinstance(value, dict) else "response_format",
                     'Use {"type": "text"}, {"type": "json_object"} or {"type": "json_schema", "json_schema": {…}}.')  # fmt: skip
        return None
    if not check_kept("response_format", value, findings) or value["type"] != "json_schema":
        return value
    inner = value.get("json_schema")
    where = "response_format.json_schema"
    if not isinstance(inner, dict):
        findings.add(where, 'Give {"name": …, "schema": {…}}.')
        return value
    if not isinstance(inner.get("name"), str) or not _NAME.fullmatch(inner["name"]):
        findings.add(f"{where}.name", "A name has 1 to 64 of a-z, A-Z, 0-9, '_' and '-'.")
    if not isinstance(inner.get("strict", False), bool | None):
        findings.add(f"{where}.strict", "Use true or false.")
    if not isinstance(inner.get("schema"), dict):
        findings.add(f"{where}.schema", "Give the JSON schema, an object.")
    else:
        check_schema(f"{where}.schema", inner["schema"], findings)
        if inner.get("strict"):
            _warn_strict(f"{where}.schema", inner["schema"], findings)
    return value


def check_schema(where: str, schema: Any, findings: Findings) -> None:
    """Is it a JSON schema (draft 2020-12)? References stay inside of it."""
    if not isinstance(schema, dict | bool):
        findings.add(where, f"A JSON schema is an object, not {said(schema)}.")
        return
    if _depth(schema) > MAX_SCHEMA_DEPTH:
        findings.add(where, f"At most {MAX_SCHEMA_DEPTH} levels.")
        return
    if error := best_match(_VALIDATOR.iter_errors(schema)):
        path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path)
        findings.add(f"{where}{path}", f"This is no JSON schema: {error.message[:300]}")
        return
    for path, reference in _references(schema, ""):
        if not isinstance(reference, str) or not reference.startswith("#") or not _resolves(schema, reference):
            shown = json.dumps(reference, ensure_ascii=False)[:100]
            findings.add(f"{where}{path}", f'{shown} leads nowhere in this schema: use "#/$defs/…".')


def _depth(value: Any) -> int:
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        node, level = waiting.pop()
        deepest = max(deepest, level)
        if deepest > MAX_SCHEMA_DEPTH:
            break
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        waiting += [(child, level + 1) for child in children]
    return deepest


def _references(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield f"{path}.$ref", value
            elif key not in ("const", "enum", "default", "examples"):
                yield from _references(value, f"{path}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _references(value, f"{path}[{index}]")


def _resolves(schema: Any, reference: str) -> bool:
    if reference in ("#", "") or not reference.startswith("#/"):
        return reference == "#" or reference[1:].isidentifier()  # an anchor
    node = schema
    for part in reference[2:].split("/"):
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict) and part in node:
            node = node[part]
        elif isinstance(node, list) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
        else:
            return False
    return True


def _warn_strict(where: str, schema: dict[str, Any], findings: Findings) -> None:
    """OpenAI refuses a strict schema that leaves something open."""
    properties = schema.get("properties")
    if schema.get("type") == "object" and isinstance(properties, dict):
        if schema.get("additionalProperties") is not False:
            findings.warn(where, 'With "strict", OpenAI wants "additionalProperties": false.')
        required = schema.get("required")
        missing = sorted(set(properties) - set(required if isinstance(required, list) else []))
        if missing:
            findings.warn(where, f'With "strict", OpenAI wants each property among "required": {", ".join(missing)}.')
