"""People, teams, keys; what they are told."""

from typing import Any

from accounts.roles import Permission as P
from tests.matrix.rules import (
    TEAM,
    Rule,
    Table,
    account,
    current,
    may,
    sees,
    site,
)

_GRANT: Any = {"person": "{email}", "role": "contributor"}
_KEY = {"name": "new", "scopes": ["read"]}
_ROLE = {"slug": "fresh", "permissions": ["asset.view"]}
_NO_SESSION = "nobody signed in by the form here, so that no session ends: tests/accounts/test_sessions.py does it"
ACCOUNTS: Table = {
    "api-me": {"GET": account()},
    "api-team-list": {"GET": account(), "POST": site({"name": "fresh"})},
    "api-member-list": {"GET": sees(TEAM), "POST": may(P.TEAM_MANAGE, _GRANT, see=TEAM)},
    "api-member": {"DELETE": may(P.TEAM_MANAGE, see=TEAM)},
    "api-service-account-list": {"POST": may(P.TEAM_MANAGE, {"name": "fresh", "role": "viewer"}, see=TEAM)},
    "api-person-list": {
        "GET": account(),
        "POST": site({"email": "fresh@example.com", "name": "Fresh", "password": "a-long-first-password"}),
    },
    "api-key-list": {"GET": account(), "POST": account(_KEY, door="page")},
    "api-key": {
        "GET": sees(P.TEAM_MANAGE),
        "PATCH": sees(P.TEAM_MANAGE, body={"networks": ["127.0.0.0/8"]}, door="page"),
        "DELETE": sees(P.TEAM_MANAGE),
    },
    "api-key-rotate": {"POST": sees(P.TEAM_MANAGE, body={"overlap_s": 60}, door="page")},
    "api-permission-list": {"GET": account()},
    "api-grant-list": {"GET": sees(TEAM)},
    "api-grant": {"GET": sees(TEAM), "DELETE": may(P.TEAM_MANAGE, see=TEAM)},
    "api-role-list": {"GET": sees(TEAM), "POST": may(P.TEAM_MANAGE, _ROLE, see=TEAM)},
    "api-role": {
        "GET": sees(TEAM),
        "PATCH": may(P.TEAM_MANAGE, {"title": "New"}, see=TEAM),
        "DELETE": may(P.TEAM_MANAGE, see=TEAM),
    },
    "api-group-list": {"GET": sees(TEAM), "POST": may(P.TEAM_MANAGE, {"slug": "fresh"}, see=TEAM)},
    "api-group": {
        "GET": sees(TEAM),
        "PATCH": may(P.TEAM_MANAGE, {"title": "New"}, see=TEAM),
        "DELETE": may(P.TEAM_MANAGE, see=TEAM),
    },
    "api-group-member-list": {"POST": may(P.TEAM_MANAGE, {"person": "{email}"}, see=TEAM)},
    "api-group-member": {"DELETE": may(P.TEAM_MANAGE, see=TEAM, values={"email": "{grouped}"})},
    "api-access-who": {"GET": sees(TEAM, query="permission=asset.view&on={team}")},
    "api-access-what": {"GET": account()},
    "api-session-list": {"GET": account(), "DELETE": account(quiet=_NO_SESSION)},
    "api-session": {"DELETE": account(ok=(404,), quiet="the session is nobody's")},
    "api-person-session-list": {"GET": site(), "DELETE": site(quiet=_NO_SESSION)},
    "settings-profile": {"GET": account(), "POST": account({"name": "New"})},
    "settings-keys": {"GET": account(), "POST": account({**_KEY, "lifetime": "30"})},
    "key-revoke": {"POST": sees(P.TEAM_MANAGE)},
    "key-rotate": {"POST": sees(P.TEAM_MANAGE, body={"overlap_s": "3600"})},
    "settings-sessions": {"GET": account()},
    "session-revoke": {"POST": account(ok=(404,), quiet="the session is nobody's")},
    "session-revoke-others": {"POST": account(quiet=_NO_SESSION)},
    "grant-revoke": {"POST": may(P.TEAM_MANAGE, see=TEAM)},
    "role-list": {"GET": sees(TEAM), "POST": may(P.TEAM_MANAGE, _ROLE, see=TEAM)},
    "role-edit": {
        "GET": may(P.TEAM_MANAGE, see=TEAM),
        "POST": may(P.TEAM_MANAGE, {"title": "New", "permissions": ["asset.view"]}, see=TEAM),
    },
    "role-archive": {"POST": may(P.TEAM_MANAGE, see=TEAM)},
    "group-list": {"GET": sees(TEAM), "POST": may(P.TEAM_MANAGE, {"slug": "fresh"}, see=TEAM)},
    "group-delete": {"POST": may(P.TEAM_MANAGE, see=TEAM)},
    "group-member-add": {"POST": may(P.TEAM_MANAGE, {"person": "{email}"}, see=TEAM)},
    "group-member-remove": {"POST": may(P.TEAM_MANAGE, see=TEAM, values={"email": "{grouped}"})},
    "access-who": {"GET": sees(TEAM, query="permission=asset.view&on={team}")},
    "access-what": {"GET": account()},
    "person-detail": {"GET": site()},
    "person-sign-out": {"POST": site(quiet=_NO_SESSION)},
    "settings-team": {"GET": account(ok=(200, 302))},
    "role-grant": {"POST": may(P.TEAM_MANAGE, _GRANT, see=TEAM)},
    "role-revoke": {"POST": may(P.TEAM_MANAGE, see=TEAM)},
    "service-account-create": {
        "POST": may(P.TEAM_MANAGE, {"service-name": "fresh", "service-role": "viewer"}, see=TEAM),
    },
    "service-key-create": {"POST": may(P.TEAM_MANAGE, {"name": "new"}, see=TEAM, values={"email": "{robot}"})},
    "settings-people": {"GET": site()},
    "person-create": {
        "GET": site(),
        "POST": site({"email": "fresh@example.com", "name": "Fresh", "password": "a-long-first-password"}),
    },
    "person-activate": {"POST": site({"active": "0"})},
    "team-create": {"GET": site(), "POST": site({"name": "fresh"})},
}

