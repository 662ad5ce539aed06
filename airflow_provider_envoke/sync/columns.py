"""The columns of a table are judged once, before its first row is sent."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.messages import joined
from airflow_provider_envoke.exceptions import EnvokeConfigError
from airflow_provider_envoke.payload.table import describe_problems, find_problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_provider_envoke.payload.table import ColumnProblems, Lacking
    from airflow_provider_envoke.sync.options import SyncOptions

log = logging.getLogger(__name__)


def check_columns(rows: Iterable[Mapping[str, Any]], options: SyncOptions, *, complete: bool = True) -> None:
    """
    Check the columns of the first row, and that some row has each column that it lacks.

    Rows of one query all have the same columns, but rows of a script may leave some out. Further columns of later
    rows are not looked at: such rows are rejected one by one.

    :param complete: whether no other rows may have what these lack. Otherwise, that alone is no error.
    :raises EnvokeConfigError: naming everything that is wrong with the columns.
    """
    others = iter(rows)
    first = next(others, None)
    if first is None:
        return
    problems = _problems_of(first, options)
    lacking = problems.lacking
    if lacking and complete:
        lacking = _lacking_in_all(others, lacking, options)
    if problems.unfit or (lacking and complete):
        raise EnvokeConfigError(describe_problems(replace(problems, lacking=lacking), of_all_rows=complete))
    if problems.ignored and complete:
        log.info(
            "unknown_columns='ignore' leaves out %d columns that are not fields of Envoke or read-only: %s.",
            len(problems.ignored),
            joined([*problems.ignored], ", "),
        )


def _problems_of(row: Mapping[str, Any], options: SyncOptions) -> ColumnProblems:
    return find_problems(row.keys(), options.fields, options.keyfield, options.rules.extra_fields)


def _lacking_in_all(
    rows: Iterator[Mapping[str, Any]], lacking: tuple[Lacking, ...], options: SyncOptions
) -> tuple[Lacking, ...]:
    """Return which of the columns that the first row lacks the other rows lack too."""
    seen: tuple[Any, ...] = ()
    for row in rows:
        columns = tuple(row.keys())
        if columns == seen:
            continue
        seen = columns
        also = {(each.argument, each.name) for each in _problems_of(row, options).lacking}
        lacking = tuple(each for each in lacking if (each.argument, each.name) in also)
        if not lacking:
            break
    return lacking
