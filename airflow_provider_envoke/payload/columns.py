"""The columns of a query's result, and its rows as dicts, whatever type the driver returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_envoke.envoke.messages import shown_name
from airflow_provider_envoke.exceptions import EnvokeDataError


def column_names(cursor: Any) -> list[str]:
    """
    Return the names of a cursor's columns, as the database spells them.

    :param cursor: a DB-API 2.0 cursor that has run a query.
    :raises EnvokeDataError: if the statement returned no columns, or two with the same name.
    """
    if not cursor.description:
        raise EnvokeDataError("The SQL statement returned no columns. It must be a query (SELECT …).")
    names = [column[0] for column in cursor.description]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise EnvokeDataError(
            f"The SQL query returns more than one column named {', '.join(map(shown_name, twice))}. Give each "
            "column its own name (SELECT … AS …)."
        )
    return names


def row_as_dict(row: Any, names: Sequence[str]) -> dict[str, Any]:
    """
    Return a row as a dict, column name -> value.

    :raises EnvokeDataError: if it is neither a mapping nor a sequence.
    """
    if isinstance(row, Mapping):
        return dict(row)
    if hasattr(row, "keys"):
        return {name: row[name] for name in row.keys()}  # noqa: SIM118 - it is no mapping
    if isinstance(row, Sequence) and not isinstance(row, str | bytes):
        return dict(zip(names, row, strict=True))
    raise EnvokeDataError(f"The database driver returns rows of type {type(row).__name__}, which have no columns.")
