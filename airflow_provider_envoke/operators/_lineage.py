"""What OpenLineage records of a task, if its provider is installed: the tables read and the contacts written."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_envoke.hooks.envoke import EnvokeHook

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.openlineage.facet import Dataset, OutputDataset
    from airflow.providers.openlineage.extractors import OperatorLineage

log = logging.getLogger(__name__)

# Parameters and the doubled percent sign, which the SQL parser does not understand.
_PARAMETER = re.compile(r"%%|%s|%\(\w+\)s")


def operator_lineage(
    envoke_conn_id: str, written: int | None, read_tables: Callable[[], list[Dataset]] = list
) -> OperatorLineage[Any, Any] | None:
    """
    Return a task's lineage, or ``None`` if the OpenLineage provider is not installed.

    It does not hold the query's text, whose literals may be personal data.

    :param written: how many contacts were written; ``None`` if the task was not to write.
    :param read_tables: returns the tables that were read. If it fails, the lineage lacks them.
    """
    try:
        from airflow.providers.openlineage.extractors import OperatorLineage  # noqa: PLC0415 - may be missing
    except ImportError:
        return None
    try:
        inputs = read_tables()
    except Exception as error:  # a hook or its driver may raise anything; what was written is known
        log.warning(
            "OpenLineage gets no tables of the query, because they could not be found (%s).", type(error).__name__
        )
        inputs = []
    outputs = [] if written is None else [_contacts(envoke_conn_id, written)]
    return OperatorLineage(inputs=inputs, outputs=outputs)


def _contacts(envoke_conn_id: str, written: int) -> OutputDataset:
    from airflow.providers.common.compat.openlineage import facet  # noqa: PLC0415 - may be missing

    host = urlsplit(EnvokeHook(envoke_conn_id).get_conn().base_url).netloc
    statistics = facet.OutputStatisticsOutputDatasetFacet(rowCount=written)
    return facet.OutputDataset(
        namespace=f"envoke://{host}", name="contacts", outputFacets={"outputStatistics": statistics}
    )


def query_tables(hook: Any, sql_conn_id: str, sql: str, database: str | None = None) -> list[Dataset]:
    """
    Return the tables that a query reads, with the names that Airflow's own SQL operators use.

    :param sql: the query, or several statements.
    :param database: the name of the database, if it is not the connection's.
    """
    from airflow.providers.openlineage.sqlparser import SQLParser  # noqa: PLC0415 - may be missing

    connection = BaseHook.get_connection(sql_conn_id)
    database_info = hook.get_openlineage_database_info(connection)
    sql = _PARAMETER.sub(lambda found: "%" if found[0] == "%%" else "NULL", sql)
    if database_info is None:
        return _parsed_tables(connection, sql)
    parser = SQLParser(
        dialect=hook.get_openlineage_database_dialect(connection),
        default_schema=hook.get_openlineage_default_schema(),
    )
    found = parser.generate_openlineage_metadata_from_sql(
        sql=sql,
        hook=hook,
        database_info=database_info,
        database=database,
        sqlalchemy_engine=hook.get_sqlalchemy_engine(),
    )
    return list(found.inputs)


def _parsed_tables(connection: Any, sql: str) -> list[Dataset]:
    """Return the tables as the query names them, for hooks without OpenLineage support, such as SQLite's."""
    from airflow.providers.common.compat.openlineage import facet  # noqa: PLC0415 - may be missing
    from airflow.providers.openlineage.sqlparser import SQLParser  # noqa: PLC0415 - may be missing

    parsed = SQLParser(dialect="generic").parse(SQLParser.split_sql_string(sql))
    host = (connection.host or "").rpartition("@")[2]
    port = f":{connection.port}" if connection.port else ""
    namespace = f"{connection.conn_type}://{host}{port}"
    tables = parsed.in_tables if parsed else []
    return [facet.Dataset(namespace=namespace, name=table.qualified_name) for table in tables]
