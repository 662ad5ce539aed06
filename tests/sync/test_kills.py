"""A run is killed at any moment, in any way; the next one ends in the right state."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout, timeout

from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support import ROOT
from tests.support.sync_process import COUNT, NEW, rows
from tests.support.sync_runs import sync
from tests.support.tasks import context

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMES = 20
WAYS: tuple[dict[str, Any], ...] = (
    {"keyfield": "email", "strategy": "changed", "term": "raise"},
    {"keyfield": "email", "strategy": "all", "term": "cancel"},
    {"keyfield": "remote_id", "strategy": "changed", "term": "cancel"},
    {"keyfield": "remote_id", "strategy": "all", "term": "raise"},
)
# Seeded, so that a failure comes again: how many requests have come in at the moment of the kill.
MOMENTS = [random.Random(number).randrange(1, 100) for number in range(TIMES)]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Nothing but the provider keeps this account from getting a contact twice."""
    with Sandbox(latency_s=0.01, duplicate_check=False) as running:
        yield running


@pytest.mark.parametrize("number", range(TIMES))
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_after_a_kill_the_next_try_ends_right(sandbox: Sandbox, how: signal.Signals, number: int) -> None:
    options = {**WAYS[number % len(WAYS)], "on_missing": "create"}
    sandbox.reset(rows("Laval")[:-NEW])

    code, printed = run_and_kill(sandbox, options, how, MOMENTS[number])

    if how == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        check_stopped(sandbox, json.loads(printed))
    check_next_try(sandbox, options)


@pytest.mark.parametrize("number", range(TIMES))
def test_after_a_timeout_the_next_try_ends_right(sandbox: Sandbox, number: int) -> None:
    options = {name: value for name, value in WAYS[number % len(WAYS)].items() if name != "term"}
    options["on_missing"] = "create"
    sandbox.reset(rows("Laval")[:-NEW])
    task = EnvokeSyncContactsOperator(
        task_id="sync", rows=rows("Québec"), envoke_conn_id="envoke_default", **options
    )
    run = context()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(sandbox.connection))
        with pytest.raises(AirflowTaskTimeout), timeout(random.Random(number).uniform(0.02, 0.2)):
            task.execute(run)

    if "return_value" in run["ti"].pushed:
        check_stopped(sandbox, run["ti"].pushed["return_value"])
    else:  # the time was over before the run began: the first task of a process has much to import
        wait_for_the_last_requests(sandbox)
        assert sandbox.stats["requests"] == 0
    check_next_try(sandbox, options)


def run_and_kill(sandbox: Sandbox, options: dict[str, Any], how: signal.Signals, requests: int) -> tuple[int, str]:
    """Start a run, kill it when so many requests have come in, and return its exit code and what it printed."""
    command = [sys.executable, "-m", "tests.support.sync_process", sandbox.url, json.dumps(options)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        try:
            deadline = time.monotonic() + 60
            while sandbox.stats["requests"] < requests:
                assert child.poll() is None, "the run has ended by itself"
                assert time.monotonic() < deadline
                time.sleep(0.002)
            child.send_signal(how)
            printed, _ = child.communicate(timeout=60)
        finally:
            child.kill()
    wait_for_the_last_requests(sandbox)
    return child.returncode, printed


def wait_for_the_last_requests(sandbox: Sandbox) -> None:
    """Wait for the requests that the sandbox has received: it applies them even if nobody waits for the answer."""
    deadline = time.monotonic() + 60
    while sandbox.stats["in_flight"]:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def check_stopped(sandbox: Sandbox, report: dict[str, Any]) -> None:
    """The report of a stopped run adds up, and claims no more than was done."""
    wait_for_the_last_requests(sandbox)
    done = report["updated"] + report["created"]
    counts = [report[name] for name in ("unchanged", "skipped", "rejected")]
    assert report["stopped"]
    assert report["rows"] == done + sum(counts)
    assert report["rows"] + report["not_reached"] in (0, COUNT), "0 if it was stopped while it read the rows"
    assert report["reasons"] in ({}, {"stopped": report["rejected"]})
    assert done <= len([contact for contact in sandbox.contacts if contact["city"] == "Québec"])


def check_next_try(sandbox: Sandbox, options: dict[str, Any]) -> None:
    """The next try brings every row over, once, and a run after it has nothing to do."""
    options = {name: value for name, value in options.items() if name != "term"}

    report, rejects = sync(sandbox, rows("Québec"), **options)

    found = [{name: contact[name] for name in ("remote_id", "email", "city")} for contact in sandbox.contacts]
    assert sorted(found, key=lambda row: int(row["remote_id"][2:])) == rows("Québec")
    assert rejects == []
    assert report.updated + report.created + report.unchanged == report.rows == COUNT
    last, _ = sync(sandbox, rows("Québec"), **{**options, "strategy": "changed"})
    assert last.unchanged == COUNT
