"""``make airflow``: what it starts, and that it leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from demo.run_airflow import AIRFLOW_PORT, SANDBOX_PORT, instructions
from tests.support import EXAMPLES, ROOT, customers
from tests.support.leftovers import addresses, end_processes_of, listening_addresses, listens, processes_of
from tests.support.processes import free_port, wait_for
from tests.support.sandbox_process import SandboxProcess
from tests.system.airflow.rest import Rest
from tests.system.airflow.standalone import LINE, Standalone
from tests.system.airflow.with_sandbox import AirflowWithSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOME_TEST = "tests/system/test_standalone.py::test_no_dag_file_fails_to_import"


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A temporary directory; processes that use it are killed at the end."""
    yield tmp_path
    end_processes_of(tmp_path)


@pytest.fixture
def command(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """The command, started without a terminal; its temporary files are in ``directory``."""
    process = subprocess.Popen(
        [sys.executable, "-B", "-m", "demo.run_airflow"], cwd=ROOT, env={**os.environ, "TMPDIR": str(directory)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    yield process
    process.terminate()
    process.wait()


def read_until(command: subprocess.Popen[str], words: str) -> str:
    assert command.stdout
    head = ""
    while words not in head:
        letter = command.stdout.read(1)
        assert letter, head
        head += letter
    return head


def test_it_starts_airflow_and_the_sandbox_and_ctrl_c_stops_both(
    command: subprocess.Popen[str], directory: Path
) -> None:
    head = read_until(command, "to stop everything.")
    rest = Rest(re.findall(r"Airflow +(http://[\w.:]+)/", head)[0], LINE)
    password = re.search(r"log in as admin with the password (\S+)", head)
    rest = rest.log_in(password[1] if password else "")
    (sandbox,) = re.findall(r"Sandbox +(http://[\w.:]+)/", head)
    connections = {each["connection_id"]: each for each in rest.call("GET", "/connections")["connections"]}
    running = processes_of(directory)
    listening = listening_addresses(running)
    parts = ("connection_id", "conn_type", "host", "port", "login", "password", "schema", "extra")
    envoke = {name: connections["envoke_default"].get(name) for name in parts}
    tested = rest.call("POST", "/connections/test", envoke) if LINE == 3 else {}
    with urlopen(f"{sandbox}/", timeout=10) as answer:
        page = answer.read().decode()

    command.send_signal(signal.SIGINT)
    rest_of_output, _ = command.communicate(timeout=60)

    assert bool(password) is (LINE == 2)
    assert str(EXAMPLES) in head
    assert set(connections) == {"envoke_default", "warehouse"}
    airflow_at, sandbox_at = addresses(f"{rest.url} {sandbox}")
    assert connections["envoke_default"]["port"] == sandbox_at[1]
    assert LINE == 2 or tested["status"] is True, "what the button Test in the list of connections does"
    assert listening == {airflow_at, sandbox_at}
    usual = (airflow_at[1], sandbox_at[1]) == (AIRFLOW_PORT, SANDBOX_PORT)
    assert usual is ("in use" not in head)
    assert customers.contacts()[-1]["email"] in page
    assert len(running) > 4, "scheduler, triggerer, web server, sandbox"
    assert rest_of_output.endswith("Stopped. Nothing is left running.\n")
    assert "Traceback" not in rest_of_output
    assert command.returncode == 0
    assert_nothing_is_left(head, directory)


def test_it_says_so_if_the_usual_ports_are_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port(port) != port
    assert free_port(port) == port

    def banner(port: int, sandbox_port: int) -> str:
        airflow = Standalone(Rest(f"http://127.0.0.1:{port}", LINE), {}, tmp_path, "", None)  # type: ignore[arg-type]
        sandbox = SandboxProcess(f"http://127.0.0.1:{sandbox_port}")
        return "\n".join(instructions(AirflowWithSandbox(airflow, sandbox, tmp_path, tmp_path)))

    assert "in use" not in banner(AIRFLOW_PORT, SANDBOX_PORT)
    assert f"{AIRFLOW_PORT} are in use" in banner(1, SANDBOX_PORT)
    assert f"{AIRFLOW_PORT} and {SANDBOX_PORT} are in use" in banner(1, 2)


def test_it_can_be_stopped_while_it_starts(command: subprocess.Popen[str], directory: Path) -> None:
    read_until(command, "...")
    wait_for("Airflow to have begun", lambda: len(processes_of(directory)) > 2, 60)

    command.send_signal(signal.SIGTERM)
    output, _ = command.communicate(timeout=60)

    assert output.endswith("Stopped. Nothing is left running.\n")
    assert "Traceback" not in output
    assert_nothing_is_left("", directory)


def test_an_interrupted_test_run_leaves_nothing_behind(directory: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", "--basetemp", directory / "t", SOME_TEST],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    wait_for("Airflow to have begun", lambda: len(processes_of(directory)) > 3, 60)

    process.send_signal(signal.SIGTERM)
    process.wait(60)

    assert processes_of(directory) == []


def assert_nothing_is_left(output: str, directory: Path) -> None:
    assert processes_of(directory) == []
    assert [at for at in addresses(output) if listens(at)] == []
    assert list(directory.iterdir()) == []
