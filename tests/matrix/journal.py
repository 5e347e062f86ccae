"""What a call wrote, by the transactions in which it would have been written were it not for the test's own."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

_WRITES = re.compile(
    r'\b(INSERT INTO|DELETE FROM|(?<!FOR )(?<!FOR NO KEY )UPDATE(?=\s+"?\w+"?\s+(?:AS\s+\w+\s+)?SET))\s+"?(\w+)"?',
    re.IGNORECASE,
)
_SET = re.compile(r"SET\s+(.*?)(?:\s+WHERE\b|\s+FROM\b|\s+RETURNING\b|$)", re.IGNORECASE | re.DOTALL)
_COLUMN = re.compile(r'"(\w+)"\s*=')
LEDGER = "ledger_auditevent"


@dataclass(frozen=True)
class Write:
    verb: str
    table: str
    columns: frozenset[str]
    values: tuple[Any, ...]


@dataclass
class Journal:
    """`transactions`: what was written and kept, one list for each outermost transaction of the code under test."""

    transactions: list[list[Write]] = field(default_factory=list)
    _open: list[list[Write]] = field(default_factory=list)

    @property
    def writes(self) -> list[Write]:
        return [write for writes in self.transactions for write in writes]

    _stopped: bool = False

    def stop(self) -> None:
        """What comes now is the test's own."""
        self._stopped = True

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is written in here sets the stage."""
        self._stopped = True
        yield
        self._stopped = False

    def wrote(self, table: str) -> bool:
        return any(write.table == table for write in self.writes)

    def _note(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if self._stopped:
            return result
        word = sql.split(None, 1)[0].upper() if sql.strip() else ""
        if word == "SAVEPOINT":
            self._open.append([])
        elif sql.startswith("RELEASE SAVEPOINT"):
            done = self._open.pop()
            if self._open:
                self._open[-1].extend(done)
            elif done:
                self.transactions.append(done)
        elif sql.startswith("ROLLBACK TO SAVEPOINT"):
            self._open[-1].clear()
        elif found := list(_read(sql, params, context)):
            if self._open:
                self._open[-1].extend(found)
            else:
                self.transactions.append(found)
        return result


def _read(sql: str, params: Any, context: Any) -> Iterator[Write]:
    for verb, table in _WRITES.findall(sql):
        if context["cursor"].rowcount == 0:
            continue  # it would have, but there was no such row
        columns = _COLUMN.findall(_SET.search(sql)[1]) if verb.upper() == "UPDATE" and _SET.search(sql) else []  # type: ignore[index]
        yield Write(verb.split()[0].upper(), table, frozenset(columns), tuple(params or ()))


@contextmanager
def journal() -> Iterator[Journal]:
    """Follow every statement of this connection."""
    found = Journal()
    with connection.execute_wrapper(found._note):
        yield found
