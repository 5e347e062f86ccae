"""Changes to requests and reviews. Making the change that was approved is the business of the app that owns it."""

from governance.actions.requests.applying import mark_applied
from governance.actions.requests.common import request_target, seal, targets_of
from governance.actions.requests.glass import ask_for_glass_review, break_glass, settle_glass
from governance.actions.requests.opening import answer_changes, open_change, open_renewal, open_request, withdraw
from governance.actions.requests.reviewing import check_may_decide, review

__all__ = [
    "answer_changes",
    "ask_for_glass_review",
    "break_glass",
    "check_may_decide",
    "mark_applied",
    "open_change",
    "open_renewal",
    "open_request",
    "request_target",
    "review",
    "seal",
    "settle_glass",
    "targets_of",
    "withdraw",
]
