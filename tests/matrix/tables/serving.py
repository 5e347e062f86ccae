"""Deployments, evaluations."""

from accounts.roles import Permission as P
from tests.matrix.rules import ASSET, DEPLOYMENT, NO_CHANGE, Table, account, anywhere, current, may, sees

_DEP, _HALTED = {"name": "dep"}, {"name": "halted"}
_NEW = {"team": "{team}", "name": "fresh", "model": "{team}/m", "version": 1, "stage": "development"}
MANAGE, INVOKE = P.DEPLOYMENT_MANAGE, P.MODEL_INVOKE
SERVING: Table = {
    "api-deployment-list": {"GET": account(), "POST": may(MANAGE, _NEW, see=ASSET)},
    "api-deployment-detail": {
        "GET": sees(DEPLOYMENT, values=_DEP),
        "PATCH": may(MANAGE, {"replicas": 2}, see=DEPLOYMENT, values=_DEP),
        "DELETE": may(MANAGE, see=DEPLOYMENT, values=_HALTED),
    },
    "api-deployment-prices": {
        "PUT": may(MANAGE, {"input_per_million": "0.5", "output_per_million": "2"}, see=DEPLOYMENT, values=_DEP)
    },
    "api-deployment-stop": {"POST": may(MANAGE, see=DEPLOYMENT, values=_DEP)},
    "api-deployment-start": {"POST": may(MANAGE, see=DEPLOYMENT, values=_HALTED)},
    "api-deployment-logs": {"GET": sees(DEPLOYMENT, values=_DEP)},
    "api-deployment-revisions": {"GET": sees(DEPLOYMENT, values=_DEP)},
    "api-cluster": {"GET": account()},
    "deployment-list": {"GET": account()},
    "deployment-create": {
        "GET": current(MANAGE),
        "POST": current(
            MANAGE,
            {"model": "{team}/m", "version": 1, "name": "fresh", "replicas": 1, "engine": "transformers"},
            query="stage=development",
        ),
    },
    **{f"deployment-{tab}": {"GET": sees(DEPLOYMENT, values=_DEP)} for tab in ("detail", "live", "logs", "history")},
    "deployment-revisions": {
        "GET": sees(DEPLOYMENT, values=_DEP),
        "POST": may(MANAGE, {"version": 3, "engine": "transformers"}, see=DEPLOYMENT, values=_DEP),
    },
    "deployment-scale": {"POST": may(MANAGE, {"replicas": 2}, see=DEPLOYMENT, values=_DEP)},
    "deployment-prices": {
        "POST": may(MANAGE, {"input_price": "0.5", "output_price": "2"}, see=DEPLOYMENT, values=_DEP)
    },
    "deployment-stop": {"POST": may(MANAGE, see=DEPLOYMENT, values=_DEP)},
    "deployment-start": {"POST": may(MANAGE, see=DEPLOYMENT, values=_HALTED)},
    "deployment-delete": {"POST": may(MANAGE, {"confirm": "halted"}, see=DEPLOYMENT, values=_HALTED)},
    "deployment-try": {
        "POST": may(
            INVOKE,
            {"prompt": "x", "max_tokens": 1, "temperature": 0},
            see=DEPLOYMENT,
            values=_DEP,
            ok=(409, 503),
            quiet=NO_CHANGE,
        ),
    },
    "deployment-compare": {
        "POST": may(
            INVOKE, {"first": "x", "second": "y"}, see=DEPLOYMENT, values=_DEP, ok=(400, 409, 422, 503), quiet=NO_CHANGE
        ),
    },
}

_EVALUATE = {"model": "{team}/m", "version": 1, "dataset": "{team}/d", "dataset_version": 1}
_EVALUATE_FORM = {**_EVALUATE, "max_tokens": 8, "temperature": 0, "input_field": "input", "expected_field": "expected"}
EVALUATIONS: Table = {
    "api-evaluations": {"GET": account(), "POST": may(P.EVALUATION_RUN, _EVALUATE)},
    "api-evaluation": {"GET": sees(ASSET)},
    "api-evaluation-examples": {"GET": sees(ASSET)},
    "api-evaluation-cancel": {"POST": may(P.EVALUATION_RUN)},
    "evaluation-list": {"GET": account()},
    "evaluation-create": {
        "GET": anywhere(P.EVALUATION_RUN),
        "POST": anywhere(P.EVALUATION_RUN, _EVALUATE_FORM, foreign=422),
    },
    "evaluation-choices": {"GET": account()},
    "evaluation-detail": {"GET": sees(ASSET)},
    "evaluation-live": {"GET": sees(ASSET)},
    "evaluation-cancel": {"POST": may(P.EVALUATION_RUN)},
}
