"""Both clients against one site."""

from pathlib import Path
from typing import Any

import pytest

from tests.clients.driver import ClientProcess
from tests.doors.huggingface.conftest import hub, site
from tests.registry.conftest import storage_root

__all__ = ["hub", "site", "storage_root"]
HERE = Path(__file__).parent


@pytest.fixture
def mlflow(request: Any, cast: Any, api: Any) -> Any:
    """MLflow's client in a process of its own, as Alice."""
    process = ClientProcess(HERE / "client_agree.py", env={"PYTHONPATH": str(HERE.parent / "mlflow")})
    process.call("use", request.getfixturevalue("site").url, api(cast.alice, team=cast.team).key)
    yield process
    process.stop()
