"""The rows of a query. A thread of its own reads them, so that the caller can be interrupted while it waits."""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.messages import quoted
from airflow_provider_envoke.exceptions import EnvokeError, EnvokeSyncError
from airflow_provider_envoke.payload.columns import column_names, row_as_dict
from airflow_provider_envoke.transfers._drivers import FETCH_ROWS, canceller, open_cursors
from airflow_provider_envoke.transfers._failures import query_failed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

log = logging.getLogger(__name__)

#: How many blocks of rows are read ahead.
BLOCKS_AHEAD = 4

#: How long a stopped query may take to end. Airflow 3 kills a task 5 s after SIGTERM.
STOP_S = 3.0

_CHECK_EVERY_S = 0.2


class QueryRows:
    """
    A query's rows as dicts, column name -> value. Each iteration opens a connection and runs the query again.

    If the iteration ends early, for whatever reason, the query is cancelled in the database.

    Its state is whether :meth:`cancel` was called.

    :param hook: a ``DbApiHook``, whose ``get_conn`` returns a DB-API 2.0 connection.
    :param conn_id: the connection's id, for messages.
    :param statements: the query is the last one; those before it run first, in the same transaction, which is
        committed after the last row.
    :param parameters: the query's.
    """

    have_same_columns = True  # as all rows of a query

    def __init__(self, hook: Any, conn_id: str, statements: Sequence[str], parameters: Any = None) -> None:
        self._hook = hook
        self._conn_id = conn_id
        self._statements = statements
        self._parameters = parameters
        self._cancelled = False

    def cancel(self) -> None:
        """End the query soon. May be called from another thread or a signal handler."""
        # A plain attribute: a signal handler that takes a lock waits for the thread that it has interrupted.
        self._cancelled = True

    def __iter__(self) -> Generator[dict[str, Any], None, None]:
        """Yield the rows. A failure of the database becomes an EnvokeSyncError without values of rows."""
        self._check_cancelled()
        count = 0
        reader = _Reader(self._hook, self._statements, self._parameters)
        try:
            for block in reader.blocks(self._check_cancelled):
                count += len(block)
                yield from block
        finally:
            reader.stop(self._conn_id)
        self._check_cancelled()
        if isinstance(reader.error, EnvokeError):
            raise reader.error
        if reader.error is not None:
            read = count if reader.is_connected else None
            raise query_failed(reader.error, self._conn_id, self._statements, self._parameters, read)

    def _check_cancelled(self) -> None:
        if self._cancelled:
            raise EnvokeSyncError(
                f"The query of the connection {quoted(self._conn_id)} (sql_conn_id) was stopped before its end. "
                "Nothing was sent to Envoke. Run it again."
            )


