"""A run against a sandbox, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from airflow_provider_envoke.core.config import EnvokeConfig
from airflow_provider_envoke.core.mapping import FieldMap
from airflow_provider_envoke.core.options import SyncOptions
from airflow_provider_envoke.core.payload import PayloadRules
from airflow_provider_envoke.sync import SyncRun
from airflow_provider_envoke.sync.intake import BATCH_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_envoke.core.report import Reject, SyncReport
    from airflow_provider_envoke.sandbox.thread import Sandbox

__all__ = ["FieldMap", "PayloadRules", "config_of", "patches", "sync"]


def config_of(sandbox: Sandbox, **parts: Any) -> EnvokeConfig:
    """The configuration of a client of the sandbox."""
    return EnvokeConfig(
        **{
            "api_id": sandbox.api_id,
            "api_key": sandbox.api_key,
            "base_url": sandbox.url,
            "max_retries": 0,
            **parts,
        }
    )


def sync(
    sandbox: Sandbox,
    rows: Iterable[dict[str, Any]],
    batch_rows: int = BATCH_ROWS,
    config: EnvokeConfig | None = None,
    **options: Any,
) -> tuple[SyncReport, list[Reject]]:
    """Bring rows into the sandbox; return the report and the rejected rows, in their order."""
    rejects: list[Reject] = []
    with patch("airflow_provider_envoke.sync.run.BATCH_ROWS", batch_rows):
        run = SyncRun(config or config_of(sandbox), SyncOptions(**options), on_reject=rejects.append)
        report = run.run(rows)
    return report, sorted(rejects, key=lambda reject: reject.row)


def patches(sandbox: Sandbox) -> list[dict[str, Any]]:
    """The PATCH requests that came in."""
    return [request for request in sandbox.requests if request["method"] == "PATCH"]
