"""Python modules as processes of their own that end when the caller ends, however it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STOP_S = 10.0
_LOOK_EVERY_S = 0.05


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


def run(module: Sequence[str], environment: Mapping[str, str], log: Path, *, cwd: Path = ROOT) -> None:
    """
    Run a module with its arguments to its end.

    :raises DemoError: if it ends with an error.
    """
    with start(module, environment, log, cwd=cwd) as process:
        if process.wait() != 0:
            raise DemoError(f"{' '.join(module)} ended with an error.")


@contextmanager
def start(
    module: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    *,
    cwd: Path = ROOT,
    piped: bool = False,
    pass_fd: int | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """
    Start a module with its arguments; stop it, and what it started itself, on leaving the context.

    :param environment: all of its environment variables.
    :param log: file that its output is added to.
    :param cwd: its working directory, which it also imports from, unless ``PYTHONSAFEPATH`` is set.
    :param piped: whether to leave its standard output to the caller to read.
    :param pass_fd: a file descriptor that it may use too.
    """
    with log.open("a", encoding="utf-8") as output:
        process = subprocess.Popen(  # noqa: S603 - our own modules
            [sys.executable, "-B", "-m", *module],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else output,
            stderr=output,
            pass_fds=() if pass_fd is None else (pass_fd,),
            text=True,
            start_new_session=True,  # Ctrl-C reaches the caller alone, which then stops this one
        )
    try:
        yield process
    finally:
        _stop(process)
        if process.stdout:
            process.stdout.close()


def interrupt_once(number: int, frame: FrameType | None) -> None:
    """Stop once, in order: a second Ctrl-C while the processes end changes nothing. A handler of signals."""
    for each in INTERRUPTS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt(number, frame)


def living(session: int) -> list[int]:
    """
    Return the ids of a session's living processes.

    Airflow puts some of its processes into groups of their own, and leaves them behind when their parents end;
    the session stays the same.

    :param session: the id of the process that the session began with.
    """
    found = []
    for pid in psutil.pids():
        with suppress(OSError, psutil.Error):
            if os.getsid(pid) == session and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
    return found


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody listens on."""
    with ExitStack() as stack:  # all at once, so that no two are the same
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]


def _stop(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in living(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + _STOP_S
        while living(process.pid) and time.monotonic() < deadline:
            process.poll()
            time.sleep(_LOOK_EVERY_S)
    process.wait(_STOP_S)
