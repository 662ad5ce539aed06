"""What a task's outcome means to Airflow: exceptions, the rejects file, XCom, asset events and metrics."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import timedelta
from itertools import islice
from os import PathLike
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_envoke.envoke.messages import mask_emails
from airflow_provider_envoke.exceptions import (
    EnvokeConfigError,
    EnvokeError,
    EnvokePlanError,
    EnvokeSyncError,
    EnvokeTransientError,
)
from airflow_provider_envoke.sync.options import exceeds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_envoke.sync.report import Reject, SyncReport

#: Every metric and what it counts. Words in capitals stand for one of a few words of the provider.
METRICS = {
    "envoke.sync.rows.OUTCOME": "counter: rows by `updated`, `created`, `unchanged`, `skipped`, `rejected`",
    "envoke.sync.rejects.REASON": "counter: rejected rows by reason code",
    "envoke.sync.requests.KIND": "counter: requests by `read`, `write`, `retry`",
    "envoke.sync.duration": "timer: a sync",
    "envoke.plan.*": "the same four for a plan that was not applied: `plan_only`, or above `max_changes`",
    "envoke.update.RESULT": "counter: tasks of one contact by `updated`, `created`, `skipped`, `failed`",
    "envoke.update.duration": "timer: such a task",
}

_MAX_PATH_CHARS = 300
_MAX_EXAMPLES = 3
_MAX_EXAMPLE_CHARS = 300


@contextmanager
def fail_without_retry() -> Iterator[None]:
    """
    Let Airflow retry failures that may be temporary, and no others. The exception's class decides.

    :raises AirflowFailException: in place of a failure that a retry cannot help.
    """
    try:
        yield
    except EnvokePlanError as error:
        raise AirflowFailException(str(error)) from error
    except (EnvokeTransientError, EnvokeSyncError):
        raise
    except EnvokeError as error:
        raise AirflowFailException(str(error)) from error


def check_rejects(
    report: SyncReport, max_rejects: float, rejects_path: str | None, first: Iterable[Reject] = ()
) -> None:
    """
    Fail a run in which more rows were rejected than ``max_rejects`` allows.

    :param rejects_path: the rejects file, for the message.
    :param first: the first rejected row of each reason, as examples for the message.
    :raises EnvokeSyncError: if more rows were rejected; it carries the report.
    """
    if not exceeds(report.rejected, max_rejects, report.rows):
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in report.reasons.items())
    where = f"They are in {_shown(rejects_path)}." if rejects_path else "Set rejects_path to write them to a file."
    were = "would not be" if report.plan_only else "were not"
    others = " The other rows are done." if report.rejected < report.rows else ""
    others = " Nothing was written: plan_only is on." if report.plan_only else others
    shown = [
        f"row {each.row}: {each.message[:_MAX_EXAMPLE_CHARS].rstrip('.')}" for each in islice(first, _MAX_EXAMPLES)
    ]
    examples = f" For example, {'; '.join(shown)}." if shown else ""
    raise EnvokeSyncError(
        f"{report.rejected} of {report.rows} rows {were} written to Envoke ({reasons}), more than "
        f"max_rejects={max_rejects:g} allows. {where}{others} Running again is safe.{examples}",
        report.as_dict(),
    )


@contextmanager
def rejects_file(path: str | None) -> Iterator[Callable[[Reject], None]]:
    """
    Open the rejects file, and yield the function that writes one row to it: a JSON object a line.

    :param path: local path, or a URL that ``ObjectStoragePath`` supports; ``None`` for no file.
    :raises EnvokeConfigError: if it cannot be opened.
    :raises EnvokeSyncError: if it cannot be written.
    """
    if not path:
        yield lambda _: None
        return
    file = _open_for_writing(path)

    def write(reject: Reject) -> None:
        with _failing_to_write(path):
            file.write(json.dumps(asdict(reject), ensure_ascii=False) + "\n")

    try:
        yield write
    except BaseException:
        with suppress(OSError):  # the reader needs to see what ended the run
            file.close()
        raise
    with _failing_to_write(path):
        file.close()


def _open_for_writing(path: object) -> Any:
    from airflow.providers.common.compat.sdk import ObjectStoragePath  # noqa: PLC0415 - heavy

    if not isinstance(path, str | PathLike):
        raise EnvokeConfigError(f"rejects_path must be a path or URL as text, not {type(path).__name__}.")
    try:
        target = ObjectStoragePath(str(path))
        if target.protocol in ("", "file"):
            target.parent.mkdir(parents=True, exist_ok=True)
        return target.open("w", encoding="utf-8")  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError, ImportError) as error:
        reason = _reason(error)
    raise EnvokeConfigError(f"rejects_path {_shown(path)} cannot be written: {reason}. Choose another file.")


@contextmanager
def _failing_to_write(path: str | PathLike[str]) -> Iterator[None]:
    reason = ""
    try:
        yield
    except OSError as error:
        reason = _reason(error)
    if reason:
        raise EnvokeSyncError(
            f"The rejected rows could not be written to rejects_path {_shown(path)}: {reason}. Rows counted as "
            "written are in Envoke. Fix the path and rerun the task."
        )


def _shown(path: str | PathLike[str]) -> str:
    return ascii(mask_emails(str(path))[:_MAX_PATH_CHARS])


def _reason(error: Exception) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "a folder in it is a file"
    return getattr(error, "strerror", None) or f"{type(error).__name__}: {mask_emails(str(error))[:200]}"


def push_report(context: Context, outlets: Sequence[Any], report: SyncReport, base_url: str) -> None:
    """
    Push the report as the task's result, also if the task is about to fail, and into its outlets' events.

    An asset, or a reference to one, gets the report as its event's ``extra``; an alias gets an event of the asset
    ``envoke://HOST/contacts`` with the counts, unless this was a plan.
    """
    from airflow.providers.common.compat.sdk import Asset, AssetAlias  # noqa: PLC0415 - heavy

    context["ti"].xcom_push(key="return_value", value=report.as_dict())
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            if not report.plan_only:
                contacts = Asset(f"envoke://{urlsplit(base_url).netloc}/contacts")
                # Airflow 2.11 fails a task whose alias gets an extra with nested values.
                flat = {name: value for name, value in report.as_dict().items() if not isinstance(value, dict)}
                context["outlet_events"][outlet].add(contacts, extra=flat)
        elif isinstance(outlet, Asset) or _refers_to_asset(outlet):
            context["outlet_events"][outlet].extra = report.as_dict()


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
    counts |= {f"requests.{kind}": count for kind, count in report.requests.items()}
    _emit(prefix, counts, report.seconds, task)


def count_update(result: str, seconds: float, task: Any) -> None:
    """Emit the metrics of an update of one contact: ``updated``, ``created``, ``skipped`` or ``failed``."""
    _emit("envoke.update", {result: 1}, seconds, task)


def _emit(prefix: str, counts: dict[str, int], seconds: float, task: Any) -> None:
    from airflow.providers.common.compat.sdk import Stats  # noqa: PLC0415 - heavy

    tags = {"dag_id": task.dag_id, "task_id": task.task_id}
    for name, count in counts.items():
        if count:
            Stats.incr(f"{prefix}.{name}", count, tags=tags)
    Stats.timing(f"{prefix}.duration", timedelta(seconds=seconds), tags=tags)
