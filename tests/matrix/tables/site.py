"""The site as a whole, and allauth's own pages."""

from tests.matrix.rules import Table, account, public

SITE: Table = {
    "healthz": {"GET": public()},
    "readyz": {"GET": public()},
    "openapi": {"GET": public()},
    "api-docs": {"GET": public()},
    "internal-file": {"GET": public(headers={"authorization": "Bearer {token}"})},
    "home": {"GET": account()},
    "from-mlflow": {"GET": account(ok=(404,))},
    "search": {"GET": account(query="q=m")},
}

# allauth's own pages: whoever is signed in changes their own account, and roles don't come into it.
_ENTRANCE = public(ok=(200, 302, 404, 405), quiet="the form is empty, so nobody signs in or out")
_OWN_ACCOUNT = account(ok=(200, 302, 404), quiet="the form is empty: test_events.py fills it in")
_AWAY = public(ok=(302,), quiet="it sends on to the profile: addresses stay")
_FORM, _READ, _POST = ("GET", "POST", "PUT"), ("GET",), ("GET", "POST")
ALLAUTH: Table = {
    "account_login": dict.fromkeys(_FORM, _ENTRANCE),
    "account_signup": dict.fromkeys(_FORM, _ENTRANCE),
    "account_reset_password": dict.fromkeys(_FORM, _ENTRANCE),
    "account_reset_password_from_key": dict.fromkeys(_FORM, _ENTRANCE),
    "account_confirm_login_code": dict.fromkeys(_FORM, _ENTRANCE),
    "account_confirm_email": dict.fromkeys(_POST, _ENTRANCE),
    "account_email_verification_sent": dict.fromkeys(_POST, _ENTRANCE),
    "account_inactive": dict.fromkeys(_READ, _ENTRANCE),
    "account_reset_password_done": dict.fromkeys(_READ, _ENTRANCE),
    "account_reset_password_from_key_done": dict.fromkeys(_READ, _ENTRANCE),
    "account_email": dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), _AWAY),
    "account_logout": dict.fromkeys(_POST, public(ok=(200, 302))),
    "account_reauthenticate": dict.fromkeys(_FORM, _OWN_ACCOUNT),
    "account_change_password": dict.fromkeys(_FORM, _OWN_ACCOUNT),
    "account_set_password": dict.fromkeys(_FORM, _OWN_ACCOUNT),
    "mfa_index": dict.fromkeys(_READ, _OWN_ACCOUNT),
    "mfa_authenticate": dict.fromkeys(_POST, _ENTRANCE),
    "mfa_reauthenticate": dict.fromkeys(_FORM, _OWN_ACCOUNT),
    "mfa_activate_totp": dict.fromkeys(_FORM, _OWN_ACCOUNT),
    "mfa_deactivate_totp": dict.fromkeys(_FORM, _OWN_ACCOUNT),
    "mfa_view_recovery_codes": dict.fromkeys(_READ, _OWN_ACCOUNT),
    "mfa_generate_recovery_codes": dict.fromkeys(_FORM, _OWN_ACCOUNT),
    "mfa_list_webauthn": dict.fromkeys(_READ, _OWN_ACCOUNT),
    "mfa_add_webauthn": dict.fromkeys(_FORM, _OWN_ACCOUNT),
    "mfa_edit_webauthn": dict.fromkeys(_FORM, _OWN_ACCOUNT),
    "mfa_remove_webauthn": dict.fromkeys((*_FORM, "DELETE"), _OWN_ACCOUNT),
    "mfa_reauthenticate_webauthn": dict.fromkeys(_FORM, _OWN_ACCOUNT),
    "mfa_login_webauthn": dict.fromkeys(_FORM, _ENTRANCE.but(ok=(200, 302, 429))),
    "mfa_download_recovery_codes": dict.fromkeys(_READ, _OWN_ACCOUNT),
}
