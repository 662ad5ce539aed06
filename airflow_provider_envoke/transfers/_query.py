"""The rows of a query. A thread of its own reads them, so that the caller can be interrupted while it waits."""

from __future__ import annotations

import contextvars
import logging
import re
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.messages import mask_emails, quoted
from airflow_provider_envoke.exceptions import EnvokeError, EnvokeSyncError
from airflow_provider_envoke.payload.columns import column_names, row_as_dict
from airflow_provider_envoke.transfers._drivers import FETCH_ROWS, canceller, open_cursors

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from airflow_provider_envoke.transfers._drivers import Canceller

log = logging.getLogger(__name__)

#: How many blocks of rows are read ahead.
BLOCKS_AHEAD = 4

#: How long a stopped query may take to end. Airflow 3 kills a task 5 s after SIGTERM.
STOP_S = 3.0

_CHECK_EVERY_S = 0.2
_MAX_DRIVER_CHARS = 500
_QUOTED = re.compile(r"""(?<!\w)'.*'(?!\w)|(?<!\w)".*"(?!\w)|\(.*\)=\(.*\)""")


class QueryRows:
    """
    A query's rows as dicts, column name -> value. Each iteration opens a connection and runs the query again.

    If the iteration ends early, for whatever reason, the query is cancelled in the database.

    Its state is whether :meth:`cancel` was called.

    :param hook: has ``get_conn``, which returns a DB-API 2.0 connection.
    :param conn_id: the connection's id, for messages.
    :param statements: the query is the last one; those before it run first, in the same transaction.
    :param parameters: the query's.
    """

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
            # Not chained to the driver's exception, which may quote a row.
            raise _query_failed(reader.error, self._conn_id, count)

    def _check_cancelled(self) -> None:
        if self._cancelled:
            raise EnvokeSyncError(
                f"The query of the connection {quoted(self._conn_id)} (sql_conn_id) was stopped before its end. "
                "Nothing was sent to Envoke. Run it again."
            )


class _Reader:
    """
    Runs a query in a thread of its own, which opens the connection and closes it: some belong to a thread.

    Its state: the blocks that were read, the permits to read more, what cancels the query while it runs, whether
    the thread was started, is to stop and has ended, and the error that ended it.
    """

    def __init__(self, hook: Any, statements: Sequence[str], parameters: Any) -> None:
        self._hook = hook
        self._statements = statements
        self._parameters = parameters
        # Simple queues, not one with a bound: its lock stays locked if a signal raises at the wrong moment.
        self._blocks: SimpleQueue[list[dict[str, Any]] | None] = SimpleQueue()
        self._permits: SimpleQueue[None] = SimpleQueue()
        self._canceller: Canceller | None = None
        self._lock = threading.Lock()
        self._started = False
        self._stopping = False
        self._ended = threading.Event()
        self.error: BaseException | None = None

    def blocks(self, while_waiting: Callable[[], None]) -> Iterator[list[dict[str, Any]]]:
        """
        Read the query, and yield its rows in blocks, until its end or its :attr:`error`.

        :param while_waiting: called several times a second, and for each block; what it raises ends the waiting.
        """
        for _ in range(BLOCKS_AHEAD):
            self._permits.put(None)
        # With the caller's context variables: Airflow keeps a task's connections in them.
        run = contextvars.copy_context().run
        self._started = True
        threading.Thread(target=run, args=(self._run,), name="envoke-query", daemon=True).start()
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
            threading.Thread(target=self._cancel_until_ended, name="envoke-cancel", daemon=True).start()
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
            try:
                self._cancel()
            except Exception as error:  # drivers raise anything, for example if the query has just ended
                log.debug("The query could not be cancelled (%s).", type(error).__name__)

    def _cancel(self) -> None:
        with self._lock:
            found = self._canceller
            if found is not None and found.is_local:
                found.cancel()
        if found is not None and not found.is_local:
            found.cancel()

    def _run(self) -> None:
        try:
            self._read()
        except BaseException as error:  # the caller's thread reports it
            self.error = error
        self._ended.set()
        self._blocks.put(None)

    def _read(self) -> None:
        with _closing(self._hook.get_conn()) as connection:
            cursors = open_cursors(connection)
            self._canceller = canceller(self._hook, connection, cursors[-1])
            try:
                self._run_statements(cursors[0], cursors[-1])
            finally:
                self._close(cursors)
            if len(self._statements) > 1 and not (self._stopping or self._hook.get_autocommit(connection)):
                connection.commit()

    def _close(self, cursors: Sequence[Any]) -> None:
        with self._lock:
            if self._canceller is not None and self._canceller.is_local:
                self._canceller = None
        with ExitStack() as stack:
            for cursor in cursors:
                stack.enter_context(_closing(cursor))
        self._canceller = None

    def _run_statements(self, preamble: Any, query: Any) -> None:
        for statement in self._statements[:-1]:
            if self._stopping:
                return
            preamble.execute(statement)
            while preamble.description and preamble.fetchmany(FETCH_ROWS):  # unread rows block the next statement
                pass
        if self._stopping:
            return
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
                return
            self._blocks.put([row_as_dict(row, names) for row in rows])
            rows = query.fetchmany(FETCH_ROWS)


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


def _query_failed(error: BaseException, conn_id: str, count: int) -> EnvokeSyncError:
    when = f"after {count} rows" if count else "before its first row"
    return EnvokeSyncError(
        f"The query of the connection {quoted(conn_id)} (sql_conn_id) failed {when} with {type(error).__name__}: "
        f"{_driver_message(error)}. Nothing was sent to Envoke. Fix the query or the database and run again."
    )


def _driver_message(error: BaseException) -> str:
    """
    Return the first line of a driver's message. The lines after it are details, which quote rows.

    PEP 249 defines the classes of errors that the data causes: in their messages a quoted word is a value.
    """
    text = next(iter(str(error).strip().splitlines()), "no message")
    if {"DataError", "IntegrityError"} & {kind.__name__ for kind in type(error).__mro__}:
        text = _QUOTED.sub("…", text)
    line = "".join(char if char.isprintable() else " " for char in text)
    return mask_emails(line)[:_MAX_DRIVER_CHARS].rstrip(".")
