"""Uploads and what the storage says of itself."""

from accounts.roles import Permission as P
from tests.matrix.rules import TEAM, Rule, Table, may, site

_MINE = ("own:contributor",)
_NOT_YET = "bytes on their way: they are governed from when a version takes them, which is an event"

STORAGE: Table = {
    "api-storage": {"GET": site()},
    "settings-storage": {"GET": site()},
    "api-uploads": {"POST": may(P.ASSET_EDIT, {"team": "{team}", "size": 3}, see=TEAM, quiet=_NOT_YET)},
    "api-upload": {"GET": Rule("mine", also=_MINE), "DELETE": Rule("mine", also=_MINE, quiet=_NOT_YET)},
    "api-upload-complete": {"POST": Rule("mine", values={"upload": "{done}"}, also=_MINE, quiet=_NOT_YET)},
    # With a part's signature no key is needed: tests/registry/test_uploads.py.
    "api-upload-part": {"PUT": Rule("mine", body=b"abc", values={"number": 1}, also=_MINE, quiet=_NOT_YET)},
}
