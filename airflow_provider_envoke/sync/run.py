"""One pass over the rows, on an event loop. :meth:`SyncPass.run_batch` is the path of every row, top to bottom."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.client.bulk import BulkClient
from airflow_provider_envoke.envoke.messages import Violation
from airflow_provider_envoke.exceptions import EnvokeNotFoundError, EnvokeTransientError
from airflow_provider_envoke.sync.compare import Decision, compare, missing_contact, reject
from airflow_provider_envoke.sync.contacts import ContactReader
from airflow_provider_envoke.sync.guards import Guards
from airflow_provider_envoke.sync.preview import Preview
from airflow_provider_envoke.sync.progress import log_progress
from airflow_provider_envoke.sync.report import HELD_BACK, Reject
from airflow_provider_envoke.sync.rows import RowReader
from airflow_provider_envoke.sync.tally import OUTCOME_OF, Tally
from airflow_provider_envoke.sync.write import request_of, write

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_provider_envoke.envoke.config import EnvokeConfig
    from airflow_provider_envoke.sync.compare import DesiredContact
    from airflow_provider_envoke.sync.options import SyncOptions
    from airflow_provider_envoke.sync.report import SyncReport
    from airflow_provider_envoke.sync.rows import Batch, TableScan

#: After this many requests in a row without an answer, each after all its retries, the service counts as down.
MAX_UNANSWERED = 20

_STOPPED = reject(
    Violation(
        "",
        "stopped",
        "the run ended while this row was being written; it is not known whether it arrived; run again",
    )
)


class SyncPass:
    """
    One pass over the rows; with ``plan_only`` it writes nothing. All of it runs on one event loop.

    Its state: the batches under way, the rows without an outcome, those of them whose write may have arrived or
    whose requests had no answer, the counts, the preview, and what stopped the pass.

    :param on_unwritten: called with each row that is rejected or skipped, or of which fields are held back.
    :param only: the pass is about the rows for which this returns true; the others are not even counted.
    """

    def __init__(
        self,
        config: EnvokeConfig,
        options: SyncOptions,
        scan: TableScan,
        on_unwritten: Callable[[Reject], None],
        total_rows: int | None = None,
        only: Callable[[DesiredContact], bool] | None = None,
    ) -> None:
        self._options = options
        self.tally = Tally()
        self.preview = Preview(options.preview)
        self._client = BulkClient(
            config, concurrency=options.concurrency, requests_per_second=options.requests_per_second
        )
        self._contacts = ContactReader(self._client)
        self._scan = scan
        self._only = only
        self._on_unwritten = on_unwritten
        self._total_rows = total_rows
        self._rows = RowReader(options, scan, only)
        self._guards = Guards(options, scan)
        self._batches: set[asyncio.Task[None]] = set()
        self._unconfirmed: dict[int, DesiredContact] = {}
        self._in_doubt: set[int] = set()
        self._unanswered: list[tuple[DesiredContact, Decision]] = []
        self._successes = 0  # when the last of them had no answer
        self._taking = asyncio.Lock()
        self._stopping = False
        self._failure: BaseException | None = None

    async def run_batch(self, batch: Batch) -> None:
        """
        Take one batch through the run: read, compare, guard, write, count.

        :param batch: rows whose keys differ. Earlier rows with one of these keys are finished.
        :raises EnvokeError: what must stop the run.
        """
        try:
            to_read = [desired for desired in batch.desired if self._must_read(desired)]
            contacts = await self._contacts.read_rows(to_read, self._options.keyfield, fresh=batch.needs_drain)
            matches = {desired.row: contacts.get(desired.key, []) for desired in to_read}

            compared = [
                (desired, compare(desired, matches.get(desired.row), self._options)) for desired in batch.desired
            ]

            checked = [
                (desired, self._guards.check_contact(desired, decision, matches.get(desired.row, ())))
                for desired, decision in compared
            ]
            holders = await self._contacts.read_holders(self._guards.emails_to_check(checked))
            checked = [
                (desired, self._guards.check_email(desired, decision, holders)) for desired, decision in checked
            ]
        except EnvokeTransientError as error:
            self._count_unanswered(batch.desired, error)
            return

        to_write = [] if self._options.plan_only else [row for row in checked if row[1].writes]
        rest = iter(to_write)
        async with asyncio.TaskGroup() as writers:
            for _ in range(min(len(to_write), self._options.concurrency)):  # more tasks would only wait for a slot
                writers.create_task(self._write_and_count_each(rest))
            for desired, decision in checked:
                if self._options.plan_only or not decision.writes:
                    self._count(desired, decision)

    async def open(self) -> None:
        """Open the connections, and begin to log the progress."""
        await self._client.__aenter__()
        self._progress = asyncio.create_task(log_progress(self.tally, self._total_rows))

    async def take(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Start the rows' batches when there is room for them. Raises what stopped the pass, if something did."""
        async with self._taking:
            for batch in self._batches_of(rows):
                if self._is_ending:
                    break
                if batch.needs_drain:
                    await self._drain()
                await self._client.throttle.wait_for_room()
                if not self._is_ending:
                    task = asyncio.create_task(self.run_batch(batch))
                    self._batches.add(task)
                    task.add_done_callback(self._end_batch)
        self._raise_failure()

    async def finish(self) -> None:
        """Wait for all batches. Raises what stopped the pass, if something did."""
        await self._drain()
        self._raise_failure()
        if not self._stopping:  # or abort decides about these rows
            self._reject_unanswered()
            self._raise_failure()

    async def abort(self) -> None:
        """
        Stop all batches.

        Of the rows without an outcome, those whose write may have arrived are rejected; all others count as not
        reached: nothing is wrong with them, and nothing was done.
        """
        self._stopping = True
        for task in self._batches:
            task.cancel()
        await self._drain()
        async with self._taking:  # a batch that is being taken is complete then
            pass
        outcomes = {desired.row: outcome for desired, outcome in self._unanswered}
        for row, desired in list(self._unconfirmed.items()):
            if row in self._in_doubt:
                self._count(desired, outcomes.get(row, _STOPPED))
        self.tally.rows -= len(self._unconfirmed)
        self.tally.unanswered = 0
        self._unconfirmed.clear()

    async def close(self) -> None:
        """Close the connections and delete the temporary files."""
        self._progress.cancel()
        await self._client.__aexit__()
        self._rows.close()
        self._guards.close()
        self._contacts.close()

    @property
    def _is_ending(self) -> bool:
        return self._stopping or self._failure is not None

    @property
    def requests(self) -> Counter[str]:
        """How many requests of each kind were sent."""
        return self._client.requests

    def report(
        self, earlier_requests: Counter[str], seconds: float, stopped: str, not_reached: int = 0
    ) -> SyncReport:
        """Return the report; it includes the requests of the passes that went before."""
        return self.tally.report(
            requests=earlier_requests + self.requests,
            read_by=self._contacts.read_by,
            seconds=seconds,
            plan_only=self._options.plan_only,
            stopped=stopped,
            not_reached=not_reached,
        )

    def _must_read(self, desired: DesiredContact) -> bool:
        sends_something = desired.payload.keys() - {self._options.keyfield, "id"}
        return (
            self._options.strategy == "changed"
            or not sends_something
            or bool(desired.spelled_key)
            or self._guards.must_read(desired)
        )

    async def _write_and_count_each(self, decisions: Iterator[tuple[DesiredContact, Decision]]) -> None:
        for desired, decision in decisions:
            await self._write_and_count(desired, decision)

    async def _write_and_count(self, desired: DesiredContact, decision: Decision) -> None:
        def in_doubt(doubtful: bool) -> None:
            (self._in_doubt.add if doubtful else self._in_doubt.discard)(desired.row)

        try:
            try:
                outcome = await write(self._client, desired, decision, self._options, in_doubt)
            except EnvokeNotFoundError:  # it was not read, or somebody has deleted it since
                outcome = missing_contact(desired, self._options)
                if outcome.writes:
                    outcome = await write(self._client, desired, outcome, self._options, in_doubt)
        except EnvokeTransientError as error:
            self._count_unanswered([desired], error)
        else:
            self._count(desired, outcome)

    def _count_unanswered(self, rows: Sequence[DesiredContact], error: EnvokeTransientError) -> None:
        if self._client.unanswered >= MAX_UNANSWERED:
            raise error
        if self._client.successes > self._successes:  # the service was not down
            self._reject_unanswered()
        self._successes = self._client.successes
        outcome = reject(Violation("", "no_answer", str(error)))
        self._unanswered += [(desired, outcome) for desired in rows]
        self.tally.unanswered = len(self._unanswered)

    def _reject_unanswered(self) -> None:
        """Reject the rows that had no answer. Until then, the run may end because the service is down."""
        for desired, outcome in self._unanswered:
            if self._only is not None:  # who gets the address is not known, so no other row may get it
                self._scan.claim_email(desired, for_sure=False)
            self._count(desired, outcome)
        self._unanswered.clear()
        self.tally.unanswered = 0

    def _count(self, desired: DesiredContact, outcome: Decision) -> None:
        self._unconfirmed.pop(desired.row, None)
        self._in_doubt.discard(desired.row)
        self.tally.add(outcome, row=desired.row, examples=self._options.plan_only)
        if outcome.writes and self.preview.wants(desired.row):
            self.preview.add(desired.row, request_of(desired, outcome, self._options))
        if outcome.action in ("reject", "skip"):
            violation = Violation(outcome.field, outcome.reason, outcome.message)
            self._tell(desired, violation, OUTCOME_OF[outcome.action])
        told: set[str] = set()
        for held in outcome.held_back:
            if held.reason not in told:
                told.add(held.reason)
                self._tell(desired, held, HELD_BACK[held.reason])

    def _tell(self, desired: DesiredContact, violation: Violation, outcome: str) -> None:
        field, reason, message = violation
        unwritten = Reject(desired.row, desired.key, reason, field, message, desired.reference, outcome)
        try:
            self._on_unwritten(unwritten)
        except Exception as error:  # it stops the pass, after this row is counted
            self._failure = self._failure or error

    def _batches_of(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[Batch]:
        """Yield the batches of new rows; what is decided about them already is counted at once."""
        for batch in self._rows.batches(rows):
            self.tally.rows += len(batch.desired) + len(batch.decided)
            self._unconfirmed.update((desired.row, desired) for desired in batch.desired)
            for desired, decision in batch.decided:
                self._count(desired, decision)
            yield batch

    def _end_batch(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        error = None if task.cancelled() else task.exception()
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if error is not None and self._failure is None:
            self._failure = error
            for other in self._batches:
                other.cancel()

    async def _drain(self) -> None:
        while self._batches:
            await asyncio.wait(self._batches)
            await asyncio.sleep(0)  # lets the callbacks run

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
