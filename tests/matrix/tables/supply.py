"""What is in a version and where it comes from."""

from accounts.roles import Permission as P
from tests.matrix.rules import ASSET, Table, may, public, sees

_CONVERT = may(P.ASSET_EDIT, ok=(409,), values={"name": "m"}, quiet="there is no checkpoint among its files")
SUPPLY: Table = {
    **{
        f"api-{kind}-version-{what}": {"GET": sees(ASSET, values={"name": kind[0]})}
        for kind in ("model", "dataset")
        for what in ("scan", "signature", "bom")
    },
    **{f"{kind}-version-supply": {"GET": sees(ASSET, values={"name": kind[0]})} for kind in ("model", "dataset")},
    "api-model-version-conversion": {
        "GET": sees(ASSET, ok=(404,), values={"name": "m"}),
        "POST": _CONVERT,
    },
    **{
        f"{prefix}{kind}-version-scan-again": {
            "POST": may(
                P.ASSET_EDIT,
                values={"name": kind[0]},
                quiet="its scan has not ended: that is the one that is asked for",
            )
        }
        for kind in ("model", "dataset")
        for prefix in ("", "api-")
    },
    "model-version-convert": {"POST": _CONVERT},
    "api-model-signing-key": {"GET": public()},
}
