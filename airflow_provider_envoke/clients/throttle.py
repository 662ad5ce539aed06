"""How many requests may be under way, and how fast they may start: one judgement for all workers."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from aiolimiter import AsyncLimiter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Throttle:
    """
    Bounds the requests under way; after a 429 or 503 all of them pause, and fewer go on.

    Its state: how many requests are under way, how many may be (halved by each pause, regained by successes, at
    least 1), when the pause ends, and who waits.

    :param concurrency: how many requests may be under way at most.
    :param requests_per_second: how many may start in a second, or ``None`` for no limit.
    :param sleep: called with seconds; tests pass one that does not wait.
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
        self._sleep = sleep
        self._limiter = AsyncLimiter(1, 1 / requests_per_second) if requests_per_second else None
        self._resume_at_s = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        """Wait for the turn; who has it calls :meth:`release` afterwards, come what may."""
        await self._take_place()
        try:
            await self._wait_for_resume()
            if self._limiter is not None:
                await self._limiter.acquire()
                while self._resume_at_s:  # a pause has begun meanwhile: what was allowed before it is no longer
                    await self._wait_for_resume()
                    await self._limiter.acquire()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give the place to the next one."""
        self.in_flight -= 1
        self._wake()

    def slow_down(self, pause_s: float) -> None:
        """Pause everybody, and let half as many go on; refusals of one burst count once."""
        now = time.monotonic()
        if now >= self._resume_at_s:
            self.allowed = max(1.0, self.allowed / 2)
        self._resume_at_s = max(self._resume_at_s, now + pause_s)

    def speed_up(self) -> None:
        """After a success, regain one place for about every ``allowed`` of them."""
        if self.allowed < self.concurrency:
            self.allowed = min(float(self.concurrency), self.allowed + 1 / self.allowed)

    async def _take_place(self) -> None:
        if not self._waiting and self.in_flight < int(self.allowed):
            self.in_flight += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn  # whoever gives the turn takes the place for us
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # passed over already
                    self._waiting.remove(turn)
            else:
                self.release()
            raise

    async def _wait_for_resume(self) -> None:
        while self._resume_at_s and (left := self._resume_at_s - time.monotonic()) > 0:
            await self._sleep(left)
        self._resume_at_s = 0.0

    def _wake(self) -> None:
        while self._waiting and self.in_flight < int(self.allowed):
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)
