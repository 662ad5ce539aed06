"""The event loop in its thread, and the thread that waits for it."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from airflow_provider_envoke.sync.loop import LoopThread

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNALS = 200


class RungError(Exception):
    """What the signal raises."""


@pytest.fixture
def interrupting() -> Iterator[None]:
    def interrupt(number: int, frame: object) -> None:
        raise RungError

    before = signal.signal(signal.SIGALRM, interrupt)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


async def answer() -> int:
    await asyncio.sleep(0)
    return 7


async def fail() -> None:
    raise ValueError("of the coroutine")


def test_a_result_and_an_exception_come_back() -> None:
    with LoopThread() as loop:
        assert loop.call(answer()) == 7
        with pytest.raises(ValueError, match="of the coroutine"):
            loop.call(fail())


def test_whoever_waits_may_look_around() -> None:
    looks = []

    def look() -> None:
        looks.append(1)
        if len(looks) == 2:
            raise RungError

    with LoopThread() as loop, pytest.raises(RungError):
        loop.call(asyncio.sleep(60), while_waiting=look)


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore:coroutine 'answer' was never awaited")  # interrupted before it was handed over
def test_a_signal_at_any_moment_leaves_a_loop_that_works(interrupting: None) -> None:
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
            except RungError:
                raised += 1
        assert loop.call(answer()) == 7
    assert raised > SIGNALS / 2
