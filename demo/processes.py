"""Python modules as processes of their own that end when the demo ends, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[1]
_STOP_S = 10.0


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


def run(module: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
    """
    Run a module with its arguments to its end.

    :raises DemoError: if it ends with an error.
    """
    with start(module, environment, log) as process:
        if process.wait() != 0:
            raise DemoError(f"{' '.join(module)} ended with an error.")


@contextmanager
def start(
    module: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    *,
    piped: bool = False,
    pass_fd: int | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """
    Start a module with its arguments; stop it, and what it started itself, on leaving the context.

    :param environment: all of its environment variables.
    :param log: file that its output is added to.
    :param piped: whether to leave its standard output to the caller to read.
    :param pass_fd: a file descriptor that it may use too.
    """
    with log.open("a", encoding="utf-8") as output:
        process = subprocess.Popen(  # noqa: S603 - our own modules
            [sys.executable, "-B", "-m", *module],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else output,
            stderr=output,
            pass_fds=() if pass_fd is None else (pass_fd,),
            text=True,
            start_new_session=True,  # Ctrl-C reaches the demo alone, which then stops this one
        )
    try:
        yield process
    finally:
        _stop(process)
        if process.stdout:
            process.stdout.close()


def _stop(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
            return