class _Reader:
    """
    Runs a query in a thread of its own, which opens the connection and closes it: some belong to a thread.

    Its state: the blocks that were read, the permits to read more, what cancels the query until its cursors are
    closed, whether the thread was started, is connected, is to stop and has ended, and the error that ended it.
    """

    def __init__(self, hook: Any, statements: Sequence[str], parameters: Any) -> None:
        self._hook = hook
        self._statements = statements
        self._parameters = parameters
        # Simple queues, not one with a bound: its lock stays locked if a signal raises at the wrong moment.
        self._blocks: SimpleQueue[list[dict[str, Any]] | None] = SimpleQueue()
        self._permits: SimpleQueue[None] = SimpleQueue()
        self._cancel: Callable[[], object] | None = None
        self._cancelling = threading.Lock()  # nothing is closed meanwhile
        self._started = False
        self._stopping = False
        self._ended = threading.Event()
        self.is_connected = False
        self.error: BaseException | None = None

    def blocks(self, while_waiting: Callable[[], None]) -> Iterator[list[dict[str, Any]]]:
        """
        Read the query, and yield its rows in blocks, until its end or its :attr:`error`.

        :param while_waiting: called several times a second, and for each block; what it raises ends the waiting.
        """
        for _ in range(BLOCKS_AHEAD):
            self._permits.put(None)
        self._started = True
        _start_thread(self._run, "envoke-query")
        while True:
            while_waiting()
            try:
                block = self._blocks.get(timeout=_CHECK_EVERY_S)
            except Empty:
                continue
            if block is None:
                return
            yield block
            self._permits.put(None)

    def stop(self, conn_id: str) -> None:
        """Cancel the query unless it has ended, and wait a few seconds for its end."""
        if not self._started or self._ended.is_set():
            return
        self._stopping = True
        self._permits.put(None)
        log.info("Cancelling the query of the connection %s in the database.", quoted(conn_id))
        with suppress(RuntimeError):  # no thread can be started when Python ends
            _start_thread(self._cancel_until_ended, "envoke-cancel")
        deadline_s = time.monotonic() + STOP_S
        while not self._ended.is_set() and time.monotonic() < deadline_s:
            with suppress(Empty):
                self._blocks.get(timeout=_CHECK_EVERY_S)
        if not self._ended.is_set():
            log.warning(
                "The query of the connection %s did not end within %g s. The database may still be running it.",
                quoted(conn_id),
                STOP_S,
            )

    def _cancel_until_ended(self) -> None:
        """Cancel what the connection does, repeatedly: between two statements a cancellation has no effect."""
        deadline_s = time.monotonic() + STOP_S
        while not self._ended.wait(_CHECK_EVERY_S / 2) and time.monotonic() < deadline_s:
            with self._cancelling:
                self._cancel_query()

    def _cancel_query(self) -> None:
        try:
            if self._cancel is not None:
                self._cancel()
        except Exception as error:  # drivers raise anything, for example if the query has just ended
            log.debug("The query could not be cancelled (%s).", type(error).__name__)

    def _run(self) -> None:
        try:
            self._read()
        except BaseException as error:  # the caller's thread reports it
            self.error = error
        self._ended.set()
        self._blocks.put(None)

    def _read(self) -> None:
        with _closing(self._hook.get_conn()) as connection:
            self.is_connected = True
            cursors = open_cursors(connection)
            self._cancel = canceller(self._hook, connection, cursors[-1])
            finished = False
            try:
                finished = self._run_statements(cursors[0], cursors[-1])
            finally:
                self._close(cursors, finished=finished)
            if not (self._stopping or self._hook.get_autocommit(connection)):
                connection.commit()

    def _close(self, cursors: Sequence[Any], *, finished: bool) -> None:
        """Close the cursors. Before that, cancel an unfinished query: MySQL's cursors would read all its rows."""
        with self._cancelling, ExitStack() as stack:
            if not finished:
                self._cancel_query()
            self._cancel = None
            for cursor in cursors:
                stack.enter_context(_closing(cursor))

    def _run_statements(self, preamble: Any, query: Any) -> bool:
        """Return whether all rows were read."""
        for statement in self._statements[:-1]:
            if self._stopping:
                return False
            preamble.execute(statement)
            while preamble.description and preamble.fetchmany(FETCH_ROWS):  # unread rows block the next statement
                pass
        if self._stopping:
            return False
        if self._parameters:
            query.execute(self._statements[-1], self._parameters)
        else:
            query.execute(self._statements[-1])
        # Fetched before the names are read: a server-side cursor has them only then.
        rows = query.fetchmany(FETCH_ROWS)
        names = column_names(query)
        while rows:
            self._permits.get()
            if self._stopping:
                return False
            self._blocks.put([row_as_dict(row, names) for row in rows])
            rows = query.fetchmany(FETCH_ROWS)
        return True


def _start_thread(target: Callable[[], object], name: str) -> None:
    """Start a thread with the caller's context variables, in which OpenTelemetry, for one, keeps a task's span."""
    threading.Thread(target=contextvars.copy_context().run, args=(target,), name=name, daemon=True).start()


@contextmanager
def _closing(resource: Any) -> Iterator[Any]:
    """Close a cursor or connection. If that fails, nothing is lost: all rows were read, or an error was raised."""
    try:
        yield resource
    finally:
        try:
            resource.close()
        except Exception as error:
            log.debug("A %s could not be closed (%s).", type(resource).__name__, type(error).__name__)
