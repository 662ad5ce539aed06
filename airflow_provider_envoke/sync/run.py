"""One run: rows are taken in the caller's thread, requests are sent from an event loop in another."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.core.report import Reject, SyncReport, Tally
from airflow_provider_envoke.exceptions import EnvokeSyncError
from airflow_provider_envoke.sync.intake import BATCH_ROWS
from airflow_provider_envoke.sync.loop import LoopThread
from airflow_provider_envoke.sync.pipeline import Pipeline
from airflow_provider_envoke.sync.progress import log_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_provider_envoke.core.config import EnvokeConfig
    from airflow_provider_envoke.core.options import SyncOptions


class SyncRun:
    """
    Brings rows into Envoke.

    The caller's thread fetches the rows, so that database drivers and signals (SIGTERM, a task's timeout) work as
    in any program; whatever interrupts it stops the requests too, and :meth:`report` then tells what was done.

    Its state: the counts, and whether somebody has asked it to stop.

    :param config: the account.
    :param options: the choices of the run.
    :param on_reject: called, in the other thread, with each row that is rejected; its key is personal data.
    :param total_rows: how many rows there are, if that is known, for the progress in the log.
    """

    def __init__(
        self,
        config: EnvokeConfig,
        options: SyncOptions,
        *,
        on_reject: Callable[[Reject], None] = lambda _: None,
        total_rows: int | None = None,
    ) -> None:
        self._config = config
        self._options = options
        self._on_reject = on_reject
        self._total_rows = total_rows
        self._tally = Tally()
        self._started_s = time.monotonic()
        self._seconds = 0.0
        self._requests: dict[str, int] = {}
        self._read_by = "nothing"
        self._stopped = ""
        self._cancelled = threading.Event()

    def run(self, rows: Iterable[Mapping[str, Any]]) -> SyncReport:
        """
        Take the rows and return the report when the last one has its outcome.

        :param rows: column -> value; read once, a batch at a time.
        :raises EnvokeAuthError: if the credentials are refused.
        :raises EnvokeTransientError: if the service is down.
        :raises EnvokeSyncError: if :meth:`cancel` was called.
        """
        self._started_s = time.monotonic()
        try:
            with LoopThread() as loop:
                self._run_on(loop, rows)
        except BaseException as error:
            self._stopped = self._stopped or type(error).__name__
            raise
        finally:
            self._seconds = time.monotonic() - self._started_s
        return self.report()

    def cancel(self) -> None:
        """Ask the run to stop soon. May be called from another thread or a signal handler."""
        self._cancelled.set()

    def report(self) -> SyncReport:
        """Return what has become of the rows; also after :meth:`run` has raised."""
        return self._tally.report(
            requests=self._requests,
            read_by=self._read_by,
            seconds=self._seconds,
            plan_only=self._options.plan_only,
            stopped=self._stopped,
        )

    def _run_on(self, loop: LoopThread, rows: Iterable[Mapping[str, Any]]) -> None:
        pipeline = Pipeline(self._config, self._options, self._tally, self._on_reject)
        loop.call(pipeline.open())
        # Rows that were read and not handed over yet. All that is done with a row is done in the loop's thread:
        # two threads that compute would only take turns.
        waiting: list[Mapping[str, Any]] = []
        try:
            loop.spawn(log_progress(self._tally, self._total_rows))
            for row in rows:
                waiting.append(row)
                if len(waiting) == BATCH_ROWS:
                    self._check_cancelled()
                    full, waiting = waiting, []
                    loop.call(pipeline.submit(full), while_waiting=self._check_cancelled)
            self._check_cancelled()
            last, waiting = waiting, []
            loop.call(pipeline.submit(last), while_waiting=self._check_cancelled)
            loop.call(pipeline.finish(), while_waiting=self._check_cancelled)
        except BaseException:
            loop.call(pipeline.abort(waiting))
            raise
        finally:
            loop.call(pipeline.close())
            self._requests = dict(pipeline.client.requests)
            self._read_by = pipeline.reader.read_by

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise EnvokeSyncError("The run was stopped before its end; run it again to go on.")
