"""Policies, requests, the ledger."""

from datetime import UTC, datetime, timedelta

from accounts.roles import Permission as P
from tests.matrix.rules import ASSET, TEAM, Table, account, anywhere, current, may, sees, site

CARD = {"checks": [{"type": "card"}], "reviews": {"count": 1, "role": "reviewer"}}
RULES = {"check-0-type": "card", "step-0-count": "1", "step-0-party": "role:reviewer", "open_days": "7"}
_DRAFT = {"team": "{team}", "kind": "dataset", "stage": "staging", **CARD}

_ASK = {"kind": "model", "asset": "{team}/m", "version": 3, "alias": "production", "reason": "new"}
_WHY = "this cannot wait for a review"
_FREE = {"ok": (400,), "quiet": "nothing guards it in this world, and that is said"}
_SOON = datetime.now(UTC) + timedelta(days=2)
_MORE: Table = {
    "api-request-counts": {"GET": account()},
    "api-request-removal": {
        "POST": may(
            P.REQUEST_CREATE,
            {"kind": "model", "asset": "{team}/m", "alias": "production"},
            ok=(404,), quiet="there is nothing at that alias",
        )
    },
    "api-request-role": {
        "POST": may(P.TEAM_MANAGE, {"team": "{team}", "person": "{email}", "role": "deployer"}, see=TEAM, **_FREE)
    },
    "api-request-deployment": {
        "POST": may(P.DEPLOYMENT_MANAGE, {"team": "{team}", "name": "dep", "num_gpus": 1}, see=P.DEPLOYMENT_VIEW, **_FREE)
    },
    "api-request-break-glass": {"POST": may(P.GLASS_BREAK, {**_ASK, "reason": _WHY}, happy="own:admin")},
    "api-request-answer": {
        "POST": may(
            P.REQUEST_CREATE, {"reason": "done"}, never=("own:admin", "own:deployer", "root"), happy="own:contributor",
            ok=(409,), quiet="nobody asked for changes",
        ),
    },
    "api-request-renewal": {
        "GET": sees(ASSET),
        "POST": may(P.REQUEST_CREATE, ok=(409,), quiet="an open request is not renewed"),
    },
    "api-request-glass": {
        "POST": may(
            P.REQUEST_REVIEW, {"verdict": "confirm", "comment": "seen"}, ok=(409,), quiet="no glass was broken"
        )
    },
    # A colleague's, who reads who reviews for whom by a session: keys hand over no reviewing.
    "api-delegation-list": {
        "GET": account(),
        "POST": may(
            P.DELEGATION_CREATE,
            {"team": "{team}", "to": "{email}", "starts_at": _SOON.isoformat(), "ends_at": (_SOON + timedelta(days=1)).isoformat()},
            see=TEAM, door="page",
        ),
    },
    "api-delegation-end": {
        "POST": may(P.TEAM_MANAGE, see=P.TEAM_MANAGE, door="page", also=("own:reviewer", "own:auditor")),
    },
}  # fmt: skip
REQUESTS: Table = {
    "api-request-list": {"GET": account(), "POST": may(P.REQUEST_CREATE, _ASK)},
    "api-request": {"GET": sees(ASSET)},
    "api-review-list": {"POST": may(P.REQUEST_REVIEW, {"verdict": "approve"})},
    "api-request-withdraw": {
        "POST": may(P.REQUEST_CREATE, never=("own:admin", "own:deployer", "root"), happy="own:contributor"),
    },
    **_MORE,
    "request-list": {"GET": account()},
    "request-create": {
        "GET": anywhere(P.REQUEST_CREATE),
        "POST": anywhere(P.REQUEST_CREATE, _ASK, foreign=422),
    },
    "request-detail": {
        "GET": sees(ASSET),
        "POST": sees(ASSET, quiet="it shows the page, as for a review that was refused"),
    },
    "request-review": {"POST": may(P.REQUEST_REVIEW, {"verdict": "approve"}, refused=409)},
    "request-withdraw": {
        "POST": may(P.REQUEST_CREATE, never=("own:admin", "own:deployer", "root"), happy="own:contributor"),
    },
}

