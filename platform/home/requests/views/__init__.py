"""Pages: the inbox, asking, deciding, and who reviews for whom."""

from home.requests.views.asking import (
    request_choices,
    request_create,
    request_glass,
    request_renew,
    request_role,
)
from home.requests.views.deciding import (
    request_answer,
    request_detail,
    request_people,
    request_review,
    request_settle,
    request_withdraw,
)
from home.requests.views.delegations import delegation_end, delegation_list
from home.requests.views.inbox import request_list

__all__ = [
    "delegation_end",
    "delegation_list",
    "request_answer",
    "request_choices",
    "request_create",
    "request_detail",
    "request_glass",
    "request_list",
    "request_people",
    "request_renew",
    "request_review",
    "request_role",
    "request_settle",
    "request_withdraw",
]
