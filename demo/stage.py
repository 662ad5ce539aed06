"""What a person sees of a demo, and how it ends: in order, with nothing left, and with the log if it failed."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from demo.processes import INTERRUPTS, DemoError, interrupt_once

if TYPE_CHECKING:
    from collections.abc import Callable

STOPPED = "Stopped. Nothing is left running."
INTERRUPTED = 130  # the exit status by which a shell knows of Ctrl-C
_LOG_LINES = 40


def say(text: str = "", end: str = "\n") -> None:
    """Print at once: some steps take seconds, and a person is watching."""
    print(text, end=end, flush=True)  # noqa: T201 - the demo's output is its purpose


def perform(act: Callable[[Path, Path], None]) -> int:
    """
    Let ``act(directory, log)`` run in a temporary directory, and return the exit status.

    :param act: may raise ``KeyboardInterrupt``, as a signal makes it do, and ``DemoError``.
    """
    for number in INTERRUPTS:
        signal.signal(number, interrupt_once)
    with tempfile.TemporaryDirectory(prefix="envoke-demo-") as name:
        directory = Path(name)
        log = directory / "demo.log"
        try:
            act(directory, log)
        except KeyboardInterrupt:
            say(f"\n{STOPPED}")
            return INTERRUPTED
        except DemoError as error:
            say(f"failed.\n\n{error} The end of the demo's log:\n")
            say("\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]))
            return 1
    return 0
