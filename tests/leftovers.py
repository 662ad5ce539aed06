"""What a process that ended may have left behind."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from pathlib import Path


def addresses(output: str) -> list[tuple[str, int]]:
    """Host and port of every ``http://`` address in a text."""
    return [(host, int(port)) for host, port in re.findall(r"http://([\w.]+):(\d+)", output)]


def listens(at: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(at) == 0


def processes_of(directory: Path) -> list[psutil.Process]:
    """The running processes that name a directory: in the command, in the environment, or as where they are."""
    found = []
    for process in psutil.process_iter():
        try:
            known = [*process.cmdline(), *process.environ().values(), process.cwd()]
        except psutil.Error:
            continue
        if any(str(directory) in each for each in known):
            found.append(process)
    return found


def end_processes_of(directory: Path) -> None:
    """For the end of a test that has failed."""
    for process in processes_of(directory):
        with suppress(psutil.NoSuchProcess):
            process.kill()
