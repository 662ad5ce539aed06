"""An event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

# How often a waiting caller looks whether it should go on waiting.
_LOOK_EVERY_S = 0.2


class LoopThread:
    """
    Runs coroutines beside the caller's thread; its state is the loop and its thread.

    What a signal raises is raised in the caller's thread, which waits outside of the loop: within, it could end up
    in any coroutine that happens to run.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_debug(False)  # asyncio's debug mode logs what its tasks return: people's data
        self._thread = threading.Thread(target=self._loop.run_forever, name="envoke-sync", daemon=True)

    def __enter__(self) -> LoopThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.call(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Start a coroutine and go on."""
        self._loop.call_soon_threadsafe(self._loop.create_task, coroutine)

    def call(self, coroutine: Coroutine[Any, Any, T], while_waiting: Callable[[], None] = lambda: None) -> T:
        """
        Run a coroutine and return its result.

        :param while_waiting: called now and then; what it raises ends the waiting, not the coroutine.
        """
        # Not a concurrent.futures.Future: a signal that raises while its lock is taken would leave it so for ever.
        ended: SimpleQueue[asyncio.Task[T]] = SimpleQueue()

        def start() -> None:
            self._loop.create_task(coroutine).add_done_callback(ended.put)

        self._loop.call_soon_threadsafe(start)
        while True:
            try:
                return ended.get(timeout=_LOOK_EVERY_S).result()
            except Empty:
                while_waiting()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
