"""How many requests are under way, and how fast they start."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator


class Pace:
    """Spreads the starts of requests evenly over each second. Its state is the time of the next start."""

    def __init__(self, per_second: float | None) -> None:
        self._interval_s = 1 / per_second if per_second else 0.0
        self._next_s = 0.0

    def reserve(self) -> float:
        """Reserve the next start, and return how many seconds away it is."""
        if not self._interval_s:
            return 0.0
        now = time.monotonic()
        start_s = max(now, self._next_s)
        self._next_s = start_s + self._interval_s
        return start_s - now


class Throttle:
    """
    Bounds what is under way. After a 429 or 503 all requests pause, and half as many continue.

    It is the only bound of a run: requests wait here for a slot, first come, first served, and
    :meth:`wait_for_room` holds further rows back while enough requests wait.

    Its state: the slots in use, how many there are now (halved by each pause, regained by successes, at least 1),
    when the pause ends, the requests that wait for a slot, and how many requests are not finished.
    """

    def __init__(
        self,
        concurrency: int,
        requests_per_second: float | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.concurrency = concurrency
        self.allowed = float(concurrency)
        self.in_flight = 0
        self.unfinished = 0
        self._sleep = sleep
        self._pace = Pace(requests_per_second)
        self._resume_at_s = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._room = asyncio.Event()

    @contextmanager
    def unfinished_work(self) -> Iterator[None]:
        """Count a request as unfinished, from its first attempt to its last, or what waits for such a request."""
        self.unfinished += 1
        try:
            yield
        finally:
            self.unfinished -= 1
            if self.unfinished < 2 * self.concurrency:
                self._room.set()

    async def wait_for_room(self) -> None:
        """Wait until fewer than two requests for each slot are unfinished: enough to keep every slot in use."""
        while self.unfinished >= 2 * self.concurrency:
            self._room.clear()
            await self._room.wait()

    async def acquire(self) -> None:
        """Wait for a free slot and the next start. The caller must call :meth:`release`."""
        await self._take_slot()
        try:
            await self._wait_for_resume()
            while pause_s := self._pace.reserve():
                await self._sleep(pause_s)
                if not self._resume_at_s:
                    break
                await self._wait_for_resume()  # a pause began meanwhile: reserve another start after it
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Free the slot."""
        self.in_flight -= 1
        while self._waiting and self.in_flight < int(self.allowed):
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)

    def slow_down(self, pause_s: float) -> None:
        """Pause all requests, and halve the slots; several 429s during one pause count once."""
        now = time.monotonic()
        if now >= self._resume_at_s:
            self.allowed = max(1.0, self.allowed / 2)
        self._resume_at_s = max(self._resume_at_s, now + pause_s)

    def speed_up(self) -> None:
        """After a success, regain a fraction of a slot: one slot for about every ``allowed`` successes."""
        if self.allowed < self.concurrency:
            self.allowed = min(float(self.concurrency), self.allowed + 1 / self.allowed)

    async def _take_slot(self) -> None:
        if not self._waiting and self.in_flight < int(self.allowed):
            self.in_flight += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn  # release() takes the slot for us
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # release() has removed it already
                    self._waiting.remove(turn)
            else:
                self.release()
            raise

    async def _wait_for_resume(self) -> None:
        while (resume_at_s := self._resume_at_s) and (left_s := resume_at_s - time.monotonic()) > 0:
            await self._sleep(left_s)
            if self._resume_at_s == resume_at_s:
                break  # otherwise another 429 or 503 has prolonged the pause meanwhile
        self._resume_at_s = 0.0
