"""Rows of a database cursor as dicts: what an Envoke payload is made of."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.core.masking import shown_name
from airflow_provider_envoke.exceptions import EnvokeDataError

if TYPE_CHECKING:
    from collections.abc import Iterable


def column_names(cursor: Any) -> list[str]:
    """
    Return the names of a cursor's columns, as the database spells them.

    :param cursor: a DB-API 2.0 cursor that has run a query.
    :raises EnvokeDataError: if the statement returned no columns, or two of one name.
    """
    if not cursor.description:
        raise EnvokeDataError("The SQL statement returned no columns: it has to be a query (SELECT …).")
    names = [column[0] for column in cursor.description]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise EnvokeDataError(
            f"The SQL query returns more than one column named {', '.join(map(shown_name, twice))}: "
            "give each a name of its own (SELECT … AS …)."
        )
    return names


def rows_as_dicts(cursor: Any) -> list[dict[str, Any]]:
    """
    Return all rows of a cursor as dicts, column name to value.

    It is made to be the ``handler`` of ``SQLExecuteQueryOperator``, whose own handlers return tuples, without
    the columns' names that a payload needs.

    :param cursor: a DB-API 2.0 cursor that has run a query.
    :raises EnvokeDataError: if the statement returned no columns, or two of one name.
    """
    names = column_names(cursor)
    rows: Iterable[Any] = cursor.fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]
