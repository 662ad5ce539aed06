"""Takes batches through reading, planning and writing, on one event loop."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.clients.bulk import BulkClient
from airflow_provider_envoke.core.fields import Violation
from airflow_provider_envoke.core.plan import Decision, Wanted, reject
from airflow_provider_envoke.core.report import OUTCOME_OF, Reject, Tally
from airflow_provider_envoke.exceptions import EnvokeTransientError
from airflow_provider_envoke.sync.intake import Intake
from airflow_provider_envoke.sync.planner import Planner
from airflow_provider_envoke.sync.reader import ContactReader
from airflow_provider_envoke.sync.writer import Writer
from airflow_provider_envoke.sync.writes import Writes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_envoke.core.config import EnvokeConfig
    from airflow_provider_envoke.core.options import SyncOptions
    from airflow_provider_envoke.sync.intake import Batch
    from airflow_provider_envoke.sync.resume import Checkpoint, Checkpoints

_STOPPED = reject(Violation("", "stopped", "the run ended before this row was confirmed; run it again"))


class Pipeline:
    """
    The moving part of a run. All of it belongs to one event loop.

    Its state: the batches under way, whether the batch before has been planned, and what stopped the run.

    :param config: the account.
    :param options: the choices of the run.
    :param tally: counts each row's outcome.
    :param on_reject: called with each row that is rejected.
    :param resume_from: how far an earlier run has come with the same rows.
    :param checkpoints: follows how far this run has come, if somebody wants to know.
    """

    def __init__(
        self,
        config: EnvokeConfig,
        options: SyncOptions,
        tally: Tally,
        on_reject: Callable[[Reject], None],
        resume_from: Checkpoint | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self.client = BulkClient(
            config, concurrency=options.concurrency, requests_per_second=options.requests_per_second
        )
        self.reader = ContactReader(self.client)
        self.failure: BaseException | None = None
        self._checkpoints = checkpoints
        self._options = options
        self._tally = tally
        self._on_reject = on_reject
        self._intake = Intake(options, resume_from, keep_digest=checkpoints is not None)
        self._planner = Planner(self.reader, options)
        self._writer = Writer(self.client, options)
        self._writes = Writes(self._writer, options.concurrency)
        self._batches: set[asyncio.Task[None]] = set()
        # Reads are one request a batch, so as many batches; writes are many, so a few batches will do.
        self._room = asyncio.Semaphore(4 if options.strategy == "all" else max(4, options.concurrency))
        self._submitting = asyncio.Lock()
        self._stopping = False
        self._previous_planned = asyncio.Event()
        self._previous_planned.set()

    async def open(self) -> None:
        """Open the client's session and start the workers."""
        await self.client.__aenter__()
        self._writes.open()

    async def close(self) -> None:
        """Stop the workers, close the session and drop the temporary files."""
        await self._writes.close()
        await self.client.__aexit__()
        self._intake.close()
        self._planner.close()
        self.reader.close()

    async def submit(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """
        Take rows, when there is room for them.

        :param rows: at most :data:`~airflow_provider_envoke.sync.intake.BATCH_ROWS`, column -> value.
        :raises EnvokeError: what stopped the run, if something did.
        """
        async with self._submitting:
            self._tally.rows += len(rows)
            for batch in self._intake.batches(rows):
                if batch.after_all:
                    await self._drain()
                await self._room.acquire()
                if self._stopping or self.failure is not None:
                    self._room.release()
                    self._settle(batch)
                else:
                    self._start(batch)
        self._raise_failure()

    async def finish(self) -> None:
        """
        Wait for every batch.

        :raises EnvokeError: what stopped the run, if something did.
        """
        self._intake.check_resumed()
        await self._drain()
        self._raise_failure()

    async def abort(self, unfinished: Sequence[Mapping[str, Any]]) -> None:
        """
        Stop every batch; rows without an outcome are counted as rejected: ``stopped``.

        :param unfinished: rows that were read and not submitted yet.
        """
        self._stopping = True
        self._intake.stop_resuming()
        for task in self._batches:
            task.cancel()
        await self._drain()
        await self._writes.close()
        async with self._submitting:
            self._tally.rows += len(unfinished)
            for batch in self._intake.batches(unfinished):
                self._settle(batch)

    def _start(self, batch: Batch) -> None:
        planned = asyncio.Event()
        if self._checkpoints is not None:
            self._checkpoints.begin(batch)
        task = asyncio.create_task(self._run(batch, self._previous_planned, planned))
        self._previous_planned = planned
        self._batches.add(task)
        task.add_done_callback(partial(self._finished, batch, planned))

    def _finished(self, batch: Batch, planned: asyncio.Event, task: asyncio.Task[None]) -> None:
        """Called however a batch ends, also if it was stopped before it began."""
        planned.set()
        self._settle(batch)
        batch.forget_rows()
        self._batches.discard(task)
        self._room.release()
        if task.cancelled():
            return
        error = task.exception()
        if error is None and self._checkpoints is not None:
            self._checkpoints.finish(batch)
        if error is not None and self.failure is None:
            self.failure = error
            for other in self._batches:
                other.cancel()

    async def _drain(self) -> None:
        while self._batches:
            await asyncio.wait(self._batches)
            await asyncio.sleep(0)  # lets the callbacks run

    def _raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def _run(self, batch: Batch, previous_planned: asyncio.Event, planned: asyncio.Event) -> None:
        try:
            draft = await self._planner.draft(batch)
        except EnvokeTransientError as error:
            unanswered = self._writer.note_unanswered(error)  # once: it was one request, whatever it asked for
            for wanted in batch.wanted:
                self._count(batch, wanted, unanswered)
            return
        await previous_planned.wait()
        decisions = self._planner.settle(draft)
        planned.set()
        writes = []
        for wanted, decision in decisions:
            if decision.action in OUTCOME_OF and not self._options.plan_only:
                writes.append((wanted, decision))
            else:
                self._count(batch, wanted, decision)
        if writes:
            await self._writes.write_all(writes, partial(self._count, batch))

    def _settle(self, batch: Batch) -> None:
        """Give every row that has no outcome yet the one that says so: none is lost from the counts."""
        for wanted, decision in batch.decided:
            self._tell(wanted, decision)
        for wanted in batch.wanted:
            if wanted.row not in batch.done:
                self._tell(wanted, _STOPPED)

    def _count(self, batch: Batch, wanted: Wanted, decision: Decision) -> None:
        batch.done.add(wanted.row)
        if decision.action in ("reject", "skip"):
            batch.again.append(wanted.row)
        self._tell(wanted, decision)

    def _tell(self, wanted: Wanted, decision: Decision) -> None:
        self._tally.add(decision, row=wanted.row, examples=self._options.plan_only)
        if decision.action == "reject":
            try:
                self._on_reject(Reject(wanted.row, wanted.key, decision.reason, decision.field, decision.message))
            except Exception as error:  # it stops the run: here it would leave a batch that never ends
                self.failure = self.failure or error
