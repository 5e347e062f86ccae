"""Everything that changes prompts, one function per verb."""

from prompts.actions.drafts import discard_draft, save_draft
from prompts.actions.labels import (
    apply_removal,
    apply_request,
    break_glass,
    move_label,
    remove_label,
    request_move,
    request_removal,
    roll_back,
)
from prompts.actions.prompts import create_prompt, create_version, update_prompt

__all__ = [
    "apply_removal",
    "apply_request",
    "break_glass",
    "create_prompt",
    "create_version",
    "discard_draft",
    "move_label",
    "remove_label",
    "request_move",
    "request_removal",
    "roll_back",
    "save_draft",
    "update_prompt",
]
