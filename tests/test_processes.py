"""Child processes are stopped, whatever they do."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import processes
from tests.support.leftovers import end_processes_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A process that ignores SIGTERM, with two children that have left its process group.
STUBBORN = r"""
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
def stubborn(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a process that can import the module ``stubborn``."""
    (tmp_path / "stubborn.py").write_text(STUBBORN, encoding="utf-8")
    yield {**os.environ, "PYTHONPATH": str(tmp_path)}
    end_processes_of(tmp_path)


@pytest.mark.parametrize("arguments", [[], ["leaves"]], ids=["keeps-running", "leaves-its-children-behind"])
def test_processes_that_ignore_sigterm_or_left_the_group_are_stopped_too(
    arguments: list[str], stubborn: dict[str, str], tmp_path: Path
) -> None:
    with processes.start(["stubborn", *arguments], stubborn, tmp_path / "log", piped=True, stop_s=0.5) as process:
        assert process.stdout
        children = [int(process.stdout.readline()) for _ in range(2)]
        running = processes.running_in_session(process.pid)

    assert set(children) <= set(running)
    assert processes.running_in_session(process.pid) == []
    assert process.returncode is not None


def test_a_process_that_ends_at_sigterm_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()

    with processes.start(["timeit", "-n1", "-r1", "import time; time.sleep(600)"], os.environ, tmp_path / "log"):
        pass

    assert time.monotonic() - began < processes.STOP_S


def test_a_process_is_stopped_if_a_signal_arrives_while_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[str]] = []

    class Interrupted(subprocess.Popen[str]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)

    with pytest.raises(KeyboardInterrupt), processes.start(["timeit", "1"], os.environ, tmp_path / "log"):
        pytest.fail("the signal comes first")

    assert [process.returncode is not None for process in started] == [True]


def test_a_module_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(processes.SetupError, match="no_such_module"):
        processes.run(["no_such_module"], os.environ, tmp_path / "log")

    assert "No module named no_such_module" in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_module_runs_in_the_given_directory(tmp_path: Path) -> None:
    (tmp_path / "there.py").write_text("import os; print(os.getcwd())", encoding="utf-8")

    processes.run(["there"], os.environ, tmp_path / "log", cwd=tmp_path)

    assert (tmp_path / "log").read_text(encoding="utf-8").strip() == str(tmp_path)


def test_waiting_ends_with_the_last_value() -> None:
    with pytest.raises(processes.SetupError, match=r"the moon.*\[\]"):
        processes.wait_for("the moon", list, 0.1)
