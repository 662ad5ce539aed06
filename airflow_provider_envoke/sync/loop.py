"""An event loop in a thread of its own, and how the caller's thread waits for it."""

from __future__ import annotations

import asyncio
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

_CHECK_EVERY_S = 0.2


class LoopThread:
    """
    Runs coroutines beside the caller's thread. Its state is the loop and its thread.

    A signal raises in the caller's thread, which waits outside the loop: inside, the exception could end up in any
    coroutine.
    """

    def __init__(self) -> None:
        self._loop = _Loop()
        self._loop.set_debug(False)  # asyncio's debug mode logs what its tasks return, which is personal data
        self._thread = threading.Thread(target=self._loop.run_forever, name="envoke-sync", daemon=True)

    def __enter__(self) -> LoopThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.call(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, coroutine: Coroutine[Any, Any, T], while_waiting: Callable[[], None] = lambda: None) -> T:
        """
        Run a coroutine and return its result.

        :param while_waiting: called several times a second; what it raises ends the waiting, not the coroutine.
        """
        # Not a concurrent.futures.Future: a signal that raises while its lock is held would leave it locked.
        ended: SimpleQueue[asyncio.Task[T]] = SimpleQueue()

        def end(task: asyncio.Task[T]) -> None:
            if not task.cancelled():
                task.exception()  # or asyncio logs it, if the caller has stopped waiting
            ended.put(task)

        def start() -> None:
            self._loop.create_task(coroutine).add_done_callback(end)

        self._loop.call_soon_threadsafe(start)
        while True:
            try:
                return ended.get(timeout=_CHECK_EVERY_S).result()
            except Empty:
                while_waiting()


class _Loop(asyncio.SelectorEventLoop):
    """Reads with small buffers: asyncio allocates 256 KiB for each read, which is slow outside the main thread."""

    async def create_connection(self, *arguments: Any, **options: Any) -> Any:
        transport, protocol = await super().create_connection(*arguments, **options)
        transport.max_size = 16 * 1024  # type: ignore[attr-defined]
        return transport, protocol


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
