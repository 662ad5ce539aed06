"""With ``strategy="all"`` another try begins where the one before it was stopped, if the rows are the same."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.core.options import SyncOptions
from airflow_provider_envoke.core.plan import Wanted
from airflow_provider_envoke.sync import SyncRun, run
from airflow_provider_envoke.sync.intake import BATCH_ROWS, Batch
from airflow_provider_envoke.sync.pipeline import Pipeline
from airflow_provider_envoke.sync.resume import Checkpoint, Checkpoints, RowsChangedError, RowsDigest
from tests.sync.running import config_of, patches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_envoke.sandbox.thread import Sandbox

COUNT = 600


def people(city: str) -> list[dict[str, Any]]:
    return [{"email": f"p{number}@example.com", "city": city} for number in range(COUNT)]


class Tries:
    """Runs of one table, each resumed from the checkpoint that the one before has left."""

    def __init__(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sandbox = sandbox
        self.monkeypatch = monkeypatch
        self.options = SyncOptions(strategy="all", concurrency=4)
        self.checkpoints: list[Checkpoint] = []

    def run(self, rows: list[dict[str, Any]], die_at: int | None = None) -> SyncRun:
        """Run; with ``die_at``, be interrupted when so many rows were read, and all full batches of them sent."""
        pipelines: list[Pipeline] = []

        def reading() -> Iterator[dict[str, Any]]:
            for number, row in enumerate(rows):
                if number in (die_at, 300):
                    wait_until(lambda: not pipelines[0]._batches)
                if number == die_at:
                    raise KeyboardInterrupt
                yield row

        def piping(*arguments: Any) -> Pipeline:
            pipelines.append(Pipeline(*arguments))
            return pipelines[0]

        self.monkeypatch.setattr(run, "Pipeline", piping)
        attempt = SyncRun(
            config_of(self.sandbox),
            self.options,
            resume_from=self.latest,
            on_checkpoint=self.checkpoints.append,
        )
        if die_at is None:
            attempt.run(reading())
        else:
            with pytest.raises(KeyboardInterrupt):
                attempt.run(reading())
        return attempt

    @property
    def latest(self) -> Checkpoint | None:
        # As it comes back from a store that keeps JSON.
        kept = [json.loads(json.dumps(checkpoint.as_dict())) for checkpoint in self.checkpoints]
        return Checkpoint.from_dict(kept[-1]) if kept else None


@pytest.fixture
def tries(envoke_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Tries:
    envoke_sandbox.reset(people("Laval"))
    return Tries(envoke_sandbox, monkeypatch)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def sent(sandbox: Sandbox) -> list[str]:
    return [json.loads(request["body"])["email"] for request in patches(sandbox)]


def test_another_try_sends_only_what_the_first_one_did_not(envoke_sandbox: Sandbox, tries: Tries) -> None:
    tries.run(people("Québec"), die_at=500)
    first = len(patches(envoke_sandbox))

    report = tries.run(people("Québec")).report()

    assert first == 5 * BATCH_ROWS
    assert report.skipped_reasons == {"already_written": first}
    assert (report.updated, report.rejected) == (COUNT - first, 0)
    assert len(patches(envoke_sandbox)) == COUNT
    assert {contact["city"] for contact in envoke_sandbox.contacts} == {"Québec"}


def test_rows_that_were_refused_are_tried_again(envoke_sandbox: Sandbox, tries: Tries) -> None:
    envoke_sandbox.reset(people("Laval")[1:])
    tries.run(people("Québec"), die_at=500)
    envoke_sandbox.reset(people("Laval"))

    report = tries.run(people("Québec")).report()

    assert tries.checkpoints[0].again == {1}
    assert sent(envoke_sandbox)[0] == "p0@example.com"
    assert (report.updated, report.rejected) == (COUNT - 5 * BATCH_ROWS + 1, 0)


def test_other_rows_begin_again_at_the_first_one(envoke_sandbox: Sandbox, tries: Tries) -> None:
    tries.run(people("Québec"), die_at=500)
    others = people("Québec")
    others[0], others[1] = others[1], others[0]

    with pytest.raises(RowsChangedError, match="begin again"):
        tries.run(others)

    assert len(patches(envoke_sandbox)) == 5 * BATCH_ROWS


def test_fewer_rows_than_before_begin_again_at_the_first_one(envoke_sandbox: Sandbox, tries: Tries) -> None:
    tries.run(people("Québec"), die_at=500)

    with pytest.raises(RowsChangedError):
        tries.run(people("Québec")[:50])

    assert len(patches(envoke_sandbox)) == 5 * BATCH_ROWS


def test_rows_that_were_skipped_are_tried_again(envoke_sandbox: Sandbox, tries: Tries) -> None:
    envoke_sandbox.reset(people("Laval")[1:])
    tries.options = replace(tries.options, on_missing="skip")
    tries.run(people("Québec"), die_at=500)
    envoke_sandbox.reset(people("Laval"))

    report = tries.run(people("Québec")).report()

    assert tries.checkpoints[0].again == {1}
    assert report.updated == COUNT - 5 * BATCH_ROWS + 1


def test_what_interrupts_a_run_comes_out_also_where_the_rows_have_changed(
    envoke_sandbox: Sandbox, tries: Tries
) -> None:
    tries.checkpoints = [Checkpoint(50, "digest of other rows")]

    report = tries.run(people("Québec"), die_at=60).report()

    assert report.reasons == {"stopped": 60}
    assert patches(envoke_sandbox) == []


def test_a_batch_that_waits_for_an_earlier_one_holds_no_rows(envoke_sandbox: Sandbox) -> None:
    full = Batch(wanted=[Wanted(1, "a", {})], again=[1], last_row=1)

    full.forget_rows()

    assert (len(full), full.again, full.last_row) == (0, [1], 1)


def test_a_refused_row_is_not_tried_again_after_later_rows_that_win(envoke_sandbox: Sandbox, tries: Tries) -> None:
    envoke_sandbox.reset(people("Laval")[1:])
    tries.options = replace(tries.options, on_duplicate="last")

    tries.run(people("Québec"), die_at=500)

    assert tries.checkpoints == [], "the first row was refused: begin with it"


@pytest.mark.parametrize("options", [{"strategy": "changed"}, {"plan_only": True}], ids=str)
def test_a_run_that_compares_keeps_no_checkpoints(tries: Tries, options: dict[str, Any]) -> None:
    tries.options = replace(tries.options, **options)

    tries.run(people("Québec"), die_at=500)

    assert tries.checkpoints == []


def test_checkpoints_are_told_while_the_run_goes_on(tries: Tries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "CHECKPOINT_EVERY_S", 0.0)

    tries.run(people("Québec"), die_at=500)

    assert len(tries.checkpoints) > 1
    assert [each.row for each in tries.checkpoints] == sorted({each.row for each in tries.checkpoints})


def batch(last_row: int, again: list[int] | None = None) -> Batch:
    return Batch(last_row=last_row, digest=f"digest {last_row}", again=again or [])


def test_a_checkpoint_waits_for_every_earlier_batch() -> None:
    checkpoints = Checkpoints()
    first, second, third = batch(10), batch(20), batch(30)
    for each in (first, second, third):
        checkpoints.begin(each)

    checkpoints.finish(second)
    assert checkpoints.latest is None
    checkpoints.finish(first)

    assert checkpoints.latest == Checkpoint(20, "digest 20")


def test_a_checkpoint_stays_before_more_failures_than_it_may_name() -> None:
    checkpoints = Checkpoints(max_again=2)
    for each in (batch(10, [3]), batch(20, [11, 12]), batch(30)):
        checkpoints.begin(each)
        checkpoints.finish(each)

    assert checkpoints.latest == Checkpoint(10, "digest 10", frozenset({3}))


def test_a_digest_depends_on_each_row_and_their_order_and_holds_no_address() -> None:
    def digest(*rows: Wanted) -> str:
        of = RowsDigest()
        for row in rows:
            of.add(row)
        return str(of)

    one = Wanted(1, "a@example.com", {"email": "a@example.com", "interests": {"News": "Set"}})
    two = Wanted(2, "b@example.com", {"email": "b@example.com"})

    assert len({digest(), digest(one), digest(two), digest(one, two), digest(two, one)}) == 5
    assert "example" not in digest(one)
