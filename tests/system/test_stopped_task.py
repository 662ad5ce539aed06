"""A task that is marked as failed while it runs stops; once cleared, it runs again and completes the sync."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support import customers
from tests.support.processes import wait_for
from tests.support.sandbox_process import SandboxProcess
from tests.system.examples import trigger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.airflow.with_sandbox import AirflowWithSandbox

ROWS = 200
# Updates after which the task is stopped; all of them would take ten seconds.
STOP_AFTER = {"changed": 20, "all": 120}
STOP_S, RUN_S = 60.0, 120.0


@pytest.fixture(scope="module")
def slow(running: AirflowWithSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """A sandbox with slow responses, behind the connection ``envoke_slow``."""
    directory = tmp_path_factory.mktemp("slow")
    with SandboxProcess.started([], directory, running.log, "--latency-ms", "50") as sandbox:
        running.airflow.rest.add_connection("envoke_slow", sandbox.connection)
        yield sandbox


@pytest.mark.parametrize("strategy", ["changed", "all"])
def test_a_task_marked_as_failed_stops_and_the_next_attempt_completes_the_sync(
    running: AirflowWithSandbox, slow: SandboxProcess, strategy: str
) -> None:
    slow.reset([{**contact, "city": "Nowhere"} for contact in customers.contacts()])
    rest, dag_id = running.airflow.rest, f"system_slow_sync_{strategy}"
    running.airflow.wait_for_dags([dag_id])
    run_id = trigger(running, dag_id, {})
    wait_for("the sync to write", lambda: slow.updates_received() >= STOP_AFTER[strategy], RUN_S)
    task = rest.task(dag_id, run_id, "sync")

    rest.set_state(task, "failed")
    wait_for("its process to end", lambda: not is_running(task["pid"]), STOP_S)
    wait_for("the sandbox to answer the last requests", lambda: slow.stats()["in_flight"] == 0, STOP_S)
    written = changed(slow)
    state = rest.wait_for_run(dag_id, run_id, RUN_S)

    assert task["state"] == "running"
    assert state == "failed"
    assert STOP_AFTER[strategy] <= len(written) < ROWS, "stopped in the middle"
    first = rest.log(rest.task(dag_id, run_id, "sync"), attempt=1)
    assert_the_log_holds_the_report(first, len(written))

    rest.clear(task)
    wait_for("the second attempt", lambda: rest.task(dag_id, run_id, "sync")["try_number"] == 2, RUN_S)
    state = rest.wait_for_run(dag_id, run_id, RUN_S)

    sync = rest.task(dag_id, run_id, "sync")
    report = rest.xcom(sync)
    assert (state, sync["state"]) == ("success", "success")
    assert (report["rows"], report["rejected"], report["stopped"]) == (ROWS, 0, "")
    already_written = len(written) if strategy == "changed" else 0
    assert (report["unchanged"], report["updated"]) == (already_written, ROWS - already_written)
    assert changed(slow) == expected()


def changed(sandbox: SandboxProcess) -> dict[str, str]:
    """Return email address -> city of the contacts that have changed."""
    return {each["email"]: each["city"] for each in sandbox.contacts() if each["city"] != "Nowhere"}


def expected() -> dict[str, str]:
    rows = sorted(customers.customers(), key=lambda row: str(row["customer_id"]))[:ROWS]
    return {row["email"]: row["city"] for row in rows}


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def assert_the_log_holds_the_report(log: str, written: int) -> None:
    """Check the report in the log of the stopped attempt. The responses to the last updates may be missing."""
    found = re.search(r"rows read +(\d+)\nnot reached +(\d+) .*\nupdated +(\d+)\n(?:.*\n)*?rejected +(\d+)\n", log)
    assert found, log
    rows, not_reached, updated, rejected = (int(count) for count in found.groups())
    assert rows == ROWS == not_reached + updated + rejected
    assert updated <= written <= updated + rejected
