"""
``make airflow``: Airflow with the example DAGs, a warehouse and a sandbox of Envoke, until Ctrl-C.

Everything runs in child processes and in a temporary directory; nothing is left of them at the end.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from demo.console import INTERRUPTED, run_in_temporary_directory, say
from tests.support import EXAMPLES
from tests.support.processes import SetupError, free_port
from tests.system.airflow.standalone import RELEASE
from tests.system.airflow.with_sandbox import AirflowWithSandbox

if TYPE_CHECKING:
    from pathlib import Path

#: Used if they are free; otherwise others are.
AIRFLOW_PORT, SANDBOX_PORT = 8080, 8025


def main() -> int:
    """Run Airflow until Ctrl-C, and return the exit status: 0 after Ctrl-C."""
    status = run_in_temporary_directory(_run)
    return 0 if status == INTERRUPTED else status


def _run(directory: Path, log: Path) -> None:
    say(f"Starting Airflow {RELEASE}, a warehouse and a sandbox of Envoke ... ", end="")
    began = time.monotonic()
    ports = {"port": free_port(AIRFLOW_PORT), "sandbox_port": free_port(SANDBOX_PORT)}
    with AirflowWithSandbox.started(directory, EXAMPLES, log, **ports) as running:
        say(f"{time.monotonic() - began:.0f} s\n")
        for line in instructions(running):
            say(line)
        running.airflow.process.wait()
        raise SetupError("Airflow ended by itself.")


def instructions(running: AirflowWithSandbox) -> list[str]:
    """Return the lines that say where everything is, and what to click."""
    password = running.airflow.password
    log_in = f"log in as admin with the password {password}" if password else "no login needed"
    return [
        f"  Airflow  {running.airflow.url}/  {log_in}",
        f"  Sandbox  {running.sandbox.url}/  its contacts, and the requests it received",
        f"  DAGs     {EXAMPLES}  read again when you change them",
        *_other_ports(running),
        "",
        "The connections and the pool are set up. Nothing can be reached from other machines. Try this:",
        "",
        f"1. Open {running.airflow.url}/dags/envoke_nightly_sync and press Trigger, then Trigger in the form. The",
        "   log of the task says what would change: plan_only is on, so nothing is written.",
        "2. Trigger it again with plan_only switched off in the form. The sandbox's page shows what was written.",
        "3. Trigger it once more in the same way: nothing differs any more, so nothing is sent.",
        "",
        "The other examples, too, run with what their forms show. Press Ctrl-C to stop everything.",
    ]


def _other_ports(running: AirflowWithSandbox) -> list[str]:
    wanted = {running.airflow.url: AIRFLOW_PORT, running.sandbox.url: SANDBOX_PORT}
    taken = [str(port) for url, port in wanted.items() if not url.endswith(f":{port}")]
    return [f"           other ports than usual, because {' and '.join(taken)} are in use"] if taken else []


if __name__ == "__main__":
    sys.exit(main())
