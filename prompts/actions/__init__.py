"""Everything that changes prompts, one function per verb."""

from prompts.actions.labels import apply_request, move_label, remove_label, request_move
from prompts.actions.prompts import create_prompt, create_version, update_prompt

__all__ = [
    "apply_request",
    "create_prompt",
    "create_version",
    "move_label",
    "remove_label",
    "request_move",
    "update_prompt",
]
