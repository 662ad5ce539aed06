"""The base of the operators that bring whole tables into Envoke."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_envoke.hooks.envoke import EnvokeHook
from airflow_provider_envoke.operators._lineage import operator_lineage
from airflow_provider_envoke.operators._run import TaskRun
from airflow_provider_envoke.operators._templated import read_switch
from airflow_provider_envoke.payload.build import PayloadRules
from airflow_provider_envoke.payload.mapping import FieldMap
from airflow_provider_envoke.sync.limits import read_limit
from airflow_provider_envoke.sync.options import SyncOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_envoke.envoke.fields import Keyfield
    from airflow_provider_envoke.operators._run import OnEmpty
    from airflow_provider_envoke.payload.build import Nulls, OnOverlong
    from airflow_provider_envoke.payload.mapping import UnknownColumns
    from airflow_provider_envoke.sync.options import OnDuplicate, OnMissing, OnWithdrawn, Strategy
    from airflow_provider_envoke.sync.report import Outcome

_DRY_RUN_PREVIEW = 3


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
    :param reference: one column or several that identify a row for people, such as the table's primary key. They
        are in the rejects file and in messages. They are not sent to Envoke, unless ``field_map`` maps them too.
    :param unknown_columns: ``"error"`` fails the task before anything is sent if a column is no field of Envoke or
        a read-only one; ``"ignore"`` leaves these columns out, so that ``SELECT *`` can be used, and logs their
        names. With ``field_map``, other columns are always left out.
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
    :param on_withdrawn: what to do with a row whose consent would replace that of a person who has revoked consent
        or reported spam: ``"keep"`` leaves the consent and its description as they are in Envoke, writes the rest
        and counts the row as ``consent_kept``, too; ``"reject"`` rejects the row. A ``consent_description``
        without a status is always kept as it is.
    :param consent_guard: never replace the consent of a person who has revoked consent or reported spam.
    :param shared_email_guard: with another key than ``email``, reject rows that would give a contact the address
        of another contact, and all rows that would give theirs the same address.
    :param ambiguous_guard: reject rows whose key belongs to several contacts.
    :param concurrency: how many requests are under way at once.
    :param requests_per_second: how many requests may start in a second; by default as the connection says.
    :param plan_only: read, compare and report what would change, but write nothing. (templated)
    :param preview: how many requests to log that would be sent, up to 100: method, path and body, with masked
        values. Above 0, nothing is written, as with ``plan_only``.
    :param preview_unmasked: show the values whole, for a test account: the log then holds personal data.
    :param max_rejects: how many rows may be rejected before the task fails: a count (1 is one row), or a share
        below 1. (templated)
    :param max_changes: a circuit breaker: how many rows may change or create contacts, a count or a share below 1.
        The rows are planned first; if there are more, nothing is written, and the task fails without retries, with
        the plan as its report. If there are not, the contacts are read again. With ``plan_only`` only the plan is
        checked. With ``strategy="all"`` every row that would be sent counts.
        ``None``: no limit. (templated)
    :param rejects_path: file or folder that receives a JSON line for each row that is not written, with its key,
        its ``reference`` and the reason: a local path, or a URL that Airflow's ``ObjectStoragePath`` supports.
        Each try of a task instance writes a file of its own and never over another one: in a folder, one named
        after the task instance and the try; a file's name is used as it is by the first try of a task that is not
        mapped, unless the file exists, and otherwise gets these ids. The log names the file. (templated)
    :param rejects_include: the rows that are listed there: ``"rejected"``, ``"skipped"`` or both. Rows whose
        consent was kept are always listed.
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
        reference: str | Sequence[str] = (),
        unknown_columns: UnknownColumns = "error",
        envoke_conn_id: str = EnvokeHook.default_conn_name,
        nulls: Nulls = "ignore",
        on_overlong: OnOverlong = "reject",
        extra_fields: Collection[str] = (),
        strategy: Strategy = "changed",
        on_missing: OnMissing = "reject",
        on_duplicate: OnDuplicate = "first",
        on_withdrawn: OnWithdrawn = "keep",
        consent_guard: bool = True,
        shared_email_guard: bool = True,
        ambiguous_guard: bool = True,
        concurrency: int = 8,
        requests_per_second: float | None = None,
        plan_only: bool | str = False,
        preview: int = 0,
        preview_unmasked: bool = False,
        max_rejects: float | str = 0,
        max_changes: float | str | None = None,
        rejects_path: str | None = None,
        rejects_include: Collection[Outcome] = ("rejected", "skipped"),
        on_empty: OnEmpty = "succeed",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.keyfield = keyfield
        self.field_map = field_map
        self.static_fields = static_fields
        self.reference = reference
        self.unknown_columns = unknown_columns
        self.envoke_conn_id = envoke_conn_id
        self.nulls = nulls
        self.on_overlong = on_overlong
        self.extra_fields = extra_fields
        self.strategy = strategy
        self.on_missing = on_missing
        self.on_duplicate = on_duplicate
        self.on_withdrawn = on_withdrawn
        self.consent_guard = consent_guard
        self.shared_email_guard = shared_email_guard
        self.ambiguous_guard = ambiguous_guard
        self.concurrency = concurrency
        self.requests_per_second = requests_per_second
        self.plan_only = plan_only
        self.preview = preview
        self.preview_unmasked = preview_unmasked
        self.max_rejects = max_rejects
        self.max_changes = max_changes
        self.rejects_path = rejects_path
        self.rejects_include = rejects_include
        self.on_empty = on_empty
        self._task_run = TaskRun()

    def source_rows(self) -> Iterable[Mapping[str, Any]]:
        """
        Return the rows to bring into Envoke.

        :raises AirflowFailException: if they cannot be had, and a retry cannot help.
        """
        raise NotImplementedError

    def dry_run(self) -> None:
        """
        Plan, and log the report and the first requests that would be sent: three, or as ``preview`` says.

        Nothing is written, pushed or recorded, and there is no rejects file. It fails where :meth:`execute` would.
        """
        task = copy(self)
        task.preview = self.preview or _DRY_RUN_PREVIEW
        task._task_run = TaskRun()
        task._task_run.sync(task, None, task.source_rows())

    def on_kill(self) -> None:
        """Stop the run, also one that has not begun yet; what was done so far is reported."""
        self._task_run.kill()

    def get_openlineage_facets_on_complete(
        self,
        task_instance: Any,  # noqa: ARG002 - Airflow's signature
    ) -> OperatorLineage[Any, Any] | None:
        """Return what OpenLineage records, also for a failed task; a plan writes nothing."""
        report = self._task_run.report
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
        return self._task_run.sync(self, context, rows)

    def sync_options(self) -> SyncOptions:
        """
        Return the options of the run.

        :raises EnvokeConfigError: if an argument is invalid.
        """
        return SyncOptions(
            keyfield=self.keyfield,
            fields=FieldMap(
                {} if self.field_map is None else self.field_map,
                {} if self.static_fields is None else self.static_fields,
                (self.reference,) if isinstance(self.reference, str) else self.reference,
                self.unknown_columns,
            ),
            rules=PayloadRules(self.nulls, self.on_overlong, self.extra_fields),
            strategy=self.strategy,
            on_missing=self.on_missing,
            on_duplicate=self.on_duplicate,
            on_withdrawn=self.on_withdrawn,
            consent_guard=self.consent_guard,
            shared_email_guard=self.shared_email_guard,
            ambiguous_guard=self.ambiguous_guard,
            concurrency=self.concurrency,
            requests_per_second=self.requests_per_second,
            plan_only=read_switch("plan_only", self.plan_only),
            preview=self.preview,
            preview_unmasked=self.preview_unmasked,
            max_changes=None if self.max_changes is None else read_limit("max_changes", self.max_changes),
        )
