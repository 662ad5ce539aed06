"""A task that is marked as failed while its query runs: the query ends in the database, and the task reports."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from tests.support.processes import wait_for
from tests.support.services import POSTGRES, connect_to_postgres
from tests.support.slow_session import SlowSession
from tests.system.examples import trigger

if TYPE_CHECKING:
    from tests.system.airflow.with_sandbox import AirflowWithSandbox

RUN_S = 120.0
DAG_ID = "system_slow_query"


def test_a_task_marked_as_failed_ends_its_query(running: AirflowWithSandbox) -> None:
    rest = running.airflow.rest
    with closing(connect_to_postgres()) as connection, connection.cursor() as cursor:
        session = SlowSession(cursor)
        # In Airflow's database: the thread that reads the query asks for it too, through the task's supervisor.
        rest.add_connection("postgres", {"conn_type": "postgres", **POSTGRES})
        running.airflow.wait_for_dags([DAG_ID])
        run_id = trigger(running, DAG_ID, {"statements": session.statements})
        wait_for("the query to run", session.is_running, RUN_S)

        rest.set_state(rest.task(DAG_ID, run_id, "sync"), "failed")

        session.wait_until_gone()
        state = rest.wait_for_run(DAG_ID, run_id, RUN_S)
    log = rest.log(rest.task(DAG_ID, run_id, "sync"), attempt=1)
    assert state == "failed"
    assert "Cancelling the query of the connection 'postgres' in the database." in log
    assert "stopped early: " in log
