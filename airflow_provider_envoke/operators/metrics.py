"""What the operators count for Airflow's metrics (StatsD, OpenTelemetry): a few numbers at the end of a task."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.core.report import OUTCOMES

if TYPE_CHECKING:
    from airflow_provider_envoke.core.report import SyncReport

#: Every metric's name and what it says. What stands in capitals is one of a few words of the provider's own.
METRICS = {
    "envoke.sync.rows.OUTCOME": "counter: rows by `updated`, `created`, `unchanged`, `skipped`, `rejected`",
    "envoke.sync.rejects.REASON": "counter: rejected rows by reason code",
    "envoke.sync.requests.KIND": "counter: requests by `read`, `write`, `retry`",
    "envoke.sync.duration": "timer: a sync",
    "envoke.plan.*": "the same four of a plan that was not carried out: `plan_only`, or above `max_changes`",
    "envoke.update.RESULT": "counter: tasks of one contact by `updated`, `created`, `skipped`, `failed`",
    "envoke.update.duration": "timer: such a task",
}


def count_sync(report: SyncReport, task: Any) -> None:
    """
    Count what a run came to.

    :param report: its report.
    :param task: the operator; its ids are the tags.
    """
    prefix = "envoke.plan" if report.plan_only else "envoke.sync"
    counts = {f"rows.{outcome}": getattr(report, outcome) for outcome in OUTCOMES}
    counts |= {f"rejects.{reason}": count for reason, count in report.reasons.items()}
    counts |= {f"requests.{kind}": count for kind, count in report.requests.items()}
    _emit(prefix, counts, report.seconds, task)


def count_update(result: str, seconds: float, task: Any) -> None:
    """
    Count the update of one contact.

    :param result: ``updated``, ``created``, ``skipped`` or ``failed``.
    :param seconds: time that it took.
    :param task: the operator; its ids are the tags.
    """
    _emit("envoke.update", {result: 1}, seconds, task)


def _emit(prefix: str, counts: dict[str, int], seconds: float, task: Any) -> None:
    from airflow.providers.common.compat.sdk import Stats  # noqa: PLC0415 - heavy

    tags = {"dag_id": task.dag_id, "task_id": task.task_id}
    for name, count in counts.items():
        if count:
            Stats.incr(f"{prefix}.{name}", count, tags=tags)
    Stats.timing(f"{prefix}.duration", timedelta(seconds=seconds), tags=tags)
