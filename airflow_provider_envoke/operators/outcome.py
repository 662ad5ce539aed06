"""What a failure of ours means to Airflow, and where a run's report goes: the same for every operator."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_envoke.exceptions import (
    EnvokeError,
    EnvokePlanError,
    EnvokeSyncError,
    EnvokeTransientError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_envoke.core.report import Reject, SyncReport


@contextmanager
def hopeless_failures_end_the_task() -> Iterator[None]:
    """
    Let Airflow retry what may pass, and nothing else.

    :raises AirflowFailException: in the place of a failure that a retry cannot help.
    """
    try:
        yield
    except EnvokePlanError as error:
        raise AirflowFailException(str(error)) from error
    except (EnvokeTransientError, EnvokeSyncError):
        raise
    except EnvokeError as error:
        raise AirflowFailException(str(error)) from error


@contextmanager
def rejects_file(path: str | None) -> Iterator[Callable[[Reject], None]]:
    """
    Open the file of rejected rows, and yield what writes one of them: a JSON object a line.

    :param path: local path or URL that ``ObjectStoragePath`` knows; ``None`` for no file.
    """
    if not path:
        yield lambda _: None
        return
    from airflow.providers.common.compat.sdk import ObjectStoragePath  # noqa: PLC0415 - heavy

    target = ObjectStoragePath(path)
    if target.protocol in ("", "file"):
        target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w") as file:  # type: ignore[no-untyped-call]
        yield lambda reject: file.write(json.dumps(asdict(reject), ensure_ascii=False) + "\n")


def push_report(context: Context, outlets: Sequence[Any], report: SyncReport) -> None:
    """Push the report as the task's result, also if the task is about to fail, and to its assets' events."""
    from airflow.providers.common.compat.sdk import Asset  # noqa: PLC0415 - heavy

    context["ti"].xcom_push(key="return_value", value=report.as_dict())
    for outlet in outlets:
        if isinstance(outlet, Asset):
            context["outlet_events"][outlet].extra = report.as_dict()
