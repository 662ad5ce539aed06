"""Print to the terminal, and clean up at the end of a demo; if it fails, show its log."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.processes import STOP_SIGNALS, SetupError, interrupt_once

if TYPE_CHECKING:
    from collections.abc import Callable

STOPPED = "Stopped. Nothing is left running."
INTERRUPTED = 130  # the exit status that shells use for Ctrl-C
_LOG_LINES = 40


def say(text: str = "", end: str = "\n") -> None:
    """Print at once: some steps take seconds, and a person is watching."""
    print(text, end=end, flush=True)


def run_in_temporary_directory(body: Callable[[Path, Path], None]) -> int:
    """
    Call ``body(directory, log)`` with a temporary directory and a log file in it, and return the exit status.

    :param body: may raise :class:`SetupError`, and ``KeyboardInterrupt``, which a signal makes it raise.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, interrupt_once)
    with tempfile.TemporaryDirectory(prefix="envoke-demo-") as name:
        directory = Path(name)
        log = directory / "demo.log"
        try:
            body(directory, log)
        except KeyboardInterrupt:
            say(f"\n{STOPPED}")
            return INTERRUPTED
        except SetupError as error:
            say(f"failed.\n\n{error} The end of the log:\n")
            say("\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]))
            return 1
    return 0
