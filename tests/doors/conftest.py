"""What tests of several doors share."""

from collections.abc import Callable
from typing import Any

import pytest

from prompts import hot, uses


@pytest.fixture
def nothing_kept():
    """No answers and no counts of an earlier test."""
    hot.kept.clear()
    uses._counts.clear()
    yield
    uses._counts.clear()


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """both(module, client, address, …): the quick answer of doors.….hot (None where it leaves the request to the view), and the view's."""

    def ask(module: Any, client: Any, address: str, fields: Any = None, **headers: str) -> tuple[Any, Any]:
        client.get(
            address, fields, headers=headers
        )  # a key's first use from an address goes the ordinary way, which notes it
        answers: list[Any] = []
        with monkeypatch.context() as patch:
            real = module.answer
            patch.setattr(module, "answer", lambda request: answers.append(real(request)))
            slow = client.get(address, fields, headers=headers)
        return answers[0], slow

    return ask
