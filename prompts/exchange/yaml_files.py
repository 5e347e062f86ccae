"""Our own format: one YAML file for each prompt, made to be read and edited by people and compared by git.

    prompt: support/refunds/first reply     # the file is called support/refunds/first reply.yaml
    description: Answers the first mail.
    tags: {language: en}
    version: 7                              # the version this was written from; a push goes on from there
    type: chat
    messages:
      - role: system
        content: |
          You answer for {{ shop }}.

What has its default is left out. Labels are not in files: they move by policy.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from prompts.exchange.entries import Entry, Unreadable
from prompts.models import PromptVersion

SUFFIX = ".yaml"
MAX_CHARACTERS = 4 * 1024 * 1024
_FIELDS = ("prompt", "description", "tags", "version", "type", "format", "template", "messages", "inputs", "tools",
           "response_format", "model", "parameters", "message")  # fmt: skip


_ODD_BREAKS = re.compile("[\r\x85\u2028\u2029\ufeff]")


# A prompt of 200 messages with a schema has some thousands.
MAX_TOKENS, MAX_DEPTH = 100_000, 100
MAX_DIGITS = 100


class _Loader(yaml.SafeLoader):
    """Numbers as people write them: one of a million parts (1:59:59:…) would take hours."""

    def construct_scalar(self, node: Any) -> Any:
        if node.tag in _NUMBERS and len(node.value) > MAX_DIGITS:
            raise yaml.constructor.ConstructorError(
                None, None, f"a number has at most {MAX_DIGITS} digits; put quotes around a text", node.start_mark
            )
        return super().construct_scalar(node)


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


class _Dumper(yaml.SafeDumper):
    """Long texts as blocks, as a person would write them."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Breaks that are none for git or an editor would be read back as others: they are written as escapes.
    style = '"' if _ODD_BREAKS.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
_Dumper.ignore_aliases = lambda self, data: True  # type: ignore[method-assign]  # each value is written out


def path_of(name: str) -> str:
    """Where a prompt's file stands below the folder."""
    return f"{name}{SUFFIX}"


def write(version: PromptVersion, *, tags: Mapping[str, str], labels: list[str] | None = None) -> str:
    """The file of a prompt at this version."""
    prompt = version.prompt
    said: dict[str, Any] = {"prompt": prompt.name}
    if prompt.description:
        said["description"] = prompt.description
    if tags:
        said["tags"] = dict(sorted(tags.items()))
    said |= {"version": version.number, "type": version.type}
    if version.format != PromptVersion.Format.JINJA:
        said["format"] = version.format
    said["messages" if version.type == PromptVersion.Type.CHAT else "template"] = version.template
    for field in ("inputs", "tools", "response_format", "model", "parameters"):
        if value := getattr(version, field):
            said[field] = value
    return yaml.dump(said, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def read(path: str, text: str) -> Entry:
    """What a file says. Raises Unreadable with line and column for what is not YAML, and with the field for what is missing."""
    said = mapping(path, text)
    if unknown := sorted(str(key) for key in said if key not in _FIELDS):
        raise Unreadable(path, unknown[0][:80], f"This is none of {', '.join(_FIELDS)}.")
    name = said.get("prompt", path.removesuffix(SUFFIX))
    if not isinstance(name, str):
        raise Unreadable(path, "prompt", "A prompt's name is a text.")
    if path_of(name) != path:
        raise Unreadable(
            path, "prompt", f"'{name[:200]}' belongs in {path_of(name)[:210]}. Move the file, or change the name."
        )
    kind = said.get("type", "chat" if "messages" in said else "text")
    holder = "messages" if kind == PromptVersion.Type.CHAT else "template"
    if holder not in said:
        raise Unreadable(path, holder, "This is missing.")
    base = said.get("version")
    if base is not None and (not isinstance(base, int) or isinstance(base, bool) or not 0 < base < 2**31):
        raise Unreadable(path, "version", "Leave the number that the file was written with, or take the line out.")
    return Entry(
        where=path,
        name=name,
        fields={
            "type": _string(path, said, "type", kind),
            "format": _string(path, said, "format", PromptVersion.Format.JINJA.value),
            "template": said[holder],
            "model": _string(path, said, "model", ""),
            **{field: said.get(field) for field in ("inputs", "tools", "response_format", "parameters")},
        },
        message=_string(path, said, "message", ""),
        description=_string(path, said, "description", ""),
        tags=_tags(path, said.get("tags")),
        base=base,
    )


def mapping(path: str, text: str) -> dict[Any, Any]:
    """The lines of a file; Unreadable for what is none."""
    if len(text) > MAX_CHARACTERS:
        raise Unreadable(path, "", f"At most {MAX_CHARACTERS:,} characters, here {len(text):,}.")
    try:
        _look_over(path, text)
        said = yaml.load(text, Loader=_Loader)  # noqa: S506  a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise Unreadable(path, "", f"{where}this is not YAML ({error.problem or 'it can not be read'}).") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Unreadable(path, "", f"This is not YAML ({str(error)[:200]}).") from None
    if not isinstance(said, dict):
        raise Unreadable(path, "", "The file has to be 'name: value' lines, beginning with 'prompt:'.")
    return said


def _look_over(path: str, text: str) -> None:
    """Refuse what would take long to read, before it is read."""
    depth = 0
    for count, token in enumerate(yaml.scan(text, Loader=yaml.SafeLoader)):
        # Aliases can make a few lines stand for gigabytes; a prompt has no use for them.
        if isinstance(token, yaml.AliasToken):
            raise Unreadable(path, "", "YAML aliases (*name) are not taken. Write the values out.")
        if isinstance(token, _OPENING):
            depth += 1
        elif isinstance(token, _CLOSING):
            depth -= 1
        if count >= MAX_TOKENS or depth > MAX_DEPTH:
            raise Unreadable(path, "", f"At most {MAX_TOKENS:,} words and signs, and {MAX_DEPTH} levels of YAML.")


_OPENING = (
    yaml.FlowSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.BlockMappingStartToken,
)
_CLOSING = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)


def _string(path: str, said: Mapping[Any, Any], field: str, default: str) -> str:
    value = said.get(field, default)
    if not isinstance(value, str):
        raise Unreadable(path, field, "This is a text. Put quotes around it.")
    return value


def _tags(path: str, value: Any) -> dict[str, str]:
    """{key: value}, or a list of words; empty without any."""
    if isinstance(value, list):
        value = dict.fromkeys(value, "") if all(isinstance(one, str) for one in value) else 0
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise Unreadable(path, "tags", "Tags are 'key: value' lines, or a list of words.")
    if not all(isinstance(one, str) for one in value.values()):
        raise Unreadable(path, "tags", "The value of a tag is a text. Put quotes around it.")
    return dict(value)
