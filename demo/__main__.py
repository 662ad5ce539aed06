"""
``make demo``: a warehouse, a stand-in of Envoke, and Airflow in between.

Everything happens in a temporary directory and in processes of its own; both are gone at the end.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import ExitStack
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from demo import customers, local_airflow, page, runs
from demo.processes import DemoError, run, start
from demo.stage import STOPPED, perform, say
from demo.stand_in import StandIn

if TYPE_CHECKING:
    from pathlib import Path


def main() -> int:
    """Run the demo, and return the exit status."""
    return perform(_demo)


def _demo(directory: Path, log: Path) -> None:
    say("A warehouse, a stand-in of Envoke, and Airflow in between. Nothing leaves this machine.\n")
    rows, before = customers.customers(), customers.contacts()
    warehouse = directory / "warehouse.sqlite"
    customers.fill_warehouse(warehouse, rows)
    say(f"  Warehouse  {len(rows)} customers in SQLite")
    with ExitStack() as stack:
        stand_in = stack.enter_context(StandIn.started(before, directory, log))
        say(f"  Envoke     {len(before)} contacts in the stand-in; its page: {stand_in.url}/")
        environment = _environment(directory, warehouse, stand_in)
        _migrate(environment, log)
        _run_dags(environment, log)
        for line in page.report(rows, before, stand_in.contacts(), stand_in.updates_received()):
            say(line)
        _wait(stand_in.url)
    say(STOPPED)


def _environment(directory: Path, warehouse: Path, stand_in: StandIn) -> dict[str, str]:
    home = directory / "airflow"
    home.mkdir()
    return {
        **local_airflow.without_airflow(dict(os.environ)),
        **local_airflow.environment(home),
        "AIRFLOW_CONN_ENVOKE_DEFAULT": json.dumps(stand_in.connection),
        "AIRFLOW_CONN_WAREHOUSE": json.dumps({"conn_type": "sqlite", "host": str(warehouse)}),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _migrate(environment: dict[str, str], log: Path) -> None:
    say(f"  Airflow    {version('apache-airflow')}, makes its database ... ", end="")
    began = time.monotonic()
    run(["airflow", "db", "migrate"], environment, log)
    say(f"{time.monotonic() - began:.0f} s")


def _run_dags(environment: dict[str, str], log: Path) -> None:
    read_end, write_end = os.pipe()
    with (
        os.fdopen(read_end, encoding="utf-8") as reports,
        start(["demo.runs", str(write_end)], environment, log, pass_fd=write_end) as process,
    ):
        os.close(write_end)
        for dag_id, conf in runs.RUNS:
            with_conf = "".join(f" with {name} = {value}" for name, value in conf.items())
            say(f"  DAG        {dag_id}{with_conf} ... ", end="")
            began = time.monotonic()
            line = reports.readline()
            report = json.loads(line) if line else {}
            if report.get("state") != "success":
                process.wait()  # stopped halfway, it would add its own traceback to the log's end
                raise DemoError(f"The run of {dag_id} did not succeed.")
            say(f"{_told(report['result'])}, {time.monotonic() - began:.0f} s")


def _told(result: dict[str, Any]) -> str:
    """Say what an operator's result says: of one contact, or of a whole table."""
    if "action" in result:
        return f"1 {result['action']}"
    outcomes = [
        f"{result[name]} {name}" for name in ("updated", "unchanged", "skipped", "rejected") if result[name]
    ]
    return f"{result['rows']} rows: {', '.join(outcomes)}"


def _wait(url: str) -> None:
    """Leave the page up for as long as a person wants to look at it."""
    if sys.stdin.isatty():
        say(f"\nThe sandbox's page is at {url} - press Enter to stop ", end="")
        try:
            sys.stdin.readline()
        except KeyboardInterrupt:  # as good an answer as Enter
            say()


if __name__ == "__main__":
    sys.exit(main())
