"""Every change to models and datasets: one function per verb, the actor as `by`, the ledger event inside."""

from registry.actions.aliases import (
    apply_removal,
    apply_request,
    break_glass,
    move_alias,
    remove_alias,
    request_move,
    request_removal,
    roll_back,
)
from registry.actions.assets import create_asset, update_asset
from registry.actions.files import add_file, check_upload, record_download, remove_file
from registry.actions.versions import create_version, discard_version, register_version

__all__ = [
    "add_file",
    "apply_removal",
    "apply_request",
    "break_glass",
    "check_upload",
    "create_asset",
    "create_version",
    "discard_version",
    "move_alias",
    "record_download",
    "register_version",
    "remove_alias",
    "remove_file",
    "request_move",
    "request_removal",
    "roll_back",
    "update_asset",
]
