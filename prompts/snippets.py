"""How an application gets a prompt: ready to paste, in the languages that it may speak."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.conf import settings

from prompts.checks import LATEST
from prompts.models import Prompt, PromptVersion

_FIRST = ("production", "staging")
_MOST = 12  # values that an example gives


@dataclass(frozen=True)
class Way:
    title: str
    code: str


def of(prompt: Prompt, version: PromptVersion, labels: list[str]) -> list[Way]:
    """The ways to the version at the label that is furthest on its way, else at the newest. The examples of the inputs stand
    where callers put their values; 'latest' is a label, too."""
    label = next((one for one in (*_FIRST, *labels) if one in labels), LATEST)
    values = _values(version)
    path = f"{settings.SITE_URL}/api/v1/prompts/{prompt.team.name}/{quote(prompt.name)}/labels/{quote(label)}"
    given = ", ".join(f"{name}={value!r}" for name, value in values.items())
    # Other products' clients know of no defaults.
    all_given = ", ".join(f"{name}={value!r}" for name, value in _values(version, defaults=True).items())
    words = "".join(" " + shlex.quote(_word(name, value)) for name, value in values.items())
    chat = ', type="chat"' if version.type == "chat" else ""
    ways = [
        Way("curl", f'curl -H "Authorization: Bearer $KEY" \\\n  {shlex.quote(path)}'),
        Way(
            "Python",
            "from countersign import Client\n\n"
            f'client = Client("{settings.SITE_URL}", key)\n'
            f'prompt = client.prompts.get("{prompt}", label="{label}")\n'
            f"prompt.render({given})",
        ),
        Way("Command line", f"countersign prompt render {shlex.quote(f'{prompt}@{label}')}{words}"),
        Way(
            "Langfuse SDK",
            f"# LANGFUSE_HOST={settings.SITE_URL}, and as the two keys an API key's id and the key\n"
            "from langfuse import Langfuse\n\n"
            f'prompt = Langfuse().get_prompt("{prompt.name}", label="{label}"'
            f"{chat})\n"
            f"prompt.compile({all_given})",
        ),
    ]
    if "/" not in prompt.name:  # which MLflow's addresses have no place for
        ways.append(
            Way(
                "MLflow",
                f"# MLFLOW_TRACKING_URI={settings.SITE_URL} and MLFLOW_TRACKING_TOKEN, the key\n"
                "import mlflow\n\n"
                f'prompt = mlflow.genai.load_prompt("prompts:/{prompt.name}@{label}")\n'
                f"prompt.format({all_given})",
            )
        )
    return ways


def _values(version: PromptVersion, *, defaults: bool = False) -> dict[str, Any]:
    """An example for each variable that callers give, those with a default only where asked; no messages for placeholders."""
    declared = {row["name"]: row for row in version.inputs}
    found: dict[str, Any] = {}
    for name in version.variables[:_MOST]:
        row = declared.get(name, {})
        if name.isidentifier() and row.get("required") is not False and (defaults or "default" not in row):
            found[name] = row["default"] if "default" in row else row.get("example", "…")
    for message in version.messages:
        if message.get("type") == "placeholder" and str(message["name"]).isidentifier():
            found[message["name"]] = []
    return found


def _word(name: str, value: Any) -> str:
    return f"{name}={value}" if isinstance(value, str) else f"{name}:={json.dumps(value, ensure_ascii=False)}"
