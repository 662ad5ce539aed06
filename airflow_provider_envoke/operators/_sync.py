"""The base of the operators that bring whole tables into Envoke."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, BaseOperator

from airflow_provider_envoke.envoke.messages import check_choice
from airflow_provider_envoke.envoke.requests import REMOTE_ID_WARNING
from airflow_provider_envoke.hooks.envoke import EnvokeHook
from airflow_provider_envoke.operators._lineage import operator_lineage
from airflow_provider_envoke.operators._outcome import (
    add_to_events,
    check_rejects,
    count_sync,
    fail_without_retry,
    push_result,
)
from airflow_provider_envoke.operators._rejects import rejects_file, shown_path
from airflow_provider_envoke.operators._templated import check_rendered_arguments, read_switch
from airflow_provider_envoke.payload.build import PayloadRules
from airflow_provider_envoke.payload.mapping import FieldMap
from airflow_provider_envoke.sync.options import SyncOptions, read_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_envoke.envoke.config import EnvokeConfig
    from airflow_provider_envoke.envoke.fields import Keyfield
    from airflow_provider_envoke.payload.build import Nulls, OnOverlong
    from airflow_provider_envoke.sync.options import OnDuplicate, OnMissing, Strategy
    from airflow_provider_envoke.sync.passes import SyncRun
    from airflow_provider_envoke.sync.report import Reject, SyncReport

OnEmpty = Literal["succeed", "skip", "fail"]


class BaseEnvokeSyncOperator(BaseOperator):
    """
    Bring rows into Envoke, sending only what changed. Use one of its subclasses, which say where the rows come
    from.

    The run finishes its work, logs its report and pushes it to XCom (counts, reasons, requests, seconds; no
    personal data), and only then fails, if more rows were rejected than ``max_rejects`` allows. Running again is
    always safe: what was written no longer differs.

    :param keyfield: ``"email"``, ``"remote_id"`` or ``"id"``: the field that matches rows to contacts. For
        ``"remote_id"``, Envoke's support must first switch off the account's duplicate check. (templated)
    :param field_map: column -> field; ``custom_fields.NAME`` and ``interests.NAME`` point into groups. By default
        every column goes into the field of the same name. (templated)
    :param static_fields: field -> value, the same for every row. (templated)
    :param envoke_conn_id: the Airflow connection of type ``envoke``. (templated)
    :param nulls: ``"ignore"`` leaves null fields out; ``"clear"`` empties them in Envoke, except the email
        address, keys, consent and tags.
    :param on_overlong: ``"reject"`` or ``"truncate"`` values longer than Envoke documents.
    :param extra_fields: names of fields that Envoke's documentation does not list yet.
    :param strategy: ``"changed"`` reads the contacts and sends what differs; ``"all"`` sends every row without
        reading, except rows that a guard must check.
    :param on_missing: ``"reject"``, ``"skip"`` or ``"create"`` rows whose contact does not exist.
    :param on_duplicate: if a key occurs twice, ``"first"`` keeps the first row, skips later rows with the same
        values and rejects those with other values; ``"last"`` applies all of them in order; ``"reject"`` rejects
        all of them. ``"first"`` and ``"last"`` need a query with ``ORDER BY``.
    :param consent_guard: reject rows that would replace the consent status of a contact who revoked consent or
        reported spam.
    :param shared_email_guard: with another key than ``email``, reject rows that would give a contact the address
        of another contact, and all rows that would give theirs the same address.
    :param ambiguous_guard: reject rows whose key belongs to several contacts.
    :param concurrency: how many requests are under way at once.
    :param requests_per_second: how many requests may start in a second; by default as the connection says.
    :param plan_only: read, compare and report what would change, but write nothing. (templated)
    :param max_rejects: how many rows may be rejected before the task fails: a count (1 is one row), or a share
        below 1. (templated)
    :param max_changes: a circuit breaker: how many rows may change or create contacts, a count or a share below 1.
        The rows are planned first; if there are more, nothing is written, and the task fails without retries, with
        the plan as its report. If there are not, the contacts are read again. With ``plan_only`` only the plan is
        checked. With ``strategy="all"`` every row that would be sent counts.
        ``None``: no limit. (templated)
    :param rejects_path: file or folder that receives a JSON line for each rejected row, its key included: a local
        path, or a URL that Airflow's ``ObjectStoragePath`` supports. Each try of a task instance writes a file of
        its own and never over another one: in a folder, one named after the task instance and the try; a file's
        name is used as it is by the first try of a task that is not mapped, unless the file exists, and otherwise
        gets these ids. The log names the file. (templated)
    :param on_empty: ``"succeed"``, ``"skip"`` or ``"fail"`` if there are no rows.
    """

    template_fields: Sequence[str] = (
        "keyfield",
        "field_map",
        "static_fields",
        "envoke_conn_id",
        "plan_only",
        "max_rejects",
        "max_changes",
        "rejects_path",
    )
    template_fields_renderers = {"field_map": "json", "static_fields": "json"}  # noqa: RUF012 - Airflow's type
    ui_color = "#c5e1a5"

    def __init__(
        self,
        *,
        keyfield: Keyfield = "email",
        field_map: Mapping[str, str] | None = None,
        static_fields: Mapping[str, Any] | None = None,
        envoke_conn_id: str = EnvokeHook.default_conn_name,
        nulls: Nulls = "ignore",
        on_overlong: OnOverlong = "reject",
        extra_fields: Collection[str] = (),
        strategy: Strategy = "changed",
        on_missing: OnMissing = "reject",
        on_duplicate: OnDuplicate = "first",
        consent_guard: bool = True,
        shared_email_guard: bool = True,
        ambiguous_guard: bool = True,
        concurrency: int = 8,
        requests_per_second: float | None = None,
        plan_only: bool | str = False,
        max_rejects: float | str = 0,
        max_changes: float | str | None = None,
        rejects_path: str | None = None,
        on_empty: OnEmpty = "succeed",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.keyfield = keyfield
        self.field_map = field_map
        self.static_fields = static_fields
        self.envoke_conn_id = envoke_conn_id
        self.nulls = nulls
        self.on_overlong = on_overlong
        self.extra_fields = extra_fields
        self.strategy = strategy
        self.on_missing = on_missing
        self.on_duplicate = on_duplicate
        self.consent_guard = consent_guard
        self.shared_email_guard = shared_email_guard
        self.ambiguous_guard = ambiguous_guard
        self.concurrency = concurrency
        self.requests_per_second = requests_per_second
        self.plan_only = plan_only
        self.max_rejects = max_rejects
        self.max_changes = max_changes
        self.rejects_path = rejects_path
        self.on_empty = on_empty
        self._run: SyncRun | None = None
        self._killed = False
        self._report: SyncReport | None = None

    def on_kill(self) -> None:
        """Stop the run, also one that has not begun yet; what was done so far is reported."""
        self._killed = True
        if self._run is not None:
            self._run.cancel()

    def get_openlineage_facets_on_complete(
        self,
        task_instance: Any,  # noqa: ARG002 - Airflow's signature
    ) -> OperatorLineage[Any, Any] | None:
        """Return what OpenLineage records, also for a failed task; a plan writes nothing."""
        report = self._report
        written = None if report is None or report.plan_only else report.changes
        return operator_lineage(self.envoke_conn_id, written, self.tables_read)

    def tables_read(self) -> list[Any]:
        """Return OpenLineage's datasets of the tables that the rows come from, if they are known."""
        return []

    def sync(self, context: Context, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """
        Bring the rows into Envoke, and return the report.

        :raises AirflowFailException: if a retry cannot help, or ``max_changes`` is exceeded.
        :raises EnvokeSyncError: if too many rows were rejected, or the run was stopped.
        :raises EnvokeTransientError: if the service is down.
        """
        self._report = None
        try:
            with fail_without_retry():
                report = self._sync(context, rows)
            self._check_empty(report)
        except BaseException:
            if self._report is not None:
                push_result(context, self, self._report.as_dict())
            raise
        return report.as_dict()

    def _sync(self, context: Context, rows: Iterable[Mapping[str, Any]]) -> SyncReport:
        check_choice("on_empty", self.on_empty, get_args(OnEmpty))
        check_rendered_arguments(self)
        max_rejects = read_limit("max_rejects", self.max_rejects)
        if self.keyfield == "remote_id":
            self.log.warning(REMOTE_ID_WARNING)
        options = self._options()
        config = EnvokeHook(self.envoke_conn_id).get_conn()
        first_rejects: dict[str, Reject] = {}
        with rejects_file(self.rejects_path, context) as rejects:
            if rejects.path:
                self.log.info("Rejected rows are written to %s.", shown_path(rejects.path))

            def on_reject(reject: Reject) -> None:
                first_rejects.setdefault(reject.reason, reject)
                rejects.write(reject)

            report = self._run_sync(context, config, options, rows, on_reject)
        check_rejects(report, max_rejects, rejects.path, first_rejects.values())
        return report

    def _check_empty(self, report: SyncReport) -> None:
        if report.rows == 0 and self.on_empty == "skip":
            raise AirflowSkipException("There are no rows, and on_empty is 'skip'.")
        if report.rows == 0 and self.on_empty == "fail":
            raise AirflowFailException("There are no rows, and on_empty is 'fail'. Check the query.")

    def _run_sync(
        self,
        context: Context,
        config: EnvokeConfig,
        options: SyncOptions,
        rows: Iterable[Mapping[str, Any]],
        on_reject: Callable[[Reject], None],
    ) -> SyncReport:
        """Return the report of the run, which is recorded even if the run fails."""
        from airflow_provider_envoke.sync.passes import SyncRun  # noqa: PLC0415 - imports aiohttp

        self._run = run = SyncRun(config, options, on_reject=on_reject)
        if self._killed:  # before there was a run to cancel
            run.cancel()
        try:
            run.run(rows)
        finally:
            report = run.report()
            self._record(context, report, config)
        return report

    def _record(self, context: Context, report: SyncReport, config: EnvokeConfig) -> None:
        self._report = report
        # The table starts on its own line, because the log puts a prefix before the first one.
        self.log.info("Report of the run:\n%s", report.as_table())
        add_to_events(context, self.outlets, report, config.base_url)
        count_sync(report, self)

    def _options(self) -> SyncOptions:
        return SyncOptions(
            keyfield=self.keyfield,
            fields=FieldMap(
                {} if self.field_map is None else self.field_map,
                {} if self.static_fields is None else self.static_fields,
            ),
            rules=PayloadRules(self.nulls, self.on_overlong, self.extra_fields),
            strategy=self.strategy,
            on_missing=self.on_missing,
            on_duplicate=self.on_duplicate,
            consent_guard=self.consent_guard,
            shared_email_guard=self.shared_email_guard,
            ambiguous_guard=self.ambiguous_guard,
            concurrency=self.concurrency,
            requests_per_second=self.requests_per_second,
            plan_only=read_switch("plan_only", self.plan_only),
            max_changes=None if self.max_changes is None else read_limit("max_changes", self.max_changes),
        )
