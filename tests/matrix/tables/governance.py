"""Policies, requests, the ledger."""

from accounts.roles import Permission as P
from tests.matrix.rules import ASSET, TEAM, Rule, Table, account, anywhere, current, may, sees, site

CARD = {"checks": [{"type": "card"}], "reviews": {"count": 1, "role": "reviewer"}}
RULES = {"check-0-type": "card", "step-0-count": "1", "step-0-party": "role:reviewer", "open_days": "7"}
_DRAFT = {"team": "{team}", "kind": "dataset", "stage": "staging", **CARD}

_ASK = {"kind": "model", "asset": "{team}/m", "version": 3, "alias": "production", "reason": "new"}
_NOT_MINE = ("own:admin", "own:deployer", "root")
REQUESTS: Table = {
    "api-request-list": {"GET": account(), "POST": may(P.REQUEST_CREATE, _ASK)},
    "api-request": {"GET": sees(ASSET)},
    "api-review-list": {"POST": may(P.REQUEST_REVIEW, {"verdict": "approve"})},
    "api-request-withdraw": {
        "POST": may(P.REQUEST_CREATE, never=("own:admin", "own:deployer", "root"), happy="own:contributor"),
    },
    "api-request-counts": {"GET": account()},
    "api-request-removal": {
        "POST": may(P.REQUEST_CREATE, {"kind": "model", "asset": "{team}/n", "alias": "production"}),
    },
    "api-request-role": {
        "POST": may(P.TEAM_MANAGE, {"team": "{team}", "person": "{email}", "role": "auditor"}, see=TEAM),
    },
    "api-request-deployment": {
        "POST": may(
            P.DEPLOYMENT_MANAGE,
            {"team": "{team}", "name": "guarded", "model": "{team}/m", "version": 1, "stage": "staging"},
        ),
    },
    "api-request-break-glass": {"POST": may(P.GLASS_BREAK, {**_ASK, "reason": "the site is down and losing orders"})},
    "api-request-answer": {
        "POST": may(
            P.REQUEST_CREATE,
            {"reason": "new"},
            values={"request_id": "{unsure}"},
            never=_NOT_MINE,
            happy="own:contributor",
        ),
    },
    "api-request-renewal": {
        "GET": sees(ASSET, values={"request_id": "{applied}"}),
        "POST": may(P.REQUEST_CREATE, values={"request_id": "{applied}"}),
    },
    "api-request-glass": {
        "POST": may(P.REQUEST_REVIEW, {"verdict": "confirm", "comment": "new"}, values={"request_id": "{glass}"}),
    },
    "api-delegation-list": {
        "GET": account(),
        "POST": may(
            P.DELEGATION_CREATE,
            {"team": "{team}", "to": "contributor@sesame.example", "starts_at": "{soon}", "ends_at": "{later}"},
            see=TEAM,
            door="page",
        ),
    },
    # Theirs, in a session: of who gave it, of who reviews for them, and of who manages the team.
    "api-delegation-end": {
        "POST": Rule(
            "mine", also=("own:reviewer", "own:viewer", "own:admin", "root"), happy="own:reviewer", door="page"
        ),
    },
    "request-list": {"GET": account()},
    "request-create": {
        "GET": anywhere(P.REQUEST_CREATE),
        "POST": anywhere(P.REQUEST_CREATE, _ASK, foreign=422),
    },
    "request-role": {
        "GET": may(P.TEAM_MANAGE, see=TEAM),
        "POST": may(P.TEAM_MANAGE, {"person": "{email}", "role": "auditor"}, see=TEAM),
    },
    "request-detail": {
        "GET": sees(ASSET),
        "POST": sees(ASSET, quiet="it shows the page, as for a review that was refused"),
    },
    "request-review": {"POST": may(P.REQUEST_REVIEW, {"verdict": "approve"})},
    "request-people": {"GET": sees(ASSET)},
    "request-choices": {"GET": account()},
    "request-glass": {
        "GET": anywhere(P.GLASS_BREAK),
        "POST": anywhere(
            P.GLASS_BREAK,
            {**_ASK, "reason": "the site is down and losing orders", "typed": "{team}/m"},
            foreign=422,
        ),
    },
    "request-answer": {
        "POST": may(
            P.REQUEST_CREATE,
            {"reason": "new"},
            values={"request_id": "{unsure}"},
            never=_NOT_MINE,
            happy="own:contributor",
        ),
    },
    "request-settle": {
        "POST": may(P.REQUEST_REVIEW, {"verdict": "confirm", "comment": "new"}, values={"request_id": "{glass}"}),
    },
    "request-renew": {"POST": may(P.REQUEST_CREATE, values={"request_id": "{applied}"})},
    "delegation-list": {
        "GET": account(),
        "POST": current(
            P.DELEGATION_CREATE,
            {"to": "contributor@sesame.example", "starts_at": "{soon}", "ends_at": "{later}"},
            foreign=422,
            never=("root",),
        ),
    },
    "delegation-end": {
        "POST": Rule("mine", also=("own:reviewer", "own:viewer", "own:admin", "root"), happy="own:reviewer"),
    },
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
    "policy-edit": {
        "GET": sees(TEAM),
        "POST": may(P.POLICY_EDIT, RULES, see=TEAM),
    },
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
    "ledger-erase": {
        "GET": site(),
        "POST": site({"email": "{email}", "reason": "asked", "sure": "on"}, ok=(409,), quiet="nothing is sealed here"),
    },
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
