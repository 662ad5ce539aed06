"""One run of a sync operator: what happens between its rows and its report."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_envoke.envoke.messages import check_choice
from airflow_provider_envoke.envoke.requests import REMOTE_ID_WARNING
from airflow_provider_envoke.hooks.envoke import EnvokeHook
from airflow_provider_envoke.operators._outcome import (
    add_to_events,
    check_rejects,
    count_sync,
    fail_without_retry,
    push_result,
    set_result,
)
from airflow_provider_envoke.operators._rejects import check_rejects_include, rejects_file, shown_path
from airflow_provider_envoke.operators._templated import check_rendered_arguments
from airflow_provider_envoke.sync.limits import read_limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_envoke.operators._rejects import RejectsFile
    from airflow_provider_envoke.sync.passes import SyncRun
    from airflow_provider_envoke.sync.report import Reject, SyncReport

OnEmpty = Literal["succeed", "skip", "fail"]

log = logging.getLogger(__name__)


class TaskRun:
    """
    The run of a task.

    Its state: whether the task was killed, the run, its report when it has ended, and the first rejected row of
    each reason.
    """

    def __init__(self) -> None:
        self.killed = False
        self.report: SyncReport | None = None
        self._run: SyncRun | None = None
        self._first_rejects: dict[str, Reject] = {}

    def kill(self) -> None:
        """Stop the run, also one that has not begun yet."""
        self.killed = True
        if self._run is not None:
            self._run.cancel()

    def sync(self, task: Any, context: Context | None, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """
        Bring the rows into Envoke, and return the report; see :meth:`BaseEnvokeSyncOperator.sync`.

        :param context: ``None`` in a dry run, which is not recorded anywhere.
        """
        self.report, self._first_rejects = None, {}
        try:
            with fail_without_retry():
                report = self._sync(task, context, rows)
            _check_empty(report, task.on_empty)
        except BaseException:
            if self.report is not None and context is not None:
                push_result(context, task, self.report.as_dict())
            raise
        return report.as_dict()

    def _sync(self, task: Any, context: Context | None, rows: Iterable[Mapping[str, Any]]) -> SyncReport:
        check_choice("on_empty", task.on_empty, get_args(OnEmpty))
        check_rejects_include(task.rejects_include)
        check_rendered_arguments(task)
        max_rejects = read_limit("max_rejects", task.max_rejects)
        if task.keyfield == "remote_id":
            task.log.warning(REMOTE_ID_WARNING)
        with rejects_file("" if context is None else task.rejects_path, context or {}) as rejects:
            report = self._run_sync(task, context, rows, rejects)
        path = rejects.path if "rejected" in task.rejects_include else ""
        check_rejects(report, max_rejects, path, self._first_rejects.values())
        return report

    def _run_sync(
        self,
        task: Any,
        context: Context | None,
        rows: Iterable[Mapping[str, Any]],
        rejects: RejectsFile,
    ) -> SyncReport:
        """Return the report of the run, which is recorded even if the run fails."""
        from airflow_provider_envoke.sync.passes import SyncRun  # noqa: PLC0415 - imports aiohttp

        def on_reject(reject: Reject) -> None:
            self._first_rejects.setdefault(reject.reason, reject)
            if "rejected" in task.rejects_include:
                rejects.write(reject)

        def on_skip(reject: Reject) -> None:
            if reject.outcome != "skipped" or "skipped" in task.rejects_include:
                rejects.write(reject)

        options = task.sync_options()
        config = EnvokeHook(task.envoke_conn_id).get_conn()
        if rejects.path:
            log.info("Rows that are not written are listed in %s.", shown_path(rejects.path))
        self._run = run = SyncRun(config, options, on_reject=on_reject, on_skip=on_skip)
        if self.killed:  # before there was a run to cancel
            run.cancel()
        try:
            run.run(rows)
        finally:
            self.report = report = run.report()
            _log_report(report)
            if context is not None:
                set_result(context, report.summary)
                add_to_events(context, task.outlets, report, config.base_url)
                count_sync(report, task)
        return report


def _log_report(report: SyncReport) -> None:
    if report.rows or report.not_reached:
        # The table starts on its own line, because the log puts a prefix before the first one.
        log.info("Report of the run:\n%s", report.as_table())
        log.info("Result: %s.", report.summary)
    else:
        log.info("No rows were read%s.", f"; stopped early: {report.end}" if report.stopped else "")


def _check_empty(report: SyncReport, on_empty: OnEmpty) -> None:
    if report.rows == 0 and on_empty == "skip":
        raise AirflowSkipException("There are no rows, and on_empty is 'skip'.")
    if report.rows == 0 and on_empty == "fail":
        raise AirflowFailException("There are no rows, and on_empty is 'fail'. Check the query.")
