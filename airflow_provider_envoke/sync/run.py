"""One run: rows are taken in the caller's thread, requests are sent from an event loop in another."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.core.limits import check_changes, check_overrun, exceeds, read_limit
from airflow_provider_envoke.core.report import Reject, SyncReport, Tally
from airflow_provider_envoke.exceptions import (
    EnvokeConfigError,
    EnvokeDataError,
    EnvokePlanError,
    EnvokeSyncError,
)
from airflow_provider_envoke.sync.intake import BATCH_ROWS
from airflow_provider_envoke.sync.loop import LoopThread
from airflow_provider_envoke.sync.pipeline import Pipeline
from airflow_provider_envoke.sync.progress import log_progress
from airflow_provider_envoke.sync.resume import Checkpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_envoke.core.config import EnvokeConfig
    from airflow_provider_envoke.core.options import SyncOptions
    from airflow_provider_envoke.sync.resume import Checkpoint

CHECKPOINT_EVERY_S = 5.0

log = logging.getLogger(__name__)


class SyncRun:
    """
    Brings rows into Envoke.

    The caller's thread fetches the rows, so that database drivers and signals (SIGTERM, a task's timeout) work as
    in any program; whatever interrupts it stops the requests too, and :meth:`report` then tells what was done.

    With ``max_changes`` the rows are planned first, by a run of its own that writes nothing, and then read again.
    What ``on_reject`` is called with comes from the second reading alone.

    Its state: the counts, the plan that goes before, the last checkpoint that was told and when, and whether
    somebody has asked it to stop.

    :param config: the account.
    :param options: the choices of the run.
    :param on_reject: called, in the other thread, with each row that is rejected; its key is personal data.
    :param total_rows: how many rows there are, if that is known, for the progress in the log.
    :param resume_from: with ``strategy="all"``, how far an earlier run has come: the rows up to there are skipped.
    :param on_checkpoint: with ``strategy="all"``, called in the caller's thread every few seconds, and at the end,
        with how far the run has come.
    """

    def __init__(
        self,
        config: EnvokeConfig,
        options: SyncOptions,
        *,
        on_reject: Callable[[Reject], None] = lambda _: None,
        total_rows: int | None = None,
        resume_from: Checkpoint | None = None,
        on_checkpoint: Callable[[Checkpoint], None] | None = None,
    ) -> None:
        self._config = config
        self._options = options
        self._on_reject = on_reject
        self._total_rows = total_rows
        self._resume_from = resume_from
        self._on_checkpoint = on_checkpoint
        self._checkpoint = resume_from
        self._checkpoint_at_s = 0.0
        self._tally = Tally()
        self._started_s = time.monotonic()
        self._seconds = 0.0
        self._requests: dict[str, int] = {}
        self._read_by = "nothing"
        self._stopped = ""
        self._cancelled = threading.Event()
        self._max_changes = None if options.max_changes is None else read_limit("max_changes", options.max_changes)
        # Until it is found to be within max_changes, the plan is all that there is to report.
        self._plan: SyncRun | None = None
        self._planned: SyncReport | None = None

    def run(self, rows: Iterable[Mapping[str, Any]]) -> SyncReport:
        """
        Take the rows and return the report when the last one has its outcome.

        :param rows: column -> value; read a batch at a time, once, or twice with ``max_changes``.
        :raises EnvokeAuthError: if the credentials are refused.
        :raises EnvokeTransientError: if the service is down.
        :raises EnvokeDataError: if ``rows`` holds something else than dicts.
        :raises EnvokePlanError: if more would change than ``max_changes`` allows; nothing is written then.
        :raises EnvokeSyncError: if :meth:`cancel` was called.
        :raises RowsChangedError: if the rows are not those that ``resume_from`` is about. Nothing can be reported
            then: run again, without it.
        """
        self._started_s = time.monotonic()
        try:
            if self._max_changes is not None and not self._options.plan_only:
                self._plan_first(rows)
            with _opened(rows) as each, LoopThread() as loop:
                self._run_on(loop, each)
        except EnvokePlanError:
            self._stopped = "max_changes"
            raise
        except BaseException as error:
            self._stopped = self._stopped or type(error).__name__
            raise
        finally:
            self._seconds = time.monotonic() - self._started_s
        if self._max_changes is not None and self._options.plan_only:
            self._check_plan(self._max_changes)
        return self.report()

    def cancel(self) -> None:
        """Ask the run to stop soon. May be called from another thread or a signal handler."""
        self._cancelled.set()

    def report(self) -> SyncReport:
        """Return what has become of the rows, or the plan that stopped the run; also after it has raised."""
        if self._plan is not None:
            return self._plan.report()
        planned = self._planned.requests if self._planned is not None else {}
        return self._tally.report(
            requests=dict(Counter(planned) + Counter(self._requests)),
            read_by=self._read_by,
            seconds=self._seconds,
            plan_only=self._options.plan_only,
            stopped=self._stopped,
        )

    def _plan_first(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Let the run go on if what it would change is within ``max_changes``."""
        if isinstance(rows, Iterator):
            raise EnvokeConfigError(
                "max_changes reads the rows twice, and an iterator can be read once: give a list, or an object "
                "whose __iter__ reads anew."
            )
        self._plan = SyncRun(self._config, replace(self._options, plan_only=True), total_rows=self._total_rows)
        self._plan._cancelled = self._cancelled
        planned = self._plan.run(rows)
        self._planned, self._plan, self._total_rows = planned, None, planned.rows
        log.info(
            "%s of %s rows change contacts, within max_changes=%s: now they are read again and written.",
            planned.changes,
            planned.rows,
            self._options.max_changes,
        )

    def _check_plan(self, max_changes: float) -> None:
        if exceeds(self._tally.changes, max_changes, self._tally.rows):
            self._stopped = "max_changes"
            check_changes(self.report(), max_changes)

    def _run_on(self, loop: LoopThread, rows: Iterable[Mapping[str, Any]]) -> None:
        checkpoints = self._new_checkpoints()
        pipeline = Pipeline(
            self._config, self._options, self._tally, self._on_reject, self._resume_from, checkpoints
        )
        loop.call(pipeline.open())
        # Rows that were read and not handed over yet. All that is done with a row is done in the loop's thread:
        # two threads that compute would only take turns.
        waiting: list[Mapping[str, Any]] = []
        look = partial(self._look, checkpoints)
        try:
            loop.spawn(log_progress(self._tally, self._total_rows))
            for row in _checked(rows):
                waiting.append(row)
                if len(waiting) == BATCH_ROWS:
                    look()
                    full, waiting = waiting, []
                    loop.call(pipeline.submit(full), while_waiting=look)
            look()
            last, waiting = waiting, []
            loop.call(pipeline.submit(last), while_waiting=look)
            loop.call(pipeline.finish(), while_waiting=look)
            self._check_overrun()
        except BaseException:
            loop.call(pipeline.abort(waiting))
            raise
        finally:
            loop.call(pipeline.close())
            self._requests = dict(pipeline.client.requests)
            self._read_by = pipeline.reader.read_by
            self._tell_checkpoint(checkpoints)

    def _new_checkpoints(self) -> Checkpoints | None:
        if self._on_checkpoint is None or self._options.strategy != "all" or self._options.plan_only:
            return None
        # A row that is tried again would undo what a later one with its key has written.
        return Checkpoints(max_again=0) if self._options.on_duplicate == "last" else Checkpoints()

    def _look(self, checkpoints: Checkpoints | None) -> None:
        if self._cancelled.is_set():
            raise EnvokeSyncError("The run was stopped before its end; run it again to go on.")
        self._check_overrun()
        if time.monotonic() - self._checkpoint_at_s >= CHECKPOINT_EVERY_S:
            self._tell_checkpoint(checkpoints)

    def _tell_checkpoint(self, checkpoints: Checkpoints | None) -> None:
        """Tell how far the run is, if it is further than before."""
        if checkpoints is None or self._on_checkpoint is None:
            return
        latest, before = checkpoints.latest, self._checkpoint
        if latest is not None and (before is None or latest.row > before.row):
            self._checkpoint = latest
            self._checkpoint_at_s = time.monotonic()
            self._on_checkpoint(latest)

    def _check_overrun(self) -> None:
        """The table may have changed since it was planned. Where later rows win, one contact may change often."""
        if self._options.on_duplicate == "last":
            return
        if self._max_changes is not None and self._planned is not None:
            check_overrun(self._tally.changes, self._planned, self._max_changes)


def _opened(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Begin to read rows. What was opened for this is closed; an iterator of the caller's is the caller's."""
    if not isinstance(rows, Iterable):
        raise EnvokeDataError(f"rows has to be an iterable of dicts, not {type(rows).__name__}.")
    iterator = iter(rows)
    if iterator is rows or not hasattr(iterator, "close"):
        return nullcontext(iterator)
    return closing(iterator)


def _checked(rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows; what is no row stops the run before it is counted as one."""
    for number, row in enumerate(rows, start=1):
        if not hasattr(row, "keys"):
            raise EnvokeDataError(
                f"Row {number} is {type(row).__name__}, not a dict, column -> value (rows that came as tuples "
                "lack their column names): correct the rows and run again, which is safe."
            )
        yield row
