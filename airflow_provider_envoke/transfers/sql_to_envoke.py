"""Brings the rows of a query into Envoke."""

from __future__ import annotations

import re
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException, BaseHook

from airflow_provider_envoke.envoke.messages import mask_emails, quoted
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeError, EnvokeSyncError
from airflow_provider_envoke.operators._lineage import query_tables
from airflow_provider_envoke.operators._outcome import fail_without_retry
from airflow_provider_envoke.operators._sync import BaseEnvokeSyncOperator
from airflow_provider_envoke.payload.columns import column_names, row_as_dict

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

_FETCH_ROWS = 1_000
_MAX_DRIVER_CHARS = 500
_QUOTED = re.compile(r"""(?<!\w)'.*'(?!\w)|(?<!\w)".*"(?!\w)|\(.*\)=\(.*\)""")


class SqlToEnvokeOperator(BaseEnvokeSyncOperator):
    """
    Bring a query's rows into Envoke, sending only what changed.

    Rows are streamed: they are never all in memory. On PostgreSQL a server-side cursor is used. The other
    arguments are those of :class:`~airflow_provider_envoke.operators._sync.BaseEnvokeSyncOperator`.

    :param sql: one query, or the path of a ``.sql`` file. (templated)
    :param parameters: the query's parameters, in the form that the database driver expects. (templated)
    :param sql_conn_id: the Airflow connection of the database; its hook must be a ``DbApiHook``. (templated)
    """

    template_fields: Sequence[str] = (
        "sql",
        "parameters",
        "sql_conn_id",
        *BaseEnvokeSyncOperator.template_fields,
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {  # noqa: RUF012 - Airflow's type
        "sql": "sql",
        "parameters": "json",
        **BaseEnvokeSyncOperator.template_fields_renderers,
    }

    def __init__(
        self,
        *,
        sql: str,
        sql_conn_id: str,
        parameters: Mapping[str, Any] | Iterable[Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.parameters = parameters

    def execute(self, context: Context) -> dict[str, Any]:
        """Bring the query's rows into Envoke, and return the report; see :meth:`BaseEnvokeSyncOperator.sync`."""
        with fail_without_retry():
            _check_query(self.sql)
            hook = self._database_hook()
        return self.sync(context, QueryRows(hook, self.sql_conn_id, self.sql, self.parameters))

    def tables_read(self) -> list[Any]:
        """Return OpenLineage's datasets of the query's tables."""
        return query_tables(self._database_hook(), self.sql_conn_id, self.sql)

    def _database_hook(self) -> Any:
        from airflow.providers.common.sql.hooks.sql import DbApiHook  # noqa: PLC0415 - heavy

        hook = self._hook_of_connection()
        if not isinstance(hook, DbApiHook):
            raise EnvokeConfigError(
                f"The connection {quoted(self.sql_conn_id)} (sql_conn_id) is not a database connection: its hook "
                f"{type(hook).__name__} is not a DbApiHook. Use the connection of a database."
            )
        return hook

    def _hook_of_connection(self) -> Any:
        if not self.sql_conn_id:
            raise EnvokeConfigError("sql_conn_id is empty: set a connection's id, or check its template.")
        try:
            return BaseHook.get_hook(self.sql_conn_id)
        except AirflowNotFoundException:
            problem = "There is no connection {} (sql_conn_id). Add it, or correct the id."
        except AirflowException:
            problem = (
                "No installed provider has the type of the connection {} (sql_conn_id). Install its provider, or "
                "correct the id."
            )
        raise EnvokeConfigError(problem.format(quoted(self.sql_conn_id)))


def _check_query(sql: object) -> None:
    if not isinstance(sql, str) or not sql.strip():
        raise EnvokeConfigError(
            "sql must be one query as text, but it is empty or of another type. Check its template."
        )


def _query_failed(error: Exception, conn_id: str, count: int) -> EnvokeSyncError:
    when = f"after {count} rows" if count else "before its first row"
    rows = " The report has the outcome of these rows." if count else ""
    return EnvokeSyncError(
        f"The query of the connection {quoted(conn_id)} (sql_conn_id) failed {when} with {type(error).__name__}: "
        f"{_driver_message(error)}.{rows} Fix the query or the database and run again, which is safe."
    )


def _driver_message(error: Exception) -> str:
    """
    Return the first line of a driver's message. The lines after it are details, which quote rows.

    PEP 249 defines the classes of errors that the data causes: in their messages a quoted word is a value.
    """
    text = next(iter(str(error).strip().splitlines()), "no message")
    if {"DataError", "IntegrityError"} & {kind.__name__ for kind in type(error).__mro__}:
        text = _QUOTED.sub("…", text)
    line = "".join(char if char.isprintable() else " " for char in text)
    return mask_emails(line)[:_MAX_DRIVER_CHARS].rstrip(".")


class QueryRows:
    """
    A query's rows. Each iteration opens a connection of the hook, a ``DbApiHook``, and runs the query again.
    """

    def __init__(self, hook: Any, conn_id: str, sql: str, parameters: Any = None) -> None:
        self._hook = hook
        self._conn_id = conn_id
        self._sql = sql
        self._parameters = parameters

    def __iter__(self) -> Generator[dict[str, Any], None, None]:
        """Yield the rows. A failure of the database becomes an EnvokeSyncError without values of rows."""
        count = 0
        rows: Generator[dict[str, Any], None, None] | None = None
        try:
            rows = stream_rows(self._hook.get_conn(), self._sql, self._parameters)
            for row in rows:
                count += 1
                yield row
        except GeneratorExit:
            with suppress(Exception):  # the caller needs to see what ended the iteration early
                if rows is not None:
                    rows.close()
            raise
        except EnvokeError:
            raise
        except Exception as error:
            failure = _query_failed(error, self._conn_id, count)
        else:
            return
        # Raised here, so that it is not chained to the driver's exception, which may quote a row.
        raise failure


def stream_rows(connection: Any, sql: str, parameters: Any = None) -> Generator[dict[str, Any], None, None]:
    """
    Yield the rows of one query as dicts, and close the connection, a DB-API 2.0 one, at the end.

    :raises EnvokeDataError: if it returns no columns, or two with the same name.
    """
    with closing(connection), closing(_open_cursor(connection)) as cursor:
        if parameters:
            cursor.execute(sql, parameters)
        else:
            cursor.execute(sql)
        # Fetched before the names are read: a server-side cursor has them only then.
        rows = cursor.fetchmany(_FETCH_ROWS)
        names = column_names(cursor)
        while rows:
            for row in rows:
                yield row_as_dict(row, names)
            rows = cursor.fetchmany(_FETCH_ROWS)


def _open_cursor(connection: Any) -> Any:
    """Return a cursor. psycopg's default cursor fetches the whole result into memory; a named one does not."""
    if type(connection).__module__.partition(".")[0] in ("psycopg2", "psycopg"):
        return connection.cursor(name="envoke_sync")
    return connection.cursor()
