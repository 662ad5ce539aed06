"""Brings the rows of a query into Envoke."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException

from airflow_provider_envoke.envoke.messages import quoted
from airflow_provider_envoke.exceptions import EnvokeConfigError
from airflow_provider_envoke.operators._lineage import query_tables
from airflow_provider_envoke.operators._outcome import fail_without_retry
from airflow_provider_envoke.operators._sync import BaseEnvokeSyncOperator
from airflow_provider_envoke.operators._templated import check_rendered_nulls
from airflow_provider_envoke.transfers._query import QueryRows

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import Context


class SqlToEnvokeOperator(BaseEnvokeSyncOperator):
    """
    Bring a query's rows into Envoke, sending only what changed.

    The whole query is read before the first request, into a temporary file: rows are never all in memory, and the
    database is not kept waiting. If the task is stopped meanwhile, the query is cancelled in the database. The
    other arguments are those of :class:`~airflow_provider_envoke.operators._sync.BaseEnvokeSyncOperator`.

    :param sql: one query, or the path of a ``.sql`` file; or a list of statements whose last one is the query. The
        others run first, in the same transaction, which is committed after the last row. (templated)
    :param parameters: the query's parameters, a list or a dict as the database driver expects. (templated)
    :param sql_conn_id: the Airflow connection of the database; its hook must be a ``DbApiHook``. (templated)
    :param hook_params: arguments of that hook, as for Airflow's own SQL operators; they take precedence over the
        connection's extra. (templated)
    :param database: the database to use instead of the connection's, as for Airflow's own SQL operators.
        (templated)
    :param split_statements: whether ``sql``, or an element of the list, may consist of several statements, such as
        ``SET …``; the last one of all is the query.
    """

    template_fields: Sequence[str] = (
        "sql",
        "parameters",
        "sql_conn_id",
        "hook_params",
        "database",
        *BaseEnvokeSyncOperator.template_fields,
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {  # noqa: RUF012 - Airflow's type
        "sql": "sql",
        "parameters": "json",
        "hook_params": "json",
        **BaseEnvokeSyncOperator.template_fields_renderers,
    }

    def __init__(
        self,
        *,
        sql: str | list[str],
        sql_conn_id: str,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        hook_params: Mapping[str, Any] | None = None,
        database: str | None = None,
        split_statements: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.parameters = parameters
        self.hook_params = hook_params
        self.database = database
        self.split_statements = split_statements
        self._query: QueryRows | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Bring the query's rows into Envoke, and return the report; see :meth:`BaseEnvokeSyncOperator.sync`."""
        return self.sync(context, self.source_rows())

    def source_rows(self) -> QueryRows:
        """Return the rows of the query, which begins when they are iterated."""
        with fail_without_retry():
            statements = _statements(self.sql)
            self._check_rendered_nulls()
            self._check_parameters()
            hook = self._database_hook()
            if self.split_statements:
                statements = _split(statements, hook)
        self._query = QueryRows(hook, self.sql_conn_id, statements, self.parameters)
        if self._task_run.killed:  # before there was a query to cancel
            self._query.cancel()
        return self._query

    def on_kill(self) -> None:
        """Stop the run and cancel the query in the database; what was done so far is reported."""
        super().on_kill()
        if self._query is not None:
            self._query.cancel()

    def tables_read(self) -> list[Any]:
        """Return OpenLineage's datasets of the query's tables."""
        sql = ";\n".join(statement.rstrip().rstrip(";") for statement in _statements(self.sql))
        return query_tables(self._database_hook(), self.sql_conn_id, sql, self.database)

    def _check_rendered_nulls(self) -> None:
        """Refuse the text ``None`` of a missing value: the query would return the wrong rows, or none."""
        for argument in ("database", "parameters", "hook_params"):
            check_rendered_nulls(argument, getattr(self, argument))

    def _check_parameters(self) -> None:
        """Refuse anything but a list or a dict: of a text, a driver would take each character."""
        given = self.parameters
        if isinstance(given, str | bytes) or not isinstance(given, Mapping | Sequence | None):
            raise EnvokeConfigError(
                f"parameters must be a list or a dict of values, not {type(given).__name__}. Check its template."
            )

    def _database_hook(self) -> Any:
        from airflow.providers.common.sql.hooks.sql import DbApiHook  # noqa: PLC0415 - heavy

        hook = self._hook_of_connection()
        if not isinstance(hook, DbApiHook):
            raise EnvokeConfigError(
                f"The connection {quoted(self.sql_conn_id)} (sql_conn_id) is not a database connection: its hook "
                f"{type(hook).__name__} is not a DbApiHook. Use the connection of a database."
            )
        if self.database:  # as BaseSQLOperator does
            setattr(hook, "database" if hook.conn_type == "postgres" else "schema", self.database)
        return hook

    def _hook_of_connection(self) -> Any:
        from airflow.providers.common.sql.operators.sql import BaseSQLOperator  # noqa: PLC0415 - heavy

        if not self.sql_conn_id:
            raise EnvokeConfigError("sql_conn_id is empty: set a connection's id, or check its template.")
        if not isinstance(self.hook_params, Mapping | None):
            kind = type(self.hook_params).__name__
            raise EnvokeConfigError(
                f"hook_params must be a dict of the hook's arguments, not {kind}. Check its template."
            )
        conn_id = quoted(self.sql_conn_id)
        try:
            # A copy, because the connection's extra is added to it.
            return BaseSQLOperator.get_hook(self.sql_conn_id, hook_params=dict(self.hook_params or {}))
        except AirflowNotFoundException:
            problem = f"There is no connection {conn_id} (sql_conn_id). Add it, or correct the id."
        except AirflowException:
            problem = (
                f"No installed provider has the type of the connection {conn_id} (sql_conn_id). Install its "
                "provider, or correct the id."
            )
        except TypeError as error:
            problem = (
                f"The hook of the connection {conn_id} (sql_conn_id) does not accept its arguments: "
                f"{quoted(error)}. Correct hook_params, or the connection's extra, which is added to them."
            )
        raise EnvokeConfigError(problem)


def _statements(sql: object) -> list[str]:
    """Return the statements of ``sql``; the last one is the query."""
    statements: list[Any] = list(sql) if isinstance(sql, list | tuple) else [sql]
    if not statements or not all(isinstance(each, str) and each.strip() for each in statements):
        raise EnvokeConfigError(
            "sql must be a query as text, or a list of statements, but it is empty or of another type. Check its "
            "template."
        )
    return statements


def _split(statements: list[str], hook: Any) -> list[str]:
    # Not every version of Airflow's hooks has strip_semicolon.
    options = {"strip_semicolon": True} if getattr(hook, "strip_semicolon", False) else {}
    split: Callable[..., list[str]] = hook.split_sql_string
    return _statements([each for statement in statements for each in split(statement, **options)])
