"""Find the processes and open ports that a process left behind."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def addresses(output: str) -> list[tuple[str, int]]:
    """Return the host and port of every ``http://`` URL in a text."""
    return [(host, int(port)) for host, port in re.findall(r"http://([\w.]+):(\d+)", output)]


def listens(at: tuple[str, int]) -> bool:
    """Return whether something accepts connections at a host and port."""
    with socket.socket() as probe:
        return probe.connect_ex(at) == 0


def processes_of(directory: Path) -> list[psutil.Process]:
    """Return the processes with a directory in their command, their environment or their working directory."""
    found = []
    for process in psutil.process_iter():
        try:
            known = [*process.cmdline(), *process.environ().values(), process.cwd()]
        except psutil.Error:
            continue
        if any(str(directory) in each for each in known):
            found.append(process)
    return found


def listening_addresses(processes: Iterable[psutil.Process]) -> set[tuple[str, int]]:
    """Return the addresses, without host names, and the ports at which processes accept connections."""
    found: set[tuple[str, int]] = set()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            open_sockets = process.net_connections("tcp")
            found |= {tuple(each.laddr) for each in open_sockets if each.status == psutil.CONN_LISTEN}
    return found


def end_processes_of(directory: Path) -> None:
    """Kill the processes of a directory, in case a test has failed."""
    for process in processes_of(directory):
        with suppress(psutil.NoSuchProcess):
            process.kill()
