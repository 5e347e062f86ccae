from governance.actions.delegations import delegate, end_delegation
from governance.actions.evidence import deposit_evidence
from governance.actions.ledger import begin_export, erase_personal_data
from governance.actions.policies import apply_change, create_policy, remove_policy, update_policy
from governance.actions.policy_requests import ask_for_policy
from governance.actions.requests import (
    answer_changes,
    ask_for_glass_review,
    break_glass,
    check_may_decide,
    mark_applied,
    open_change,
    open_renewal,
    open_request,
    request_target,
    review,
    seal,
    settle_glass,
    targets_of,
    withdraw,
)
from governance.actions.views import change_view, remove_view, save_view

__all__ = [
    "answer_changes",
    "apply_change",
    "ask_for_glass_review",
    "ask_for_policy",
    "begin_export",
    "break_glass",
    "change_view",
    "check_may_decide",
    "create_policy",
    "delegate",
    "deposit_evidence",
    "end_delegation",
    "erase_personal_data",
    "mark_applied",
    "open_change",
    "open_renewal",
    "open_request",
    "remove_policy",
    "remove_view",
    "request_target",
    "review",
    "save_view",
    "seal",
    "settle_glass",
    "targets_of",
    "update_policy",
    "withdraw",
]
