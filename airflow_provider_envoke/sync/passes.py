"""A run: its rows are kept and scanned, and then go through one to three passes."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, closing, nullcontext
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.exceptions import (
    EnvokeConfigError,
    EnvokeDataError,
    EnvokePlanError,
    EnvokeSyncError,
)
from airflow_provider_envoke.payload.columns import row_as_dict
from airflow_provider_envoke.sync.columns import check_columns
from airflow_provider_envoke.sync.limits import read_limit
from airflow_provider_envoke.sync.loop import LoopThread
from airflow_provider_envoke.sync.plan import check_changes, check_overrun
from airflow_provider_envoke.sync.progress import PROGRESS_EVERY_S
from airflow_provider_envoke.sync.report import Reject
from airflow_provider_envoke.sync.rows import BATCH_ROWS, TableScan
from airflow_provider_envoke.sync.run import SyncPass
from airflow_provider_envoke.sync.spool import RowSpool
from airflow_provider_envoke.sync.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from airflow_provider_envoke.envoke.config import EnvokeConfig
    from airflow_provider_envoke.sync.compare import DesiredContact
    from airflow_provider_envoke.sync.options import SyncOptions
    from airflow_provider_envoke.sync.report import SyncReport

    KeptRows: TypeAlias = Sequence[Mapping[str, Any]] | RowSpool

log = logging.getLogger(__name__)


class SyncRun:
    """
    Brings rows into Envoke.

    The caller's thread reads the rows, so that database drivers and signals (SIGTERM, a task's timeout) work as
    usual. Whatever interrupts it also stops the requests, and :meth:`report` then says what was done.

    All rows are read before the first request. Then they go through one pass; with ``max_changes`` a pass goes
    before it that plans and writes nothing; if rows with different keys have the same new email address, another
    one before finds out which of them would get it.

    Its state: the rows, the scan, the current pass, the report of the plan, the requests of earlier passes, the
    time, why it stopped, and whether :meth:`cancel` was called.

    :param on_reject: called with each row that the report counts as rejected. Its key is personal data.
    :param on_skip: called with each row that the report counts as skipped, or whose consent it counts as kept.
    :param batch_rows: how many rows are read and compared together, 1 to 99.
    """

    def __init__(
        self,
        config: EnvokeConfig,
        options: SyncOptions,
        *,
        on_reject: Callable[[Reject], None] = lambda _: None,
        on_skip: Callable[[Reject], None] = lambda _: None,
        batch_rows: int = BATCH_ROWS,
    ) -> None:
        if not (type(batch_rows) is int and 1 <= batch_rows <= BATCH_ROWS):
            raise EnvokeConfigError(f"batch_rows must be a whole number from 1 to {BATCH_ROWS}.")
        self._config = config
        self._options = options
        self._on_reject = on_reject
        self._on_skip = on_skip
        self._batch_rows = batch_rows
        self._max_changes = None if options.max_changes is None else read_limit("max_changes", options.max_changes)
        self._kept: KeptRows = ()
        self._scan: TableScan
        self._pass: SyncPass | None = None
        self._plan: SyncReport | None = None
        self._earlier_requests: Counter[str] = Counter()
        self._started_s = time.monotonic()
        self._seconds = 0.0
        self._stopped = ""
        self._cancelled = threading.Event()

    def run(self, rows: Iterable[Mapping[str, Any]]) -> SyncReport:
        """
        Bring the rows into Envoke, and return the report when every row has its outcome.

        :param rows: column -> value. A list is used as it is; anything else is read once, into a temporary file.
            If its attribute ``have_same_columns`` is true, a column that the first row lacks is an error at once.
        :raises EnvokeAuthError: if the credentials are rejected.
        :raises EnvokeTransientError: if the service is down.
        :raises EnvokeConfigError: if the columns do not fit: see :func:`~.sync.columns.check_columns`.
        :raises EnvokeDataError: if ``rows`` holds something other than dicts.
        :raises EnvokePlanError: if more would change than ``max_changes`` allows; then nothing is written.
        :raises EnvokeSyncError: if :meth:`cancel` was called.
        """
        self._started_s = time.monotonic()
        try:
            self._check_while_waiting()
            with ExitStack() as files:
                self._keep(rows, files)
                self._scan = files.enter_context(closing(TableScan(self._options)))
                self._run_passes(self._kept)
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
        tally = Tally() if self._pass is None else self._pass.tally
        not_reached = len(self._kept) - tally.rows if self._stopped else 0
        if self._pass is not None:
            return self._pass.report(self._earlier_requests, seconds, self._stopped, not_reached)
        return tally.report(
            requests=self._earlier_requests,
            read_by="nothing",
            seconds=seconds,
            plan_only=self._options.plan_only,
            stopped=self._stopped,
            not_reached=not_reached,
        )

    def _keep(self, rows: Iterable[Mapping[str, Any]], files: ExitStack) -> None:
        """Keep the rows so that they can be read again, and check their columns; what was opened is closed."""
        if isinstance(rows, list | tuple):
            self._kept = rows
            for first in self._checked(rows[:1]):
                check_columns(first, self._checked(rows), self._options)
            return
        alike = getattr(rows, "have_same_columns", False)
        self._kept = spool = files.enter_context(RowSpool())
        logged_s = time.monotonic()
        with _opened(rows) as iterator:
            for row in self._checked(iterator):
                if not spool:
                    check_columns(row, () if alike else None, self._options)
                spool.add(row)
                self._check_while_waiting()
                if time.monotonic() - logged_s >= PROGRESS_EVERY_S:
                    logged_s = time.monotonic()
                    log.info("%d rows read.", len(spool))
        if spool and not alike:
            check_columns(next(iter(spool)), spool, self._options)

    def _run_passes(self, rows: KeptRows) -> None:
        if self._scan.needed:
            for number, row in enumerate(self._checked(rows), start=1):
                self._scan.scan_row(number, row)
                self._check_while_waiting()
        if self._scan.emails.any_shared:
            self._find_new_holders(rows)
        if self._max_changes is not None and not self._options.plan_only:
            self._plan_within(self._max_changes, rows)
        self._pass = self._new_pass(self._options, self._tell, len(rows))
        self._run_pass(self._pass, rows)
        self._pass.preview.log(unmasked=self._options.preview_unmasked)
        if self._max_changes is not None and self._options.plan_only:
            check_changes(self.report(), self._max_changes)

    def _find_new_holders(self, rows: KeptRows) -> None:
        """Tell the scan which of the rows that share an email address would give it to their contacts."""
        current = self._new_pass(
            replace(self._options, plan_only=True), lambda _: None, None, only=self._scan.shares_email
        )
        try:
            self._run_pass(current, rows)
        finally:
            self._earlier_requests += current.requests

    def _plan_within(self, max_changes: float, rows: KeptRows) -> None:
        """Plan all rows. If the run ends with the plan, its rejected and skipped rows are told then."""
        with RowSpool() as unwritten:
            self._pass = self._new_pass(
                replace(self._options, plan_only=True), lambda each: unwritten.add(asdict(each)), len(rows)
            )
            try:
                self._run_pass(self._pass, rows)
                self._plan = plan = self.report()
                check_changes(plan, max_changes)
            except BaseException:
                for each in unwritten:
                    self._tell(Reject(**each))
                raise
        self._earlier_requests += self._pass.requests
        log.info(
            "The plan changes %d of %d rows, within max_changes=%s. Writing them.",
            plan.changes,
            plan.rows,
            max_changes,
        )

    def _tell(self, unwritten: Reject) -> None:
        (self._on_reject if unwritten.outcome == "rejected" else self._on_skip)(unwritten)

    def _new_pass(
        self,
        options: SyncOptions,
        on_unwritten: Callable[[Reject], None],
        total_rows: int | None,
        only: Callable[[DesiredContact], bool] | None = None,
    ) -> SyncPass:
        return SyncPass(self._config, options, self._scan, on_unwritten, total_rows, only)

    def _run_pass(self, current: SyncPass, rows: Iterable[Mapping[str, Any]]) -> None:
        with LoopThread() as loop:
            loop.call(current.open())
            # Rows that are read and not taken yet. The other thread does everything else with a row: two threads
            # that compute would only take turns.
            waiting: list[Mapping[str, Any]] = []
            try:
                for row in self._checked(rows):
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
                loop.call(current.abort())
                raise
            finally:
                loop.call(current.close())

    def _checked(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Yield the rows as dicts; anything that is not a row stops the run before it is counted as one."""
        for number, row in enumerate(rows, start=1):
            yield row if type(row) is dict else _named(row, number)

    def _check_while_waiting(self) -> None:
        if self._cancelled.is_set():
            raise EnvokeSyncError("The run was stopped before its end. Run it again to continue.")
        self._check_overrun()

    def _check_overrun(self) -> None:
        """Stop a run that changes more than planned: the contacts may have changed since."""
        # With on_duplicate="last" one contact may change several times, which the plan cannot see.
        if self._plan is None or self._pass is None or self._max_changes is None:
            return
        if self._options.on_duplicate != "last":
            check_overrun(self._pass.tally.changes, self._plan, self._max_changes)


def _opened(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Begin to read the rows. What was opened for this is closed at the end; the caller's own iterator is not."""
    if not isinstance(rows, Iterable):
        raise EnvokeDataError(f"rows must be an iterable of dicts, not {type(rows).__name__}.")
    iterator = iter(rows)
    if iterator is rows or not hasattr(iterator, "close"):
        return nullcontext(iterator)
    return closing(iterator)


def _named(row: Mapping[str, Any], number: int) -> Mapping[str, Any]:
    try:
        return row_as_dict(row)
    except EnvokeDataError:
        pass  # raised below, with the number of the row
    raise EnvokeDataError(
        f"Row {number} is {type(row).__name__}, not a dict of column -> value. Tuples have no column names: in a "
        "DAG, give the query's task handler=rows_as_dicts (from airflow_provider_envoke.operators.envoke)."
    )
