"""Runs of a sync against a sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.sync import EnvokeConfig, SyncOptions, SyncRun
from airflow_provider_envoke.sync.rows import BATCH_ROWS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_envoke.sandbox.thread import Sandbox
    from airflow_provider_envoke.sync import Reject, SyncReport


class WatchedRows(list[dict[str, Any]]):
    """Rows in a list, which a run reads as it goes. Before each, ``at_row`` is called with its number from 0."""

    def __init__(self, rows: Iterable[dict[str, Any]], at_row: Callable[[int], None]) -> None:
        super().__init__(rows)
        self.at_row = at_row

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for number, row in enumerate(super().__iter__()):
            self.at_row(number)
            yield row


def config_of(sandbox: Sandbox, **parts: Any) -> EnvokeConfig:
    """Return the configuration of a client of the sandbox, without retries."""
    defaults = {"api_id": sandbox.api_id, "api_key": sandbox.api_key, "base_url": sandbox.url, "max_retries": 0}
    return EnvokeConfig(**defaults | parts)


def sync(
    sandbox: Sandbox,
    rows: Iterable[dict[str, Any]],
    batch_rows: int = BATCH_ROWS,
    config: EnvokeConfig | None = None,
    kept: list[Reject] | None = None,
    **options: Any,
) -> tuple[SyncReport, list[Reject]]:
    """
    Sync rows with the sandbox; return the report, and the rejected rows in order.

    :param kept: receives the rows whose consent was kept.
    """

    def on_skip(row: Reject) -> None:
        if kept is not None and row.outcome == "consent_kept":
            kept.append(row)

    rejects: list[Reject] = []
    arguments = {"on_reject": rejects.append, "on_skip": on_skip, "batch_rows": batch_rows}
    report = SyncRun(config or config_of(sandbox), SyncOptions(**options), **arguments).run(rows)
    return report, sorted(rejects, key=lambda reject: reject.row)


def patches(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return the PATCH requests that the sandbox has received."""
    return [request for request in sandbox.requests if request["method"] == "PATCH"]
