"""Limits on how many rows a run may reject or change: a count, or a share of the rows."""

from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING

from airflow_provider_envoke.core.masking import quoted
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokePlanError, EnvokeSyncError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_envoke.core.report import Reject, SyncReport

_MAX_EXAMPLES = 3
_MAX_EXAMPLE_CHARS = 300


def read_limit(name: str, limit: object) -> float:
    """
    Return a limit as a number.

    :param name: the argument's name, for the message.
    :param limit: a whole count from 0, a share above 0 and below 1, or the text of one, as a template renders it.
    :raises EnvokeConfigError: if it is neither.
    """
    number = _as_number(limit)
    if math.isfinite(number) and (0 < number < 1 or (number >= 0 and number == int(number))):
        return number
    raise EnvokeConfigError(
        f"{name} has to be a count (such as 10) or a share below 1 (such as 0.01), not {quoted(limit)}."
    )


def exceeds(count: int, limit: float, rows: int) -> bool:
    """
    Return whether a count is above a limit.

    :param limit: what :func:`read_limit` returned.
    :param rows: the rows that a share is a share of.
    """
    if not 0 < limit < 1:
        return count > limit
    # Divided, not multiplied: 29 / 100 is 0.29, but 0.29 * 100 is a little below 29.
    return rows > 0 and count / rows > limit


def check_rejects(
    report: SyncReport, max_rejects: float, rejects_path: str | None, first: Iterable[Reject] = ()
) -> None:
    """
    Fail a run in which too many rows were rejected.

    :param max_rejects: how many rows may be: what :func:`read_limit` returned.
    :param rejects_path: file of the rejected rows, for the message.
    :param first: the first rejected row of each reason: the message says what was wrong with it.
    :raises EnvokeSyncError: if there were more; it carries the report.
    """
    if not exceeds(report.rejected, max_rejects, report.rows):
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in report.reasons.items())
    where = f"they are in {rejects_path}" if rejects_path else "set rejects_path to get them in a file"
    were = "would not be" if report.plan_only else "were not"
    others = " The other rows are done." if report.rejected < report.rows else ""
    others = " Nothing was written: plan_only is on." if report.plan_only else others
    raise EnvokeSyncError(
        f"{report.rejected} of {report.rows} rows {were} written to Envoke ({reasons}); {where}.{others} "
        f"Running again is safe.{_examples(first)}",
        report,
    )


def _examples(first: Iterable[Reject]) -> str:
    shown = [f"row {each.row}: {each.message[:_MAX_EXAMPLE_CHARS]}" for each in islice(first, _MAX_EXAMPLES)]
    return f" For example {'; '.join(shown)}" if shown else ""


def check_changes(plan: SyncReport, max_changes: float) -> None:
    """
    Fail a plan that changes too much.

    :param plan: what would be written.
    :param max_changes: for how many rows that may be: what :func:`read_limit` returned.
    :raises EnvokePlanError: if it is for more; it carries the plan.
    """
    if not exceeds(plan.changes, max_changes, plan.rows):
        return
    raise EnvokePlanError(
        f"{plan.changes} of {plan.rows} rows would change contacts in Envoke ({plan.updated} updates, "
        f"{plan.created} new ones), more than max_changes={max_changes:g} allows: nothing was written. The report "
        "names the fields. Look at the table; if it is right, allow more with max_changes.",
        plan,
    )


def check_overrun(changes: int, plan: SyncReport, max_changes: float) -> None:
    """
    Stop a run that changes more than its plan may have changed.

    :param changes: for how many rows contacts have been changed so far.
    :param plan: what the run was allowed on.
    :param max_changes: what :func:`read_limit` returned.
    :raises EnvokePlanError: if it is for more.
    """
    if not exceeds(changes, max_changes, plan.rows):
        return
    raise EnvokePlanError(
        f"By the plan {plan.changes} of {plan.rows} rows changed contacts, but the table or the contacts have "
        f"changed since: the run was stopped after {changes}, more than max_changes={max_changes:g} allows. Look "
        "at the table before you run it again."
    )


def _as_number(limit: object) -> float:
    if isinstance(limit, bool) or not isinstance(limit, int | float | str):
        return math.nan
    try:
        return float(limit)
    except (ValueError, OverflowError):
        return math.nan
