"""Everything that changes prompts, one function per verb."""

from prompts.actions.branches import close_branch, create_branch, get_branch, merge_branch, plan_merge
from prompts.actions.deletion import delete_prompt, delete_version
from prompts.actions.drafts import discard_draft, save_draft
from prompts.actions.imports import Outcome, import_entries, note_export
from prompts.actions.labels import (
    apply_removal,
    apply_request,
    break_glass,
    move_label,
    move_or_ask,
    remove_label,
    request_move,
    request_removal,
    roll_back,
    roll_back_label,
)
from prompts.actions.prompts import create_prompt, create_version, update_prompt
from prompts.actions.tags import delete_tag, set_tag, set_words
from prompts.actions.upkeep import archive_prompt, rename_prompt, restore_prompt, restore_version

__all__ = [
    "Outcome",
    "apply_removal",
    "apply_request",
    "archive_prompt",
    "break_glass",
    "close_branch",
    "create_branch",
    "create_prompt",
    "create_version",
    "delete_prompt",
    "delete_tag",
    "delete_version",
    "discard_draft",
    "get_branch",
    "import_entries",
    "merge_branch",
    "move_label",
    "move_or_ask",
    "note_export",
    "plan_merge",
    "remove_label",
    "rename_prompt",
    "request_move",
    "request_removal",
    "restore_prompt",
    "restore_version",
    "roll_back",
    "roll_back_label",
    "save_draft",
    "set_tag",
    "set_words",
    "update_prompt",
]
