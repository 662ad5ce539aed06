"""What is started is stopped, whatever it does."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from demo import processes
from tests.leftovers import end_processes_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A process that does not listen to SIGTERM, and a child that has left the group; both outlive their parent.
DEAF = r"""
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(2):
    if os.fork() == 0:
        os.setpgid(0, 0)
        os.write(1, f"{os.getpid()}\n".encode())
        time.sleep(600)
sys.exit(0) if "leaves" in sys.argv else time.sleep(600)
"""


@pytest.fixture
def deaf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The environment of a process that can import the module ``deaf``; it is not waited for long."""
    (tmp_path / "deaf.py").write_text(DEAF, encoding="utf-8")
    monkeypatch.setattr(processes, "_STOP_S", 0.5)
    yield {**os.environ, "PYTHONPATH": str(tmp_path)}
    end_processes_of(tmp_path)


@pytest.mark.parametrize("arguments", [[], ["leaves"]], ids=["it-stays", "it-leaves-its-children"])
def test_processes_that_ignore_sigterm_or_left_the_group_are_stopped_too(
    arguments: list[str], deaf: dict[str, str], tmp_path: Path
) -> None:
    with processes.start(["deaf", *arguments], deaf, tmp_path / "log", piped=True) as process:
        assert process.stdout
        children = [int(process.stdout.readline()) for _ in range(2)]
        running = processes.living(process.pid)

    assert set(children) <= set(running)
    assert processes.living(process.pid) == []
    assert process.returncode is not None


def test_a_process_that_ends_at_sigterm_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()

    with processes.start(["timeit", "-n1", "-r1", "import time; time.sleep(600)"], os.environ, tmp_path / "log"):
        pass

    assert time.monotonic() - began < processes._STOP_S


def test_a_module_that_fails_says_so(tmp_path: Path) -> None:
    with pytest.raises(processes.DemoError, match=r"no_such_module ended with an error\."):
        processes.run(["no_such_module"], os.environ, tmp_path / "log")

    assert "No module named no_such_module" in (tmp_path / "log").read_text(encoding="utf-8")


def test_it_runs_where_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "there.py").write_text("import os; print(os.getcwd())", encoding="utf-8")

    processes.run(["there"], os.environ, tmp_path / "log", cwd=tmp_path)

    assert (tmp_path / "log").read_text(encoding="utf-8").strip() == str(tmp_path)


def test_free_ports_are_different_ones() -> None:
    ports = processes.free_ports(5)

    assert len(set(ports)) == 5
    assert min(ports) > 0
