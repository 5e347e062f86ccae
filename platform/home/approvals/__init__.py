"""Requests across apps: governance judges them, the app that owns what would change changes it, in one transaction."""

from governance.actions import open_change
from home.approvals.asking import break_glass, open_removal, open_request, renew
from home.approvals.deciding import apply_due, decide, delegator, may_decide, settle_glass, speaks_for
from home.approvals.inbox import counts, delegations_to, get_delegation, inbox, visible_delegations, waits_for
from home.approvals.reads import asset_of, get_request, visible_requests
from home.approvals.roles import open_role

__all__ = [
    "apply_due",
    "asset_of",
    "break_glass",
    "counts",
    "decide",
    "delegations_to",
    "delegator",
    "get_delegation",
    "get_request",
    "inbox",
    "may_decide",
    "open_change",
    "open_removal",
    "open_request",
    "open_role",
    "renew",
    "settle_glass",
    "speaks_for",
    "visible_delegations",
    "visible_requests",
    "waits_for",
]
