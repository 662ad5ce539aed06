"""
``make demo``: syncs a warehouse with a sandbox of Envoke, by Airflow, and shows what changed.

Everything runs in child processes and in a temporary directory; nothing is left of them at the end.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from demo.console import STOPPED, run_in_temporary_directory, say
from demo.dag_runs import RUNS
from demo.report import report_lines
from tests.support import airflow, customers
from tests.support.processes import SetupError, run, start
from tests.support.sandbox_process import SandboxProcess

if TYPE_CHECKING:
    from pathlib import Path


def main() -> int:
    """Run the demo, and return the exit status."""
    return run_in_temporary_directory(_demo)


def _demo(directory: Path, log: Path) -> None:
    say("A warehouse, a sandbox of Envoke, and Airflow in between. Nothing leaves this machine.\n")
    rows, before = customers.customers(), customers.contacts()
    warehouse = directory / "warehouse.sqlite"
    customers.fill_warehouse(warehouse, rows)
    say(f"  Warehouse  {len(rows)} customers in SQLite")
    with SandboxProcess.started(before, directory, log) as sandbox:
        say(f"  Envoke     {len(before)} contacts in the sandbox; its page: {sandbox.url}/")
        environment = _environment(directory, warehouse, sandbox)
        _migrate(environment, log)
        _run_dags(environment, log)
        for line in report_lines(rows, before, sandbox.contacts(), sandbox.updates_received()):
            say(line)
        _wait(sandbox.url)
    say(STOPPED)


def _environment(directory: Path, warehouse: Path, sandbox: SandboxProcess) -> dict[str, str]:
    home = directory / "airflow"
    home.mkdir()
    return {
        **airflow.without_airflow(dict(os.environ)),
        **airflow.environment(home),
        "AIRFLOW_CONN_ENVOKE_DEFAULT": json.dumps(sandbox.connection),
        "AIRFLOW_CONN_WAREHOUSE": json.dumps({"conn_type": "sqlite", "host": str(warehouse)}),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _migrate(environment: dict[str, str], log: Path) -> None:
    say(f"  Airflow    {version('apache-airflow')}, creating its database ... ", end="")
    began = time.monotonic()
    run(["airflow", "db", "migrate"], environment, log)
    say(f"{time.monotonic() - began:.0f} s")


def _run_dags(environment: dict[str, str], log: Path) -> None:
    read_end, write_end = os.pipe()
    with (
        os.fdopen(read_end, encoding="utf-8") as reports,
        start(["demo.dag_runs", str(write_end)], environment, log, pass_fd=write_end) as process,
    ):
        os.close(write_end)
        for dag_id, conf in RUNS:
            with_conf = "".join(f" with {name} = {value}" for name, value in conf.items())
            say(f"  DAG        {dag_id}{with_conf} ... ", end="")
            began = time.monotonic()
            line = reports.readline()
            outcome = json.loads(line) if line else {}
            if outcome.get("state") != "success":
                process.wait()  # a process stopped halfway would append its own traceback to the log
                raise SetupError(f"The run of {dag_id} failed.")
            say(f"{_summary(outcome['result'])}, {time.monotonic() - began:.0f} s")


def _summary(result: dict[str, Any]) -> str:
    """Summarize an operator's result: that of one contact, or of a whole table."""
    if "action" in result:
        return f"1 {result['action']}"
    outcomes = [
        f"{result[name]} {name}" for name in ("updated", "unchanged", "skipped", "rejected") if result[name]
    ]
    return f"{result['rows']} rows: {', '.join(outcomes)}"


def _wait(url: str) -> None:
    """Keep the sandbox's page up until the person at the terminal presses Enter."""
    if sys.stdin.isatty():
        say(f"\nThe sandbox's page is at {url} - press Enter to stop ", end="")
        try:
            sys.stdin.readline()
        except KeyboardInterrupt:  # the same as Enter
            say()


if __name__ == "__main__":
    sys.exit(main())