# The auditor's, shared: whoever reads the ledger sees it, its owner changes it, and whoever manages the team removes it too.
_SHARED_VIEW = sees(P.LEDGER_VIEW)
GOVERNANCE: Table = {
    "api-policy-list": {
        "GET": account(),
        "POST": may(P.POLICY_EDIT, {"team": "{team}", "kind": "dataset", "stage": "staging", **CARD}, see=TEAM),
    },
    "api-policy": {
        "GET": sees(TEAM),
        "PUT": may(P.POLICY_EDIT, {**CARD, "terms": {"open_days": 7}}, see=TEAM),
        "DELETE": may(P.POLICY_EDIT, see=TEAM),
    },
    "api-policy-version-list": {"GET": sees(TEAM)},
    "api-policy-diff": {"GET": sees(TEAM, query="from=1&to=1")},
    "api-policy-dry-run": {
        "POST": may(P.POLICY_EDIT, _DRAFT, see=TEAM, quiet="it judges the past and changes nothing")
    },
    "api-policy-change": {
        "POST": may(P.POLICY_EDIT, {"action": "create", **_DRAFT}, see=TEAM, ok=(400,), quiet="nothing guards it here")
    },
    "api-evidence-list": {"GET": account(query="digest=sha256:none")},
    "policy-list": {"GET": account()},
    "policy-create": {
        "GET": current(P.POLICY_EDIT),
        "POST": current(P.POLICY_EDIT, {"kind": "dataset", "pattern": "*", "stage": "staging", **RULES}),
    },
    "policy-edit": {"GET": sees(TEAM), "POST": may(P.POLICY_EDIT, RULES, see=TEAM)},
    "policy-remove": {"POST": may(P.POLICY_EDIT, see=TEAM)},
    "api-ledger": {"GET": anywhere(P.LEDGER_VIEW)},
    "api-event": {"GET": anywhere(P.LEDGER_VIEW, foreign=404)},
    "api-proof": {"GET": anywhere(P.LEDGER_VIEW, foreign=404, ok=(409,))},
    "api-checkpoint": {"GET": account(ok=(404,))},  # nothing is sealed before it is committed, and this world never is
    "api-checkpoint-list": {"GET": account()},
    "api-checkpoint-text": {"GET": account()},
    "api-consistency": {"GET": account(query="from=0&to=0")},
    "api-ledger-keys": {"GET": account()},
    "api-ledger-status": {"GET": anywhere(P.LEDGER_VIEW)},
    "api-ledger-export": {"GET": anywhere(P.LEDGER_EXPORT, records="ledger.exported")},
    "api-ledger-verifier": {"GET": account()},
    # Its events are not sealed here, and only sealed ones lose texts; tests/governance/ledger does it for good.
    "api-ledger-erasures": {
        "POST": site({"email": "{email}", "reason": "asked for"}, ok=(409,), quiet="nothing is sealed here")
    },
    "api-signing-key": {"GET": account()},
    "ledger-list": {"GET": anywhere(P.LEDGER_VIEW)},
    "event-detail": {"GET": anywhere(P.LEDGER_VIEW, foreign=404)},
    "ledger-newer": {"GET": anywhere(P.LEDGER_VIEW)},
    "ledger-integrity": {"GET": anywhere(P.LEDGER_VIEW)},
    "saved-view-list": {
        "GET": anywhere(P.LEDGER_VIEW),
        "POST": anywhere(P.LEDGER_VIEW, {"name": "new", "query": "action=request"}),
    },
    "saved-view-change": {"POST": _SHARED_VIEW.but(body={"name": "new"}, never=("own:admin", "root"))},
    "saved-view-remove": {"POST": _SHARED_VIEW},
    "api-saved-view-list": {
        "GET": account(),
        "POST": may(P.LEDGER_VIEW, {"team": "{team}", "name": "new", "query": "action=request"}, see=TEAM),
    },
    "api-saved-view": {
        "GET": _SHARED_VIEW,
        "PATCH": _SHARED_VIEW.but(body={"name": "new"}, never=("own:admin", "root")),
        "DELETE": _SHARED_VIEW,
    },
    "ledger-life": {"GET": anywhere(P.LEDGER_VIEW, foreign=404)},
}
