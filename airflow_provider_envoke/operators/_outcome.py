"""What a task's outcome means to Airflow: exceptions, XCom, asset events and metrics."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from copy import copy
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_envoke.exceptions import (
    EnvokeError,
    EnvokePlanError,
    EnvokeQueryError,
    EnvokeRowsError,
    EnvokeSyncError,
    EnvokeTransientError,
)
from airflow_provider_envoke.operators._failure_text import describe_rejects, log_failure
from airflow_provider_envoke.sync.limits import exceeds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_envoke.sync.report import Reject, SyncReport

#: Every metric and what it counts. Words in capitals stand for one of a few words of the provider.
METRICS = {
    "envoke.sync.rows.OUTCOME": "counter: rows by `updated`, `created`, `unchanged`, `skipped`, `rejected`",
    "envoke.sync.rejects.REASON": "counter: rejected rows by reason code",
    "envoke.sync.consent_kept": "counter: rows whose consent was kept as it is in Envoke",
    "envoke.sync.requests.KIND": "counter: requests by `read`, `write`, `retry`",
    "envoke.sync.duration": "timer: a sync",
    "envoke.plan.*": "the same five for a plan that was not applied: `plan_only`, or above `max_changes`",
    "envoke.update.RESULT": "counter: one-contact tasks by `updated`, `created`, `unchanged`, `skipped`, `failed`",
    "envoke.update.duration": "timer: such a task",
}

log = logging.getLogger(__name__)

_PERMANENT_SYNC_ERRORS = (EnvokePlanError, EnvokeRowsError, EnvokeQueryError)


@contextmanager
def fail_without_retry() -> Iterator[None]:
    """
    Let Airflow retry failures that may be temporary, and no others. The exception's class decides.

    A message that Airflow would cut goes to the log in short lines. The exception that ends the task is one short
    sentence, without the traceback of what it replaces; it carries the report of the run, if there is one.

    :raises AirflowFailException: in place of a failure that a retry cannot help.
    """
    try:
        yield
    except EnvokeError as error:
        text = log_failure(str(error))
        may_be_temporary = isinstance(error, (EnvokeTransientError, EnvokeSyncError))
        if may_be_temporary and not isinstance(error, _PERMANENT_SYNC_ERRORS):
            ended: Exception = copy(error)
            ended.args = (text,)
        else:
            ended = AirflowFailException(text)
            vars(ended)["report"] = getattr(error, "report", None)
        raise ended from None


def check_rejects(report: SyncReport, max_rejects: float, path: str, first: Iterable[Reject] = ()) -> None:
    """
    Fail a run in which more rows were rejected than ``max_rejects`` allows.

    :param path: where the rejected rows are, for the message; ``""`` if they are in no file.
    :param first: the first rejected row of each reason, as examples for the message.
    :raises EnvokeRowsError: if more rows were rejected, all for permanent reasons; it carries the report.
    :raises EnvokeSyncError: if a retry may help, because some of them had no answer; it carries the report.
    """
    if not exceeds(report.rejected, max_rejects, report.rows):
        return
    from airflow_provider_envoke.sync.guards import TEMPORARY_REASONS  # noqa: PLC0415 - only when a run ends

    temporary = TEMPORARY_REASONS & report.reasons.keys()
    kind = EnvokeSyncError if temporary else EnvokeRowsError
    raise kind("\n".join(describe_rejects(report, max_rejects, path, first)), report.as_dict())


def set_result(context: Context, result: str) -> None:
    """Put the result into the context as ``envoke_result``: Airflow renders ``map_index_template`` afterwards."""
    cast("dict[str, Any]", context)["envoke_result"] = result


def push_result(context: Context, task: Any, result: dict[str, Any]) -> None:
    """
    Push the result of a task that is about to fail or to be skipped. Of others, Airflow pushes what they return.

    A task with ``do_xcom_push=False`` pushes nothing. Nothing is raised: what ends the task must be seen.
    """
    instance = context.get("ti")
    if instance is None or not task.do_xcom_push:
        return
    try:
        instance.xcom_push(key="return_value", value=result)
    except Exception as error:  # whatever the XCom backend raises
        log.warning("The result could not be pushed to XCom (%s).", type(error).__name__)


def add_to_events(context: Context, outlets: Sequence[Any], report: SyncReport, base_url: str) -> None:
    """
    Put the report into the events of a task's outlets.

    An asset, or a reference to one, gets the report as its event's ``extra``; an alias gets an event of the asset
    ``envoke://HOST/contacts`` with the counts, unless this was a plan.
    """
    from airflow.providers.common.compat.sdk import Asset, AssetAlias  # noqa: PLC0415 - heavy

    events = context.get("outlet_events")
    if events is None:  # as in a unit test
        return
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            if not report.plan_only:
                contacts = Asset(f"envoke://{urlsplit(base_url).netloc}/contacts")
                # Airflow 2.11 fails a task whose alias gets an extra with nested values.
                flat = {name: value for name, value in report.as_dict().items() if not isinstance(value, dict)}
                events[outlet].add(contacts, extra=flat)
        elif isinstance(outlet, Asset) or _refers_to_asset(outlet):
            events[outlet].extra = report.as_dict()


def _refers_to_asset(outlet: Any) -> bool:
    """Whether an outlet is what ``Asset.ref`` returns; Airflow 2 does not have it."""
    from airflow.providers.common.compat.sdk import Asset  # noqa: PLC0415 - heavy

    return hasattr(Asset, "ref") and isinstance(outlet, type(Asset.ref(name="-")) | type(Asset.ref(uri="-")))


def count_sync(report: SyncReport, task: Any) -> None:
    """Emit the metrics of a run, tagged with the ids of its task."""
    from airflow_provider_envoke.sync.report import OUTCOMES  # noqa: PLC0415 - only when a run ends

    prefix = "envoke.plan" if report.plan_only else "envoke.sync"
    counts = {f"rows.{outcome}": getattr(report, outcome) for outcome in OUTCOMES}
    counts |= {f"rejects.{reason}": count for reason, count in report.reasons.items()}
    counts |= {"consent_kept": report.consent_kept}
    counts |= {f"requests.{kind}": count for kind, count in report.requests.items()}
    _emit(prefix, counts, report.seconds, task)


def count_update(result: str, seconds: float, task: Any) -> None:
    """Emit the metrics of an update of one contact, by a result that :data:`METRICS` names."""
    _emit("envoke.update", {result: 1}, seconds, task)


def _emit(prefix: str, counts: dict[str, int], seconds: float, task: Any) -> None:
    from airflow.providers.common.compat.sdk import Stats  # noqa: PLC0415 - heavy

    tags = {"dag_id": task.dag_id, "task_id": task.task_id}
    for name, count in counts.items():
        if count:
            Stats.incr(f"{prefix}.{name}", count, tags=tags)
    Stats.timing(f"{prefix}.duration", timedelta(seconds=seconds), tags=tags)
