"""Airflow's own way to stop a task: it is marked as failed while it runs, then cleared, and runs again."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from packaging.version import Version

from demo import customers
from demo.rest import wait_for
from demo.scene import Scene, start_stand_in
from tests.system.examples import trigger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.stand_in import StandIn

ROWS = 200
# Updates after which the task is stopped; all of them would take ten seconds. A checkpoint comes after 99.
ENOUGH = {"changed": 20, "all": 120}
KEEPS_CHECKPOINTS = Version(version("apache-airflow")) >= Version("3.3")
STOP_S, RUN_S = 60.0, 120.0


@pytest.fixture(scope="module")
def slow(scene: Scene) -> Iterator[StandIn]:
    """A stand-in that takes its time, behind the connection ``envoke_slow``."""
    with start_stand_in(scene.directory / "slow", scene.log, "--latency-ms", "50") as stand_in:
        scene.airflow.rest.add_connection("envoke_slow", stand_in.connection)
        yield stand_in


@pytest.mark.parametrize("strategy", ["changed", "all"])
def test_a_task_marked_as_failed_stops_and_the_next_attempt_does_the_rest(
    scene: Scene, slow: StandIn, strategy: str
) -> None:
    slow.reset([{**contact, "city": "Nowhere"} for contact in customers.contacts()])
    rest, dag_id = scene.airflow.rest, f"system_slow_sync_{strategy}"
    scene.airflow.wait_for_dags([dag_id])
    run_id = trigger(scene, dag_id, {})
    wait_for("the sync to write", lambda: slow.updates_received() >= ENOUGH[strategy], RUN_S)
    running = rest.task(dag_id, run_id, "sync")

    rest.set_state(running, "failed")
    wait_for("its process to end", lambda: not is_running(running["pid"]), STOP_S)
    wait_for("the service to answer what it was asked", lambda: slow.stats()["in_flight"] == 0, STOP_S)
    written = changed(slow)
    state = rest.wait_for_run(dag_id, run_id, RUN_S)

    assert running["state"] == "running"
    assert state == "failed"
    assert ENOUGH[strategy] <= len(written) < ROWS, "stopped in the middle"
    first = rest.log(rest.task(dag_id, run_id, "sync"), attempt=1)
    assert_it_says_what_was_done(first, len(written))

    rest.clear(running)
    wait_for("the second attempt", lambda: rest.task(dag_id, run_id, "sync")["try_number"] == 2, RUN_S)
    state = rest.wait_for_run(dag_id, run_id, RUN_S)

    sync = rest.task(dag_id, run_id, "sync")
    report = rest.xcom(sync)
    assert (state, sync["state"]) == ("success", "success")
    assert (report["rows"], report["rejected"], report["stopped"]) == (ROWS, 0, "")
    assert report["updated"] == ROWS - again(report, strategy, len(written)), (
        "what was written is not written again"
    )
    assert changed(slow) == expected()


def again(report: dict[str, Any], strategy: str, written: int) -> int:
    """How many rows the second attempt has not written again, which it says."""
    if strategy == "changed":
        assert report["unchanged"] == written
        return written
    skipped: int = report["skipped"]
    assert report["skipped_reasons"] == ({"already_written": skipped} if KEEPS_CHECKPOINTS else {})
    assert (skipped >= 99) == KEEPS_CHECKPOINTS
    assert skipped <= written
    return skipped


def changed(stand_in: StandIn) -> dict[str, str]:
    """E-mail address -> city, of the contacts that have got one."""
    return {each["email"]: each["city"] for each in stand_in.contacts() if each["city"] != "Nowhere"}


def expected() -> dict[str, str]:
    rows = sorted(customers.customers(), key=lambda row: str(row["customer_id"]))[:ROWS]
    return {row["email"]: row["city"] for row in rows}


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def assert_it_says_what_was_done(log: str, written: int) -> None:
    """The report is in the log of the attempt that was stopped. Of the last update the answer may be missing."""
    found = re.search(r"rows read +(\d+)\nupdated +(\d+)\n(?:.*\n)*?rejected +(\d+)\n +stopped +(\d+) ", log)
    assert found, log
    rows, updated, rejected, stopped = (int(count) for count in found.groups())
    assert rows == ROWS
    assert written - 1 <= updated <= written
    assert rejected == stopped == ROWS - updated
