"""The MLflow door. Its names are those of the key's team, so that nobody ever names another team's thing: to whoever does not
see it, it is not there."""

from tests.matrix.rules import Table, account, public

_NOWHERE = account(ok=(404,), quiet="there is no such address")
MLFLOW: Table = {
    "mlflow-version": {"GET": public()},
    "mlflow-server-info": {"GET": public()},
    **dict.fromkeys(
        ("mlflow-unknown", "mlflow-unknown-3"), dict.fromkeys(("DELETE", "GET", "PATCH", "POST", "PUT"), _NOWHERE)
    ),
}
