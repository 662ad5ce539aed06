"""The progress of a pass, in the log."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_envoke.sync.tally import Tally

PROGRESS_EVERY_S = 5.0

log = logging.getLogger(__name__)


async def log_progress(tally: Tally, total_rows: int | None) -> None:
    """Log the progress every few seconds until cancelled."""
    start_s = time.monotonic()
    while True:
        await asyncio.sleep(PROGRESS_EVERY_S)
        log.info("%s", describe_progress(tally, total_rows, time.monotonic() - start_s))


def describe_progress(tally: Tally, total_rows: int | None, seconds: float) -> str:
    """Return how many rows are done after some seconds, how many were rejected, and how long the rest takes."""
    per_second = tally.done / seconds
    of = f" of {total_rows}" if total_rows is not None else ""
    unanswered = tally.reasons["no_answer"] + tally.unanswered
    rejected = tally.outcomes["rejected"] - tally.reasons["no_answer"]
    text = f"{tally.done}{of} rows done, {per_second:.0f} rows/s, {rejected} rejected"
    if unanswered:
        text += f", {unanswered} without an answer"
    if total_rows is not None and per_second:
        text += f", about {max(0, total_rows - tally.done) / per_second:.0f} s left"
    return text
