"""BigQuery's jobs: the dialect and other arguments of the hook, and cancelling."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_envoke.exceptions import EnvokeSyncError
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support.contacts import contacts
from tests.support.tasks import context
from tests.support.threads import once
from tests.support.warehouses import bigquery_connection, named, require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_envoke.sandbox.thread import Sandbox
    from tests.support.bigquery_service import BigQueryService

CONTACTS = contacts(1)
BACKTICKED = "SELECT 'p0@example.com' AS `email`, 'Alma' AS `city`"

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore:The default value of `use_legacy_sql`"),  # what the tests are about
]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[BigQueryService]:
    """The stand-in for BigQuery, behind a connection that says nothing of the dialect."""
    require(*named("BigQuery"))
    from tests.support.bigquery_service import running_service

    with running_service() as (service, url), bigquery_connection(url) as connection:
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
        yield service


def operator(sql: str, **arguments: Any) -> SqlToEnvokeOperator:
    return SqlToEnvokeOperator(task_id="sync", sql_conn_id="warehouse", sql=sql, **arguments)


def test_the_dialect_is_an_argument_of_the_hook(sandbox: Sandbox, service: BigQueryService) -> None:
    with pytest.raises(AirflowFailException, match="Encountered"):
        operator(BACKTICKED).execute(context())
    report = operator(BACKTICKED, hook_params={"use_legacy_sql": False}).execute(context())

    assert report["updated"] == 1
    assert [job.configuration["query"]["useLegacySql"] for job in service.jobs] == [True, False]


def test_the_job_has_what_else_the_hook_is_given(sandbox: Sandbox, service: BigQueryService) -> None:
    extras = {
        "labels": {"team": "crm"},
        "priority": "BATCH",
        "api_resource_configs": {"query": {"useQueryCache": False}},
    }

    operator(BACKTICKED, hook_params={"use_legacy_sql": False, **extras}).execute(context())

    (job,) = service.jobs
    assert job.configuration["labels"] == {"team": "crm"}
    assert job.configuration["query"]["priority"] == "BATCH"
    assert job.configuration["query"]["useQueryCache"] is False


def test_a_killed_task_cancels_its_job(sandbox: Sandbox, service: BigQueryService) -> None:
    from tests.support.bigquery_service import NEVER_ENDS

    task, run = operator(f"{BACKTICKED} -- {NEVER_ENDS}", hook_params={"use_legacy_sql": False}), context()

    with (
        once("the job to run", lambda: bool(service.jobs), task.on_kill),
        pytest.raises(EnvokeSyncError, match="stopped before its end"),
    ):
        task.execute(run)

    (job,) = service.jobs
    assert (job.state, job.error) == ("DONE", {"reason": "stopped", "message": "Job execution was cancelled"})
    assert sandbox.requests == []