_HOOK = {"url": "https://93.184.216.34/hook", "events": ["request.*"], "description": "new"}
_OWN_NOTICES = "what somebody has read is their own business"


def hook(body: Any = None, **more: Any) -> Rule:
    return may(P.WEBHOOK_MANAGE, body, see=TEAM, **more)


NOTIFICATIONS: Table = {
    "api-webhook-list": {"GET": hook(), "POST": hook(_HOOK)},
    "api-webhook-event-types": {"GET": account()},
    "api-webhook": {"GET": hook(), "PATCH": hook({"description": "new"}), "DELETE": hook()},
    "api-webhook-secret": {"POST": hook({"overlap_s": 60})},
    "api-webhook-test": {"POST": hook()},
    "api-delivery-list": {"GET": hook()},
    "api-deliveries-resend": {"POST": hook({"since": "2026-01-01T00:00:00Z"})},
    "api-delivery": {"GET": hook()},
    "api-delivery-resend": {"POST": hook()},
    "api-notice-list": {"GET": account()},
    "api-notices-read": {"POST": account({}, quiet=_OWN_NOTICES)},
    "api-notice-preferences": {
        "GET": account(),
        "PUT": account({"preferences": [{"kind": "mention", "by_mail": False, "on_page": False}]}),
    },
    "webhook-list": {"GET": current(P.WEBHOOK_MANAGE, unseen=302)},
    "webhook-create": {
        "GET": current(P.WEBHOOK_MANAGE, unseen=302),
        "POST": current(P.WEBHOOK_MANAGE, _HOOK, unseen=302),
    },
    "webhook-detail": {"GET": hook()},
    "webhook-edit": {"GET": hook(), "POST": hook({**_HOOK, "url": "https://93.184.216.34/other"})},
    "webhook-enable": {"POST": hook({"on": "0"})},
    "webhook-rotate": {"POST": hook({"overlap": "0"})},
    "webhook-remove": {"POST": hook()},
    "webhook-test": {"POST": hook()},
    "deliveries-resend": {"POST": hook({"hours": "24"})},
    "delivery-detail": {"GET": hook()},
    "delivery-resend": {"POST": hook()},
    "settings-notifications": {"GET": account(), "POST": account({})},
    "notice-list": {"GET": account()},
    "notices-read": {"POST": account({}, quiet=_OWN_NOTICES)},
    "notice-open": {"GET": Rule("mine", also=("own:reviewer",), ok=(302,))},
}
