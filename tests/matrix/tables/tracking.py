"""Experiments and runs."""

from accounts.roles import Permission as P
from tests.matrix.rules import ASSET, TEAM, Table, account, current, may, sees

_POINTS = {"metrics": [{"key": "loss", "step": 1, "value": 0.5}]}
_GONE_RUN, _GONE_EXPERIMENT = {"run_id": "{gone_run}"}, {"experiment_id": "{gone_experiment}"}
_LEFT = "what a run leaves; a version that is made of it is an event"
TRACKING: Table = {
    "api-experiments": {
        "GET": account(),
        "POST": may(P.RUN_CREATE, {"team": "{team}", "name": "fresh"}, see=TEAM),
    },
    "api-experiment": {
        "GET": sees(ASSET),
        "PATCH": may(P.RUN_CREATE, {"name": "another"}),
        "DELETE": may(P.RUN_CREATE),
    },
    "api-experiment-restore": {"POST": may(P.RUN_CREATE, values=_GONE_EXPERIMENT)},
    "api-runs": {"GET": account(), "POST": may(P.RUN_CREATE, {"team": "{team}", "name": "fresh"}, see=TEAM)},
    "api-run": {
        "GET": sees(ASSET),
        "PATCH": may(P.RUN_CREATE, {"state": "running", "step": 5}),
        "DELETE": may(P.RUN_CREATE),
    },
    "api-run-restore": {"POST": may(P.RUN_CREATE, values=_GONE_RUN)},
    "api-run-metrics": {
        "GET": sees(ASSET),
        "POST": may(P.RUN_CREATE, _POINTS, quiet="measurements that a run reports; its start and end are events"),
    },
    "api-run-artifacts": {"GET": sees(ASSET)},
    "api-run-artifact": {
        "GET": sees(ASSET),
        "PUT": may(P.RUN_CREATE, b"new", values={"path": "new.txt"}, quiet=_LEFT),
        "DELETE": may(P.RUN_CREATE, ok=(204,), quiet=_LEFT),
    },
    "experiment-list": {"GET": account()},
    "experiment-new": {"GET": account(ok=(302,)), "POST": current(P.RUN_CREATE, {"name": "fresh"})},
    "experiment-detail": {"GET": sees(ASSET)},
    "experiment-delete": {"POST": may(P.RUN_CREATE)},
    "experiment-restore": {"POST": may(P.RUN_CREATE, values=_GONE_EXPERIMENT)},
    "run-compare": {"GET": account()},
    "logged-model": {"GET": sees(ASSET)},
    "run-metric": {"GET": sees(ASSET)},
    "run-files": {"GET": sees(ASSET)},
    "run-delete": {"POST": may(P.RUN_CREATE)},
    "run-restore": {"POST": may(P.RUN_CREATE, values=_GONE_RUN)},
    "run-list": {"GET": account()},
    "run-detail": {"GET": sees(ASSET)},
    "run-live": {"GET": sees(ASSET)},
    "run-cancel": {"POST": may(P.RUN_CREATE)},
}
