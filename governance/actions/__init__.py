from governance.actions.evidence import deposit_evidence
from governance.actions.ledger import begin_export, erase_personal_data
from governance.actions.policies import create_policy, remove_policy, update_policy
from governance.actions.requests import (
    check_may_decide,
    mark_applied,
    open_request,
    request_target,
    review,
    seal,
    targets_of,
    withdraw,
)
from governance.actions.views import change_view, remove_view, save_view

__all__ = [
    "begin_export",
    "change_view",
    "check_may_decide",
    "create_policy",
    "deposit_evidence",
    "erase_personal_data",
    "mark_applied",
    "open_request",
    "remove_policy",
    "remove_view",
    "request_target",
    "review",
    "save_view",
    "seal",
    "targets_of",
    "update_policy",
    "withdraw",
]
