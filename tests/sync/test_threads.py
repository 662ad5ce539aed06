"""The event loop in its own thread, and the thread that waits for it."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.exceptions import EnvokeConfigError
from airflow_provider_envoke.sync import EnvokeConfig, SyncOptions, SyncRun
from airflow_provider_envoke.sync.loop import LoopThread

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNALS = 200
CONFIG = EnvokeConfig(api_id="id", api_key="key")


class AlarmError(Exception):
    """The signal was received."""


@pytest.fixture
def interrupting() -> Iterator[None]:
    def interrupt(number: int, frame: object) -> None:
        raise AlarmError

    before = signal.signal(signal.SIGALRM, interrupt)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


async def answer() -> int:
    await asyncio.sleep(0)
    return 7


async def fail() -> None:
    raise ValueError("from the coroutine")


def test_results_and_exceptions_are_returned() -> None:
    with LoopThread() as loop:
        assert loop.call(answer()) == 7
        with pytest.raises(ValueError, match="from the coroutine"):
            loop.call(fail())


def test_the_caller_may_check_while_it_waits() -> None:
    checks = []

    def check() -> None:
        checks.append(1)
        if len(checks) == 2:
            raise AlarmError

    with LoopThread() as loop, pytest.raises(AlarmError):
        loop.call(asyncio.sleep(60), while_waiting=check)


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings(
    "ignore:coroutine 'answer' was never awaited"
)  # interrupted before it reached the loop
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it arrived in a destructor
def test_a_signal_at_any_moment_leaves_the_loop_working(interrupting: None) -> None:
    raised = 0
    with LoopThread() as loop:
        for number in range(SIGNALS):
            try:
                try:
                    signal.setitimer(signal.ITIMER_REAL, 1e-6 + number * 2e-6)
                    for _ in range(20):
                        loop.call(answer())
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except AlarmError:
                raised += 1
        assert loop.call(answer()) == 7
    assert raised > SIGNALS / 2


@pytest.mark.parametrize("batch_rows", [0, -1, 100, 2.5, "9", True])
def test_a_batch_has_1_to_99_rows(batch_rows: Any) -> None:
    with pytest.raises(EnvokeConfigError, match="batch_rows"):
        SyncRun(CONFIG, SyncOptions(), batch_rows=batch_rows)
