"""Writes rows side by side, in their order: the earlier ones are under way before the later ones begin."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.core.plan import Decision, Wanted
    from airflow_provider_envoke.sync.planner import Decisions
    from airflow_provider_envoke.sync.writer import Writer


class _Job:
    """The writes of one batch: how many are left, and what waits for the last of them."""

    def __init__(self, count: int, on_written: Callable[[Wanted, Decision], None]) -> None:
        self.left = count
        self.on_written = on_written
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Writes:
    """
    A queue of rows to be written, and the workers that take them from it.

    Its state: the queue and the workers.

    :param writer: writes one row.
    :param workers: how many rows may be under way at once.
    """

    def __init__(self, writer: Writer, workers: int) -> None:
        self._writer = writer
        self._count = workers
        self._queue: asyncio.Queue[tuple[_Job, Wanted, Decision]] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Start the workers."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._count)]

    async def close(self) -> None:
        """Stop the workers, whatever is under way."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def write_all(self, decisions: Decisions, on_written: Callable[[Wanted, Decision], None]) -> None:
        """
        Write rows. If this is cancelled, those that are not under way yet are left out.

        :param on_written: called with each row and what came of it, unless all of them have been given up before.
        :raises EnvokeError: what has to stop the run; see :meth:`Writer.write`.
        """
        job = _Job(len(decisions), on_written)
        for wanted, decision in decisions:
            self._queue.put_nowait((job, wanted, decision))
        await job.done

    async def _work(self) -> None:
        while True:
            job, wanted, decision = await self._queue.get()
            if not job.done.done():
                await self._write(job, wanted, decision)

    async def _write(self, job: _Job, wanted: Wanted, decision: Decision) -> None:
        try:
            outcome = await self._writer.write(wanted, decision)
        except Exception as error:
            if not job.done.done():
                job.done.set_exception(error)
            return
        if job.done.done():  # given up meanwhile: its outcome has been told already
            return
        job.on_written(wanted, outcome)
        job.left -= 1
        if job.left == 0:
            job.done.set_result(None)
