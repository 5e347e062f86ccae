"""Every change to models and datasets: one function per verb, the actor as `by`, the ledger event inside."""

from registry.actions.aliases import (
    apply_removal,
    apply_request,
    break_glass,
    move_alias,
    move_or_ask,
    remove_alias,
    request_move,
    request_removal,
    roll_back,
)
from registry.actions.assets import create_asset, rename_asset, update_asset
from registry.actions.at_once import (
    create_tagged,
    move_alias_by_key,
    register_elsewhere,
    register_elsewhere_by_key,
    register_held,
    set_tag_by_key,
)
from registry.actions.branches import create_branch, delete_branch
from registry.actions.cards import begin_from, write_card
from registry.actions.commits import commit
from registry.actions.conversions import start_conversion
from registry.actions.files import add_file, add_upload, check_upload, link_file, record_download, remove_file
from registry.actions.gates import ask_for_access, grant_access, refuse_access, withdraw_access_request
from registry.actions.lifecycle import (
    archive_asset,
    archive_version,
    delete_asset,
    delete_version,
    purge_asset,
    purge_version,
    restore_asset,
    restore_version,
)
from registry.actions.lineage import link_versions
from registry.actions.scanning import scan_again
from registry.actions.tags import delete_tag, set_tag
from registry.actions.versions import create_version, describe_version, discard_version, register_version
from registry.actions.weights import ask_weights

__all__ = [
    "add_file",
    "add_upload",
    "apply_removal",
    "apply_request",
    "archive_asset",
    "archive_version",
    "ask_for_access",
    "ask_weights",
    "begin_from",
    "break_glass",
    "check_upload",
    "commit",
    "create_asset",
    "create_branch",
    "create_tagged",
    "create_version",
    "delete_asset",
    "delete_branch",
    "delete_tag",
    "delete_version",
    "describe_version",
    "discard_version",
    "grant_access",
    "link_file",
    "link_versions",
    "move_alias",
    "move_alias_by_key",
    "move_or_ask",
    "purge_asset",
    "purge_version",
    "record_download",
    "refuse_access",
    "register_elsewhere",
    "register_elsewhere_by_key",
    "register_held",
    "register_version",
    "remove_alias",
    "remove_file",
    "rename_asset",
    "request_move",
    "request_removal",
    "restore_asset",
    "restore_version",
    "roll_back",
    "scan_again",
    "set_tag",
    "set_tag_by_key",
    "start_conversion",
    "update_asset",
    "withdraw_access_request",
    "write_card",
]
