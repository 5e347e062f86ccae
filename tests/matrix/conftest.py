"""The world, built once for a module and taken back at its end."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Both teams and all callers, inside one transaction: each call after that is undone by a savepoint of its own."""
    from django.conf import settings

    from serving import cluster
    from tests.matrix.world import build  # not above: Django isn't set up yet where this folder is run alone

    patch = pytest.MonkeyPatch()
    patch.setattr(settings, "STORAGE", tmp_path_factory.mktemp("matrix") / "storage")
    # Each caller knocks at each of allauth's doors: more often than one address may in a minute.
    patch.setattr(settings, "ACCOUNT_RATE_LIMITS", False)
    node = cluster.Node("n1", "127.0.0.1", cpus=8, gpus=0, memory_bytes=24 * 1024**3)
    patch.setattr(cluster, "resources", lambda **_: cluster.Resources([node]))
    with django_db_blocker.unblock():
        outer = transaction.atomic()
        outer._from_testcase = True  # type: ignore[attr-defined]  # so that what must be outermost in life may be inner here
        with outer:
            yield build()
            transaction.set_rollback(True)
    patch.undo()
