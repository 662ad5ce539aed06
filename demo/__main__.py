"""
``make demo``: a warehouse, a stand-in of Envoke, and Airflow in between.

Everything happens in a temporary directory and in processes of its own; both are gone at the end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo import customers, local_airflow, page, runs
from demo.processes import DemoError, run, start
from demo.stand_in import StandIn

if TYPE_CHECKING:
    from types import FrameType

_LOG_LINES = 40
_STOPPED = "Stopped. Nothing is left running."


def say(text: str = "", end: str = "\n") -> None:
    """Print at once: some steps take seconds, and a person is watching."""
    print(text, end=end, flush=True)  # noqa: T201 - the demo's output is its purpose


def main() -> int:
    """Run the demo, and return the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    with tempfile.TemporaryDirectory(prefix="envoke-demo-") as name:
        directory = Path(name)
        log = directory / "demo.log"
        try:
            _demo(directory, log)
        except KeyboardInterrupt:
            say(f"\n{_STOPPED}")
            return 130
        except DemoError as error:
            say(f"failed.\n\n{error} The end of the demo's log:\n")
            say("\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]))
            return 1
    return 0


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
    say(_STOPPED)


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


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Stop once, in order: a second Ctrl-C while the processes end changes nothing."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt(number, frame)


if __name__ == "__main__":
    sys.exit(main())
