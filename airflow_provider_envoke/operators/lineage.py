"""What OpenLineage is told of a task, where its provider is installed: the tables read, the contacts written."""

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

# What drivers put into a query that the SQL parser takes for an error: parameters, and the doubled sign.
_PARAMETER = re.compile(r"%%|%s|%\(\w+\)s")


def operator_lineage(
    envoke_conn_id: str, written: int | None, read_tables: Callable[[], list[Dataset]] = list
) -> OperatorLineage[Any, Any] | None:
    """
    Return a task's lineage, or ``None`` where the OpenLineage provider is not installed.

    The query's text is not part of it: its literals may be personal data.

    :param envoke_conn_id: the connection of the account that was written to.
    :param written: how many contacts were; ``None`` if none was meant to be.
    :param read_tables: returns the tables that were read. If it fails, the lineage lacks them.
    """
    try:
        from airflow.providers.openlineage.extractors import OperatorLineage  # noqa: PLC0415 - may be missing
    except ImportError:
        return None
    try:
        inputs = read_tables()
    except Exception as error:  # whatever a hook or its driver raises: what was written is known
        log.warning("The lineage lacks the query's tables: %s.", type(error).__name__)
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


def query_tables(hook: Any, sql_conn_id: str, sql: str) -> list[Dataset]:
    """
    Return the tables that a query reads, by the names that Airflow's own SQL operators give them.

    :param hook: the database's hook, a ``DbApiHook``.
    :param sql_conn_id: its connection.
    :param sql: the query, rendered.
    """
    from airflow.providers.openlineage.sqlparser import SQLParser  # noqa: PLC0415 - may be missing

    connection = BaseHook.get_connection(sql_conn_id)
    database = hook.get_openlineage_database_info(connection)
    sql = _PARAMETER.sub(lambda found: "%" if found[0] == "%%" else "NULL", sql)
    if database is None:
        return _parsed_tables(connection, sql)
    parser = SQLParser(
        dialect=hook.get_openlineage_database_dialect(connection),
        default_schema=hook.get_openlineage_default_schema(),
    )
    found = parser.generate_openlineage_metadata_from_sql(
        sql=sql, hook=hook, database_info=database, sqlalchemy_engine=hook.get_sqlalchemy_engine()
    )
    return list(found.inputs)


def _parsed_tables(connection: Any, sql: str) -> list[Dataset]:
    """Name the tables of a database whose hook tells OpenLineage nothing, such as SQLite's, as the query does."""
    from airflow.providers.common.compat.openlineage import facet  # noqa: PLC0415 - may be missing
    from airflow.providers.openlineage.sqlparser import SQLParser  # noqa: PLC0415 - may be missing

    parsed = SQLParser(dialect="generic").parse(SQLParser.split_sql_string(sql))
    host = (connection.host or "").rpartition("@")[2]
    port = f":{connection.port}" if connection.port else ""
    namespace = f"{connection.conn_type}://{host}{port}"
    tables = parsed.in_tables if parsed else []
    return [facet.Dataset(namespace=namespace, name=table.qualified_name) for table in tables]
