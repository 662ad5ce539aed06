"""How many requests are under way, how fast they start, and who comes first."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.client.throttle import Pace, Throttle

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tests.support.clients import Sleeps


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine, which ends by itself unless a slot is lost."""
    return asyncio.run(asyncio.wait_for(main, 10))


async def let_others_run() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_starts_are_spread_evenly_and_not_saved_up() -> None:
    pace = Pace(10)

    first = [pace.reserve() for _ in range(3)]
    time.sleep(0.4)
    later = [pace.reserve() for _ in range(2)]

    assert [*first, *later] == pytest.approx([0, 0.1, 0.2, 0, 0.1], abs=0.05)
    assert Pace(None).reserve() == 0


def test_a_burst_of_refusals_halves_the_slots_once_and_successes_bring_them_back_slowly() -> None:
    throttle = Throttle(16)

    for _ in range(5):
        throttle.slow_down(10)
    halved = throttle.allowed
    for _ in range(8):
        throttle.speed_up()
    after_eight = throttle.allowed
    for _ in range(500):
        throttle.speed_up()

    assert halved == 8
    assert 8.9 < after_eight < 9
    assert throttle.allowed == 16


def test_each_further_pause_halves_the_slots_down_to_one() -> None:
    throttle = Throttle(6)

    allowed = []
    for _ in range(4):
        throttle.slow_down(0)
        allowed.append(throttle.allowed)

    assert allowed == [3, 1.5, 1, 1]


@pytest.mark.parametrize("slots", [1, 3])
def test_slots_are_given_in_the_order_in_which_they_were_asked_for(slots: int) -> None:
    async def main() -> tuple[list[int], set[int]]:
        throttle, order, in_flight = Throttle(slots), [], set()

        async def request(number: int) -> None:
            await throttle.acquire()
            order.append(number)
            in_flight.add(throttle.in_flight)
            await let_others_run()
            throttle.release()

        await asyncio.gather(*map(request, range(10)))
        return order, in_flight

    order, in_flight = run(main())
    assert order == list(range(10))
    assert max(in_flight) == slots


def test_a_slot_is_given_only_when_fewer_are_used_than_are_left_after_a_refusal(sleeps: Sleeps) -> None:
    async def main() -> list[bool]:
        throttle, given = Throttle(4, sleep=sleeps.asynchronously), []
        for _ in range(4):
            await throttle.acquire()
        throttle.slow_down(60)
        waiting = asyncio.create_task(throttle.acquire())
        for _ in range(3):
            throttle.release()
            await let_others_run()
            given.append(waiting.done())
        return given

    assert run(main()) == [False, False, True]


def test_a_slot_that_comes_back_goes_to_the_request_that_has_waited_longest() -> None:
    async def main() -> list[str]:
        throttle, order = Throttle(2), []
        throttle.slow_down(0)
        await throttle.acquire()

        async def request(name: str) -> None:
            await throttle.acquire()
            order.append(name)
            throttle.release()

        first = asyncio.create_task(request("first"))
        await let_others_run()
        throttle.speed_up()
        second = asyncio.create_task(request("second"))
        await let_others_run()
        throttle.release()
        await asyncio.gather(first, second)
        return order

    assert run(main()) == ["first", "second"]


@pytest.mark.parametrize("cancelled_first", [True, False])
def test_a_cancelled_wait_does_not_lose_the_slot(cancelled_first: bool) -> None:
    async def main() -> int:
        throttle = Throttle(1)
        await throttle.acquire()
        first, second = (asyncio.create_task(throttle.acquire()) for _ in range(2))
        await asyncio.sleep(0)
        acts = [first.cancel, throttle.release]
        for act in acts if cancelled_first else reversed(acts):
            act()
        await asyncio.wait([first, second])
        return throttle.in_flight

    assert run(main()) == 1


def test_a_cancelled_pause_frees_the_slot() -> None:
    async def main() -> tuple[int, int]:
        throttle = Throttle(1)
        throttle.slow_down(60)
        pausing = asyncio.create_task(throttle.acquire())
        await let_others_run()
        taken = throttle.in_flight
        pausing.cancel()
        await asyncio.wait([pausing])
        return taken, throttle.in_flight

    assert run(main()) == (1, 0)


def test_rows_are_held_back_while_two_requests_for_each_slot_are_unfinished() -> None:
    async def main() -> list[bool]:
        throttle, went_on = Throttle(2), []
        requests = [throttle.unfinished_work() for _ in range(5)]
        for request in requests:
            request.__enter__()
        waiting = asyncio.create_task(throttle.wait_for_room())
        for request in requests:
            request.__exit__(None, None, None)
            await let_others_run()
            went_on.append(waiting.done())
        await throttle.wait_for_room()
        return went_on

    assert run(main()) == [False, True, True, True, True]


# The clock of these tests does not move while a request sleeps.


def test_after_a_pause_requests_start_at_the_rate_and_not_all_at_once(sleeps: Sleeps) -> None:
    async def main() -> None:
        throttle = Throttle(8, requests_per_second=0.1, sleep=sleeps.asynchronously)
        throttle.slow_down(300)
        await asyncio.gather(*(throttle.acquire() for _ in range(4)))

    run(main())

    assert sleeps == pytest.approx([300] * 4 + [10, 20, 30], abs=3)


@pytest.mark.parametrize(
    ("requests_per_second", "first_pause", "slept"),
    [
        pytest.param(None, 100, [100, 300], id="it prolongs a pause"),
        pytest.param(0.1, 0, [10, 300, 20], id="the request waits for its start"),
    ],
)
def test_a_pause_that_begins_while_a_request_waits_holds_it_too(
    requests_per_second: float | None, first_pause: float, slept: list[float], sleeps: Sleeps
) -> None:
    async def sleep(seconds: float) -> None:
        await sleeps.asynchronously(seconds)
        if len(sleeps) == 1:
            throttle.slow_down(300)

    async def main() -> None:
        await throttle.acquire()
        await throttle.acquire()

    throttle = Throttle(8, requests_per_second, sleep=sleep)
    throttle.slow_down(first_pause)
    run(main())

    assert sleeps == pytest.approx(slept, abs=3)
