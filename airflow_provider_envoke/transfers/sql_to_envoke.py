"""A query's rows into Envoke."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_envoke.core.masking import quoted
from airflow_provider_envoke.core.rows import column_names
from airflow_provider_envoke.exceptions import EnvokeConfigError
from airflow_provider_envoke.operators.lineage import query_tables
from airflow_provider_envoke.operators.outcome import hopeless_failures_end_the_task
from airflow_provider_envoke.operators.sync import BaseEnvokeSyncOperator

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

_FETCH_ROWS = 1_000


class SqlToEnvokeOperator(BaseEnvokeSyncOperator):
    """
    Bring a query's rows into Envoke, sending only what changed.

    Rows are streamed: they are never all in memory, and PostgreSQL keeps them on its side with a server-side
    cursor. All other arguments are those of
    :class:`~airflow_provider_envoke.operators.sync.BaseEnvokeSyncOperator`.

    :param sql: one query, or the path of a ``.sql`` file. (templated)
    :param parameters: the query's parameters, as its database driver takes them. (templated)
    :param sql_conn_id: the Airflow connection of the database: any whose hook is a ``DbApiHook``. (templated)
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
        """Run the query and bring its rows over; see :meth:`BaseEnvokeSyncOperator.sync` for what it returns."""
        with hopeless_failures_end_the_task():
            hook = self._database_hook()
        return self.sync(context, QueryRows(hook, self.sql, self.parameters))

    def tables_read(self) -> list[Any]:
        """Return OpenLineage's datasets of the query's tables."""
        return query_tables(self._database_hook(), self.sql_conn_id, self.sql)

    def _database_hook(self) -> Any:
        from airflow.providers.common.sql.hooks.sql import DbApiHook  # noqa: PLC0415 - heavy

        hook = BaseHook.get_hook(self.sql_conn_id)
        if not isinstance(hook, DbApiHook):
            raise EnvokeConfigError(
                f"The connection {quoted(self.sql_conn_id)} (sql_conn_id) is not one of a database: its hook is "
                f"{type(hook).__name__}, which is not a DbApiHook."
            )
        return hook


class QueryRows:
    """
    A query's rows, as often as they are asked for: each reading opens a connection and runs the query anew.

    :param hook: the database's hook, a ``DbApiHook``.
    :param sql: one query.
    :param parameters: its parameters, as the driver takes them.
    """

    def __init__(self, hook: Any, sql: str, parameters: Any = None) -> None:
        self._hook = hook
        self._sql = sql
        self._parameters = parameters

    def __iter__(self) -> Generator[dict[str, Any], None, None]:
        yield from stream_rows(self._hook.get_conn(), self._sql, self._parameters)


def stream_rows(connection: Any, sql: str, parameters: Any = None) -> Generator[dict[str, Any], None, None]:
    """
    Yield a query's rows as dicts, and close the connection at the end.

    :param connection: a DB-API 2.0 connection.
    :param sql: one query.
    :param parameters: its parameters, as the driver takes them.
    :raises EnvokeDataError: if it returns no columns, or two of one name.
    """
    with closing(connection), closing(_open_cursor(connection)) as cursor:
        if parameters:
            cursor.execute(sql, parameters)
        else:
            cursor.execute(sql)
        # Fetched before the names are read: a server-side cursor knows them only then.
        rows = cursor.fetchmany(_FETCH_ROWS)
        names = column_names(cursor)
        while rows:
            for row in rows:
                yield dict(zip(names, row, strict=True))
            rows = cursor.fetchmany(_FETCH_ROWS)


def _open_cursor(connection: Any) -> Any:
    """Return a cursor; psycopg's plain one would fetch the whole result into memory, its named one does not."""
    if type(connection).__module__.partition(".")[0] in ("psycopg2", "psycopg"):
        return connection.cursor(name="envoke_sync")
    return connection.cursor()
