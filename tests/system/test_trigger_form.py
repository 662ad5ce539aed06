"""Airflow's form for a new run, in a real browser: every example runs with what its form shows."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.support import customers
from tests.support.examples import NAMES
from tests.support.processes import wait_for
from tests.system.airflow.pages import TriggerForm
from tests.system.airflow.standalone import LINE

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.system.airflow.with_sandbox import AirflowWithSandbox

pytestmark = pytest.mark.skipif(LINE != 3, reason="the UI of Airflow 2 is different")

CREATE_S, RUN_S = 60.0, 120.0

#: The runs whose end is awaited, and how many updates each sends. The others are ended once they exist.
AWAITED = {
    "envoke_nightly_sync": 0,
    "envoke_update_by_email": 1,
    "envoke_update_by_remote_id": 1,
    "envoke_update_many": 5,  # one of them finds no contact
}


@pytest.mark.parametrize("dag_id", [*AWAITED, *(name for name in NAMES if name not in AWAITED)])
def test_an_example_runs_with_what_its_form_shows(dag_id: str, page: Page, running: AirflowWithSandbox) -> None:
    rest = running.airflow.rest
    running.airflow.wait_for_dags([dag_id])
    running.sandbox.reset(customers.contacts())
    before = manual_runs(running, dag_id)
    form = TriggerForm.opened(page, running.airflow.url, dag_id)

    form.trigger()

    (run_id,) = wait_for("the run", lambda: manual_runs(running, dag_id) - before, CREATE_S)
    if dag_id in AWAITED:
        assert rest.wait_for_run(dag_id, run_id, RUN_S) == "success"
        assert running.sandbox.updates_received() == AWAITED[dag_id]
        return
    # One that asks a person would wait, and keep further runs waiting; the form has also unpaused the DAG.
    rest.call("PATCH", f"/dags/{dag_id}/dagRuns/{quote(run_id)}", {"state": "failed"})
    rest.pause(dag_id)


def manual_runs(running: AirflowWithSandbox, dag_id: str) -> set[str]:
    """Return the ids of the runs that were not started by the scheduler."""
    return {run["dag_run_id"] for run in running.airflow.rest.runs(dag_id) if run["run_type"] == "manual"}
