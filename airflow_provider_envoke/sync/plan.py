"""The circuit breaker: a plan, or the run after it, with more changes than ``max_changes`` allows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_envoke.exceptions import EnvokePlanError
from airflow_provider_envoke.sync.limits import allowed_count, exceeds

if TYPE_CHECKING:
    from airflow_provider_envoke.sync.report import SyncReport


def check_changes(plan: SyncReport, max_changes: float) -> None:
    """Raise EnvokePlanError, which carries the plan, if it changes more contacts than ``max_changes`` allows."""
    if not exceeds(plan.changes, max_changes, plan.rows):
        return
    raise EnvokePlanError(
        f"{plan.changes} of {plan.rows} rows would change contacts, more than max_changes={max_changes} allows "
        f"({allowed_count(max_changes, plan.rows)}). They are {plan.updated} updates and {plan.created} new "
        "contacts. Nothing was written. The report names the fields. Check the table; if it is right, raise "
        "max_changes.",
        replace(plan, stopped="max_changes").as_dict(),
    )


def check_overrun(changes: int, plan: SyncReport, max_changes: float) -> None:
    """Raise EnvokePlanError if a run has made more changes than ``max_changes`` allows, contrary to its plan."""
    if not exceeds(changes, max_changes, plan.rows):
        return
    raise EnvokePlanError(
        f"The plan had {plan.changes} changes in {plan.rows} rows, but the contacts have changed since; stopped "
        f"after {changes} changes (max_changes={max_changes}). Check the contacts before you run it again."
    )
