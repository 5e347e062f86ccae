"""Everything that changes prompts, one function per verb."""

from prompts.actions.deletion import delete_prompt, delete_version
from prompts.actions.drafts import discard_draft, save_draft
from prompts.actions.imports import Outcome, import_entries, note_export
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
from prompts.actions.tags import delete_tag, set_tag, set_words

__all__ = [
    "Outcome",
    "apply_removal",
    "apply_request",
    "break_glass",
    "create_prompt",
    "create_version",
    "delete_prompt",
    "delete_tag",
    "delete_version",
    "discard_draft",
    "import_entries",
    "move_label",
    "note_export",
    "remove_label",
    "request_move",
    "request_removal",
    "roll_back",
    "save_draft",
    "set_tag",
    "set_words",
    "update_prompt",
]
