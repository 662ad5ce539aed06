"""Start Python modules as child processes, and stop them and their children when the caller ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psutil

from tests.support import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_S = 10.0
_POLL_S = 0.05


class SetupError(Exception):
    """Something that the demo or a system test needs did not start, answer or end; the message says what."""


def run(module: Sequence[str], environment: Mapping[str, str], log: Path, *, cwd: Path = ROOT) -> None:
    """Run a module with its arguments, and wait until it ends without an error."""
    with start(module, environment, log, cwd=cwd) as process:
        if process.wait() != 0:
            raise SetupError(f"{' '.join(module)} failed with exit status {process.returncode}.")


@contextmanager
def start(
    module: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    *,
    cwd: Path = ROOT,
    piped: bool = False,
    pass_fd: int | None = None,
    stop_s: float = STOP_S,
) -> Iterator[subprocess.Popen[str]]:
    """
    Start a module with its arguments; on exit, stop it and the processes that it started.

    :param cwd: its working directory, which it also imports from, unless ``PYTHONSAFEPATH`` is set.
    :param piped: whether the caller reads its standard output.
    :param stop_s: how long it may take to end before it is killed.
    """
    with ExitStack() as stack:
        with log.open("a", encoding="utf-8") as output, _signals_deferred():
            process = subprocess.Popen(
                [sys.executable, "-B", "-m", *module],
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else output,
                stderr=output,
                pass_fds=() if pass_fd is None else (pass_fd,),
                text=True,
                start_new_session=True,  # so that Ctrl-C reaches only the caller, which then stops this one
            )
            if process.stdout:
                stack.callback(process.stdout.close)
            stack.callback(_stop, process, stop_s)
        yield process


def interrupt_once(number: int, frame: FrameType | None) -> None:
    """Handle a signal: raise ``KeyboardInterrupt``, and ignore further signals while the processes stop."""
    for each in STOP_SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt(number, frame)


def wait_for(what: str, check: Callable[[], Any], timeout_s: float) -> Any:
    """Call a function until it returns something true, and return that."""
    deadline = time.monotonic() + timeout_s
    while not (value := check()):
        if time.monotonic() > deadline:
            raise SetupError(f"Timed out after {timeout_s:.0f} s waiting for {what}. Last value: {value!r}")
        time.sleep(5 * _POLL_S)
    return value


def running_in_session(session: int) -> list[int]:
    """
    Return the ids of the running processes of a session, which is named after its first process.

    Airflow moves some of its processes into other groups, and leaves them behind; the session stays the same.
    """
    found = []
    for pid in psutil.pids():
        with suppress(OSError, psutil.Error):
            if os.getsid(pid) == session and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
    return found


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that are not in use."""
    with ExitStack() as stack:  # all open at once, so that no two are the same
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]


def free_port(preferred: int) -> int:
    """Return a port of this machine that is not in use: the preferred one, or another."""
    with suppress(OSError), socket.create_server(("127.0.0.1", preferred)):
        return preferred
    return free_ports(1)[0]


@contextmanager
def _signals_deferred() -> Iterator[None]:
    """Handle the stop signals only at the end of the block, when a process that starts in it can be stopped."""
    received: list[int] = []
    handlers = {each: signal.signal(each, lambda number, _: received.append(number)) for each in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in received:
            signal.raise_signal(number)


def _stop(process: subprocess.Popen[str], stop_s: float) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in running_in_session(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + stop_s
        while running_in_session(process.pid) and time.monotonic() < deadline:
            process.poll()
            time.sleep(_POLL_S)
    process.wait(STOP_S)
