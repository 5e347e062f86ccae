"""Prompts: fetched by label, kept in memory and on disk, refreshed in the background, filled in here. See docs/prompt-delivery.md.

prompt = client.prompts.get("acme/support/first reply", label="production", fallback="Hello {{ name }}")
text = prompt.render(name="Ada")
"""

from countersign.prompts.api import PromptOptions, Prompts
from countersign.prompts.prompt import Prompt
from countersign.prompts.rendering import RenderError

__all__ = ["Prompt", "PromptOptions", "Prompts", "RenderError"]
