"""
The two threads of a run: the caller's reads the rows, the other one runs the event loop that sends the requests.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, nullcontext
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_envoke.exceptions import (
    EnvokeConfigError,
    EnvokeDataError,
    EnvokePlanError,
    EnvokeSyncError,
)
from airflow_provider_envoke.sync.options import exceeds, read_limit
from airflow_provider_envoke.sync.report import Tally
from airflow_provider_envoke.sync.rows import BATCH_ROWS
from airflow_provider_envoke.sync.run import SyncPass

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from airflow_provider_envoke.envoke.config import EnvokeConfig
    from airflow_provider_envoke.sync.options import SyncOptions
    from airflow_provider_envoke.sync.report import Reject, SyncReport

log = logging.getLogger(__name__)

T = TypeVar("T")

_CHECK_EVERY_S = 0.2


class SyncRun:
    """
    Brings rows into Envoke.

    The caller's thread reads the rows, so that database drivers and signals (SIGTERM, a task's timeout) work as
    usual. Whatever interrupts it also stops the requests, and :meth:`report` then says what was done.

    With ``max_changes`` there are two passes: the first plans all rows and writes nothing, the second reads the
    rows again and writes. ``on_reject`` is called in the second one only.

    Its state: the current pass, the report of the plan, the time, why it stopped, and whether :meth:`cancel` was
    called.

    :param on_reject: called, in the other thread, with each row that is rejected. Its key is personal data.
    :param total_rows: how many rows there are, if known, for the progress in the log.
    :param batch_rows: how many rows are read and compared together, 1 to 99.
    """

    def __init__(
        self,
        config: EnvokeConfig,
        options: SyncOptions,
        *,
        on_reject: Callable[[Reject], None] = lambda _: None,
        total_rows: int | None = None,
        batch_rows: int = BATCH_ROWS,
    ) -> None:
        if not (type(batch_rows) is int and 1 <= batch_rows <= BATCH_ROWS):
            raise EnvokeConfigError(f"batch_rows must be a whole number from 1 to {BATCH_ROWS}.")
        self._config = config
        self._options = options
        self._on_reject = on_reject
        self._total_rows = total_rows
        self._batch_rows = batch_rows
        self._max_changes = None if options.max_changes is None else read_limit("max_changes", options.max_changes)
        self._pass: SyncPass | None = None
        self._plan: SyncReport | None = None
        self._started_s = time.monotonic()
        self._seconds = 0.0
        self._stopped = ""
        self._cancelled = threading.Event()

    def run(self, rows: Iterable[Mapping[str, Any]]) -> SyncReport:
        """
        Bring the rows into Envoke, and return the report when every row has its outcome.

        :param rows: column -> value; read a batch at a time, once, or twice with ``max_changes``.
        :raises EnvokeAuthError: if the credentials are rejected.
        :raises EnvokeTransientError: if the service is down.
        :raises EnvokeDataError: if ``rows`` holds something other than dicts.
        :raises EnvokePlanError: if more would change than ``max_changes`` allows; then nothing is written.
        :raises EnvokeSyncError: if :meth:`cancel` was called.
        """
        self._started_s = time.monotonic()
        try:
            if self._max_changes is None:
                self._run_pass(self._options, rows)
            else:
                self._run_within(self._max_changes, rows)
        except BaseException as error:
            self._stopped = "max_changes" if isinstance(error, EnvokePlanError) else type(error).__name__
            raise
        finally:
            self._seconds = time.monotonic() - self._started_s
        return self.report()

    def cancel(self) -> None:
        """Ask the run to stop soon. May be called from another thread or a signal handler."""
        self._cancelled.set()

    def report(self) -> SyncReport:
        """Return the outcome of the rows, or the plan that stopped the run; also after :meth:`run` has raised."""
        seconds = self._seconds or time.monotonic() - self._started_s
        if self._pass is not None:
            return self._pass.report(self._plan, seconds, self._stopped)
        return Tally().report(
            requests={},
            read_by="nothing",
            seconds=seconds,
            plan_only=self._options.plan_only,
            stopped=self._stopped,
        )

    def _run_within(self, max_changes: float, rows: Iterable[Mapping[str, Any]]) -> None:
        """Plan all rows. If the plan is within the limit, read them again and write them."""
        if isinstance(rows, Iterator) and not self._options.plan_only:
            raise EnvokeConfigError(
                "max_changes reads the rows twice, but an iterator can be read only once. Pass a list, or an "
                "object whose __iter__ starts over."
            )
        self._run_pass(replace(self._options, plan_only=True), rows)
        plan = replace(self.report(), stopped="")
        check_changes(plan, max_changes)
        if self._options.plan_only:
            return
        log.info(
            "The plan changes %d of %d rows, within max_changes=%g. Reading the rows again to write them.",
            plan.changes,
            plan.rows,
            max_changes,
        )
        self._plan, self._total_rows = plan, plan.rows
        self._run_pass(self._options, rows)

    def _run_pass(self, options: SyncOptions, rows: Iterable[Mapping[str, Any]]) -> None:
        is_last = options.plan_only == self._options.plan_only
        on_reject = self._on_reject if is_last else lambda _: None
        with _opened(rows) as iterator, LoopThread() as loop:
            self._pass = current = SyncPass(self._config, options, on_reject, self._total_rows)
            loop.call(current.open())
            # Rows that are read and not taken yet. The other thread does everything else with a row: two threads
            # that compute would only take turns.
            waiting: list[Mapping[str, Any]] = []
            try:
                for row in _checked(iterator):
                    waiting.append(row)
                    if len(waiting) == self._batch_rows:
                        self._check_while_waiting()
                        full, waiting = waiting, []
                        loop.call(current.take(full), self._check_while_waiting)
                self._check_while_waiting()
                last, waiting = waiting, []
                loop.call(current.take(last), self._check_while_waiting)
                loop.call(current.finish(), self._check_while_waiting)
                self._check_overrun()
            except BaseException:
                loop.call(current.abort(waiting))
                raise
            finally:
                loop.call(current.close())

    def _check_while_waiting(self) -> None:
        if self._cancelled.is_set():
            raise EnvokeSyncError("The run was stopped before its end. Run it again to continue.")
        self._check_overrun()

    def _check_overrun(self) -> None:
        """Stop a run that changes more than planned: the table may have changed since."""
        # With on_duplicate="last" one contact may change several times, which the plan cannot see.
        if self._plan is None or self._pass is None or self._max_changes is None:
            return
        if self._options.on_duplicate != "last":
            check_overrun(self._pass.tally.changes, self._plan, self._max_changes)


def check_changes(plan: SyncReport, max_changes: float) -> None:
    """Raise EnvokePlanError, which carries the plan, if it changes more contacts than ``max_changes`` allows."""
    if not exceeds(plan.changes, max_changes, plan.rows):
        return
    raise EnvokePlanError(
        f"{plan.changes} of {plan.rows} rows would change contacts in Envoke ({plan.updated} updates, "
        f"{plan.created} new contacts), more than max_changes={max_changes:g} allows. Nothing was written. The "
        "report names the fields. Check the table; if it is right, raise max_changes.",
        replace(plan, stopped="max_changes").as_dict(),
    )


def check_overrun(changes: int, plan: SyncReport, max_changes: float) -> None:
    """Raise EnvokePlanError if a run has made more changes than ``max_changes`` allows, contrary to its plan."""
    if not exceeds(changes, max_changes, plan.rows):
        return
    raise EnvokePlanError(
        f"The plan had {plan.changes} changes in {plan.rows} rows, but the data has changed since; stopped after "
        f"{changes} changes (max_changes={max_changes:g}). Check the table before you run it again."
    )


def _opened(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Begin to read the rows. What was opened for this is closed at the end; the caller's own iterator is not."""
    if not isinstance(rows, Iterable):
        raise EnvokeDataError(f"rows must be an iterable of dicts, not {type(rows).__name__}.")
    iterator = iter(rows)
    if iterator is rows or not hasattr(iterator, "close"):
        return nullcontext(iterator)
    return closing(iterator)


