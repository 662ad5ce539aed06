"""Stand-ins for database drivers, with as much of DB-API 2.0 as a query needs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Cursor:
    """
    A cursor that returns rows, and keeps what it has executed.

    :param rows: of any type; a function is called with the number of the block.
    :param on_execute: called with each statement, in the thread that executes it.
    """

    def __init__(
        self,
        rows: Sequence[Any] = (),
        names: Sequence[str] = ("email", "city"),
        on_execute: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.description = [(name, None, None, None, None, None, None) for name in names]
        self.executed: list[tuple[Any, ...]] = []
        self.fetched = 0
        self.closed = 0
        self._rows = rows
        self._on_execute = on_execute

    def execute(self, *arguments: Any) -> None:
        self.executed.append(arguments)
        self.fetched = 0
        self._on_execute(arguments[0])

    def fetchmany(self, size: int) -> Sequence[Any]:
        rows = self._rows[self.fetched : self.fetched + size]
        self.fetched += len(rows)
        return rows

    def close(self) -> None:
        self.closed += 1


class Connection:
    """A connection with one cursor. Its state: whether it was committed and closed, and by which thread."""

    def __init__(self, cursor: Any) -> None:
        self.the_cursor = cursor
        self.committed = False
        self.closed_by = ""

    def cursor(self) -> Any:
        return self.the_cursor

    def commit(self) -> None:
        self.committed = True

    def close(self) -> None:
        self.closed_by = threading.current_thread().name


class Hook:
    """A hook that returns connections, one after the other; the last one again and again."""

    def __init__(self, *connections: Any) -> None:
        self._connections = list(connections)
        self.opened_by: list[str] = []

    def get_conn(self) -> Any:
        self.opened_by.append(threading.current_thread().name)
        return self._connections.pop(0) if len(self._connections) > 1 else self._connections[0]

    def get_autocommit(self, connection: Any) -> bool:
        return False
