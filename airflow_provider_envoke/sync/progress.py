"""How far a run is, every few seconds in the log."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_envoke.core.report import Tally

log = logging.getLogger(__name__)

PROGRESS_EVERY_S = 5.0


async def log_progress(tally: Tally, total_rows: int | None) -> None:
    """
    Log the progress until cancelled.

    :param tally: the counts.
    :param total_rows: how many rows there are, or ``None`` if that is not known.
    """
    start_s = time.monotonic()
    while True:
        await asyncio.sleep(PROGRESS_EVERY_S)
        log.info("%s", describe_progress(tally, total_rows, time.monotonic() - start_s))


def describe_progress(tally: Tally, total_rows: int | None, seconds: float) -> str:
    """Say how many rows are done, how fast, how many were rejected and how long the rest will take."""
    per_second = tally.done / seconds
    of = f" of {total_rows}" if total_rows is not None else ""
    text = f"{tally.done}{of} rows done, {per_second:.0f} rows/s, {tally.outcomes['rejected']} rejected"
    if total_rows is not None and per_second:
        text += f", about {max(0, total_rows - tally.done) / per_second:.0f} s left"
    return text