def _checked(rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows; anything that is not a row stops the run before it is counted as one."""
    for number, row in enumerate(rows, start=1):
        if not hasattr(row, "keys"):
            raise EnvokeDataError(
                f"Row {number} is {type(row).__name__}, not a dict of column -> value (rows that are tuples have "
                "no column names). Correct the rows and run again, which is safe."
            )
        yield row


class LoopThread:
    """
    Runs coroutines beside the caller's thread. Its state is the loop and its thread.

    A signal raises in the caller's thread, which waits outside the loop: inside, the exception could end up in any
    coroutine.
    """

    def __init__(self) -> None:
        self._loop = _Loop()
        self._loop.set_debug(False)  # asyncio's debug mode logs what its tasks return, which is personal data
        self._thread = threading.Thread(target=self._loop.run_forever, name="envoke-sync", daemon=True)

    def __enter__(self) -> LoopThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.call(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, coroutine: Coroutine[Any, Any, T], while_waiting: Callable[[], None] = lambda: None) -> T:
        """
        Run a coroutine and return its result.

        :param while_waiting: called several times a second; what it raises ends the waiting, not the coroutine.
        """
        # Not a concurrent.futures.Future: a signal that raises while its lock is held would leave it locked.
        ended: SimpleQueue[asyncio.Task[T]] = SimpleQueue()

        def end(task: asyncio.Task[T]) -> None:
            if not task.cancelled():
                task.exception()  # or asyncio logs it, if the caller has stopped waiting
            ended.put(task)

        def start() -> None:
            self._loop.create_task(coroutine).add_done_callback(end)

        self._loop.call_soon_threadsafe(start)
        while True:
            try:
                return ended.get(timeout=_CHECK_EVERY_S).result()
            except Empty:
                while_waiting()


class _Loop(asyncio.SelectorEventLoop):
    """Reads with small buffers: asyncio allocates 256 KiB for each read, which is slow outside the main thread."""

    async def create_connection(self, *arguments: Any, **options: Any) -> Any:
        transport, protocol = await super().create_connection(*arguments, **options)
        transport.max_size = 16 * 1024  # type: ignore[attr-defined]
        return transport, protocol


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
