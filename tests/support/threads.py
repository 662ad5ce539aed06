"""An action in another thread, once something has come true."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.processes import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAIT_S = 60.0


@contextmanager
def once(what: str, is_true: Callable[[], bool], action: Callable[[], object]) -> Iterator[None]:
    """Run an action in another thread as soon as something is true."""
    failed: list[BaseException] = []

    def wait_and_act() -> None:
        try:
            wait_for(what, is_true, WAIT_S)
            action()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    yield
    thread.join()
    assert failed == []
