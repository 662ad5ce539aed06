"""The columns of a table are judged once, before its first row is sent."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.messages import joined
from airflow_provider_envoke.exceptions import EnvokeConfigError
from airflow_provider_envoke.payload.table import describe_problems, find_lacking, find_problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_envoke.payload.table import Lacking
    from airflow_provider_envoke.sync.options import SyncOptions

_MAX_REMEMBERED = 64

log = logging.getLogger(__name__)


def check_columns(
    first: Mapping[str, Any], others: Iterable[Mapping[str, Any]] | None, options: SyncOptions
) -> None:
    """
    Check the columns of a table, and log which of them are left out.

    Rows of one query all have the same columns, but rows of a script may leave some out: what the first row lacks
    is an error if no other row has it. Further columns of later rows are not looked at: such rows are rejected one
    by one.

    :param others: the other rows, read only if the first row lacks a column; it may be among them. ``()``: the
        other rows have the same columns. ``None``: they are not read yet, so what the first row lacks is no error.
    :raises EnvokeConfigError: naming everything that is wrong with the columns.
    """
    problems = find_problems(first.keys(), options.fields, options.keyfield, options.rules.extra_fields)
    lacking = problems.lacking
    if lacking and others is not None:
        lacking = _lacking_in_all(others, lacking, options)
    if problems.unfit or (lacking and others is not None):
        problems = replace(problems, lacking=lacking)
        raise EnvokeConfigError(describe_problems(problems, of_all_rows=others is not None))
    if problems.ignored and others is not None:
        log.info(
            "unknown_columns='ignore' leaves out %d columns that are not fields of Envoke or read-only: %s.",
            len(problems.ignored),
            joined([*problems.ignored], ", "),
        )


def _lacking_in_all(
    rows: Iterable[Mapping[str, Any]], lacking: tuple[Lacking, ...], options: SyncOptions
) -> tuple[Lacking, ...]:
    """Return which of the columns that the first row lacks the other rows lack too."""
    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        columns = tuple(row.keys())
        if columns in seen:
            continue
        if len(seen) < _MAX_REMEMBERED:
            seen.add(columns)
        also = find_lacking(columns, options.fields, options.keyfield, options.rules.extra_fields)
        lacking = tuple(each for each in lacking if (each.argument, each.name) in also)
        if not lacking:
            break
    return lacking
