"""What a failure of ours means to Airflow, and where a run's report goes: the same for every operator."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import asdict
from os import PathLike
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_envoke.core.masking import mask_emails
from airflow_provider_envoke.exceptions import (
    EnvokeConfigError,
    EnvokeError,
    EnvokePlanError,
    EnvokeSyncError,
    EnvokeTransientError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_envoke.core.report import Reject, SyncReport


_MAX_PATH_CHARS = 300


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
    :raises EnvokeConfigError: if it cannot be opened.
    :raises EnvokeSyncError: if it cannot be written to its end.
    """
    if not path:
        yield lambda _: None
        return
    file = _open_for_writing(path)

    def write(reject: Reject) -> None:
        with _unwritable_ends_the_run(path):
            file.write(json.dumps(asdict(reject), ensure_ascii=False) + "\n")

    try:
        yield write
    except BaseException:
        with suppress(OSError):  # what ended the run is what the reader has to see
            file.close()
        raise
    with _unwritable_ends_the_run(path):
        file.close()


def _open_for_writing(path: object) -> Any:
    from airflow.providers.common.compat.sdk import ObjectStoragePath  # noqa: PLC0415 - heavy

    if not isinstance(path, str | PathLike):
        raise EnvokeConfigError(f"rejects_path has to be a path or URL as text, not {type(path).__name__}.")
    try:
        target = ObjectStoragePath(str(path))
        if target.protocol in ("", "file"):
            target.parent.mkdir(parents=True, exist_ok=True)
        return target.open("w", encoding="utf-8")  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError, ImportError) as error:
        reason = _reason(error)
    raise EnvokeConfigError(f"rejects_path {_shown(path)} cannot be written: {reason}. Name another file.")


@contextmanager
def _unwritable_ends_the_run(path: str | PathLike[str]) -> Iterator[None]:
    reason = ""
    try:
        yield
    except OSError as error:
        reason = _reason(error)
    if reason:
        raise EnvokeSyncError(
            f"The rejected rows could not be written to rejects_path {_shown(path)}: {reason}. What the report "
            "counts as written is in Envoke; mend the file's place and run again, which is safe."
        )


def _shown(path: str | PathLike[str]) -> str:
    return ascii(mask_emails(str(path))[:_MAX_PATH_CHARS])


def _reason(error: Exception) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "a folder in it is a file"
    return getattr(error, "strerror", None) or f"{type(error).__name__}: {mask_emails(str(error))[:200]}"


def push_report(context: Context, outlets: Sequence[Any], report: SyncReport, base_url: str) -> None:
    """
    Push the report as the task's result, also if the task is about to fail, and to its assets' events.

    :param outlets: the task's. An asset, or a reference to one, gets the report as its event's ``extra``; an alias
        gets an event of the asset ``envoke://HOST/contacts`` with the counts, unless nothing was to be written.
    :param base_url: the account's.
    """
    from airflow.providers.common.compat.sdk import Asset, AssetAlias  # noqa: PLC0415 - heavy

    context["ti"].xcom_push(key="return_value", value=report.as_dict())
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            if not report.plan_only:
                contacts = Asset(f"envoke://{urlsplit(base_url).netloc}/contacts")
                # Airflow 2.11 fails a task whose alias gets an extra with anything nested in it.
                flat = {name: value for name, value in report.as_dict().items() if not isinstance(value, dict)}
                context["outlet_events"][outlet].add(contacts, extra=flat)
        elif isinstance(outlet, Asset) or _refers_to_asset(outlet):
            context["outlet_events"][outlet].extra = report.as_dict()


def _refers_to_asset(outlet: Any) -> bool:
    """Whether an outlet is what ``Asset.ref`` returns, which Airflow 2 does not have."""
    from airflow.providers.common.compat.sdk import Asset  # noqa: PLC0415 - heavy

    return hasattr(Asset, "ref") and isinstance(outlet, type(Asset.ref(name="-")) | type(Asset.ref(uri="-")))
