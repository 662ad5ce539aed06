"""
Runs over tables never show credentials or personal data: in logs, exceptions, XCom, events, templates and reprs.

The rejects file has the keys of the rows, as documented, but no credentials and no values of other fields.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG, Asset

from airflow_provider_envoke.envoke.config import EnvokeConfig
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from airflow_provider_envoke.payload.mapping import FieldMap
from airflow_provider_envoke.sync import SyncRun
from airflow_provider_envoke.sync.compare import Decision, DesiredContact
from airflow_provider_envoke.sync.options import SyncOptions
from airflow_provider_envoke.sync.report import Reject
from airflow_provider_envoke.sync.rows import Batch
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support.faulty_server import FaultyServer
from tests.support.leak_markers import API_ID, API_KEY, EMAIL, LAST_NAME, MarkedSandbox, Seen, leaks
from tests.support.leaking_answers import ANSWERS, SLOW
from tests.support.sync_runs import config_of
from tests.support.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OUTLET = Asset("envoke://account/contacts")
ROW = {"email": EMAIL, "last_name": LAST_NAME[:20], "custom_fields": {"note": f"wrote from {EMAIL}"}}
EXPRESS = {"consent_status": "Express", "consent_description": f"{EMAIL} ticked the box"}
ONCE = json.dumps({"max_retries": 0, "timeout": 0.3})
SQL = "SELECT email, city AS last_name FROM customers"

ARGUMENTS: dict[str, dict[str, Any]] = {
    "changed": {},
    "plan": {"plan_only": True},
    "preview": {"preview": 100},
    "all": {"strategy": "all"},
    "create": {"on_missing": "create"},
    "consent": {"static_fields": EXPRESS},
    "by remote id": {"keyfield": "remote_id", "field_map": {"email": "remote_id", "last_name": "last_name"}},
    "by remote id, with address": {"keyfield": "remote_id", "static_fields": {"remote_id": EMAIL}},
}


class Run:
    """Runs operators; :class:`Seen` collects everything that they show."""

    def __init__(self, seen: Seen, folder: Path) -> None:
        self._seen = seen
        self._folder = folder
        self._numbers = itertools.count()
        self.reports: list[dict[str, Any]] = []
        self.reasons: list[str] = []

    def __call__(self, kind: type, **arguments: Any) -> None:
        path = self._folder / f"rejects-{next(self._numbers)}.jsonl"
        run = context()
        task = kind(task_id="sync", rejects_path=str(path), outlets=[OUTLET], **arguments)
        before = len(self._seen.errors)
        self._seen.attempt(lambda: self.reports.append(task.execute(run)))
        if "return_value" in run["ti"].pushed:
            self.reports.append(run["ti"].pushed["return_value"])
        events = [event.extra for event in run["outlet_events"].values()]
        self._seen.texts += [repr(self.reports), repr(events), repr(task), str(task)]
        self._seen.texts += [repr(getattr(error, "report", None)) for error in self._seen.errors[before:]]
        for line in path.read_text("utf-8").splitlines() if path.exists() else ():
            reject = json.loads(line)
            self.reasons.append(reject["reason"])
            assert leaks(line, personal=False) == []
            self._seen.texts.append(json.dumps({**reject, "key": ""}))


@pytest.fixture
def run(seen: Seen, tmp_path: Path, warehouse: Callable[..., None]) -> Run:
    warehouse([(EMAIL, LAST_NAME[:20], 1)])
    return Run(seen, tmp_path)


@pytest.mark.parametrize("fault", ANSWERS)
def test_no_response_of_the_service_leaks(fault: str, run: Run, seen: Seen, connect: Callable[..., None]) -> None:
    with FaultyServer(ANSWERS[fault]) as server:
        connect(server.url, extra=ONCE)
        chosen = list(ARGUMENTS.values())[: 1 if fault in SLOW else None]
        for arguments in chosen:
            rows = [{**ROW, "remote_id": EMAIL}] if "remote_id" in repr(arguments) else [ROW]
            if "static_fields" in arguments:
                rows = [{name: value for name, value in ROW.items() if name not in arguments["static_fields"]}]
            run(EnvokeSyncContactsOperator, rows=rows, **arguments)
            run(SqlToEnvokeOperator, sql=SQL, sql_conn_id="warehouse", **arguments)

    assert seen.errors
    assert server.requests or fault == "reset before reading"
    assert len(run.reports) == 2 * len(chosen), "each run has a report"
    assert leaks(seen.everything()) == []


# Rows that tests/bad_input does not have; it searches for leaks too.
ROWS: dict[str, list[dict[Any, Any]]] = {
    "address as a name": [ROW, {**ROW, EMAIL: "x"}, {**ROW, "interests": {EMAIL: "perhaps"}}],
    "overlong": [{**ROW, "last_name": LAST_NAME * 5}],
    "same key, other values": [ROW, {**ROW, "last_name": "Markedova"}],
    "json names twice": [{**ROW, "custom_fields": f'{{"{EMAIL}": "{EMAIL}", "{EMAIL}": "Markedova"}}'}],
    "a hundred unknown": [ROW, {**ROW, **{f"{number}{EMAIL}": LAST_NAME for number in range(100)}}],
}


@pytest.mark.parametrize("name", ROWS)
def test_no_rejected_row_leaks(name: str, run: Run, seen: Seen, connect: Callable[..., None]) -> None:
    with MarkedSandbox() as sandbox:
        connect(sandbox.url)
        run(EnvokeSyncContactsOperator, rows=ROWS[name])
        run(EnvokeSyncContactsOperator, rows=json.dumps(ROWS[name], default=str), plan_only=True)

    assert run.reasons
    assert leaks(seen.everything()) == []


def test_no_data_of_other_contacts_leaks(run: Run, seen: Seen, connect: Callable[..., None]) -> None:
    others = [{"id": 1, "email": EMAIL, "consent_status": "Revoked"}, {"id": 2, "remote_id": EMAIL}]
    with MarkedSandbox(others) as sandbox:
        connect(sandbox.url)
        run(EnvokeSyncContactsOperator, rows=[{**ROW, **EXPRESS}])
        run(EnvokeSyncContactsOperator, rows=[{**ROW, "remote_id": EMAIL}], keyfield="remote_id")
        run(EnvokeSyncContactsOperator, rows=[{"email": f"x{EMAIL}", "city": "Alma"}])

        run(EnvokeSyncContactsOperator, rows=[{**ROW, **EXPRESS}], on_withdrawn="reject")

    assert run.reasons == ["consent_withdrawn", "shared_email", "not_found", "consent_withdrawn"]
    assert leaks(seen.everything()) == []


def test_a_success_leaks_nothing(run: Run, seen: Seen, connect: Callable[..., None]) -> None:
    current = [{"id": 7, "email": EMAIL, "last_name": "Marked", "title": "M", "consent_status": "Not Provided"}]
    rows = [{**ROW, **EXPRESS, "title": "Z", "feedback": f"{LAST_NAME} {EMAIL}", "interests": [EMAIL]}]
    with MarkedSandbox(current) as sandbox:
        connect(sandbox.url)
        for plan_only in (True, False):
            run(EnvokeSyncContactsOperator, rows=rows, plan_only=plan_only)
        sandbox.reset(current)
        created = {**ROW, "email": f"x{EMAIL}", "custom_fields": {"a": LAST_NAME}, "remote_id": "R-9"}
        previews = {"on_missing": "create", "preview": 9, "rows": [*rows, created]}
        for more in ({}, {"strategy": "all"}, {"rows": [created], "keyfield": "remote_id"}):
            run(EnvokeSyncContactsOperator, **{**previews, **more})
        seen.attempt(EnvokeSyncContactsOperator(task_id="sync", rows=rows).dry_run)
        seen.attempt(SqlToEnvokeOperator(task_id="sync", sql=SQL, sql_conn_id="warehouse").dry_run)

    assert seen.errors == []
    assert ["row 1: PATCH" in seen.caplog.text, "POST /v1/contacts?upsert=1" in seen.caplog.text] == [True, True]
    assert run.reports[0]["examples"]["title"] == [{"row": 1, "from": "***", "to": "***"}]
    assert run.reports[1]["updated"] == 1
    assert leaks(seen.everything()) == []


def test_the_parameters_of_a_query_do_not_leak(run: Run, seen: Seen, connect: Callable[..., None]) -> None:
    with MarkedSandbox() as sandbox:
        connect(sandbox.url)
        for sql in (f"{SQL} WHERE city = ?", f"SELECT '{EMAIL}"):
            run(SqlToEnvokeOperator, sql=sql, sql_conn_id="warehouse", parameters=[EMAIL, LAST_NAME])

    assert len(seen.errors) == 2
    assert leaks(seen.everything()) == []


def test_a_killed_run_leaks_nothing(run: Run, seen: Seen, connect: Callable[..., None]) -> None:
    with MarkedSandbox() as sandbox:
        connect(sandbox.url)
        task, killed = EnvokeSyncContactsOperator(task_id="sync", rows=[]), context()

        def rows() -> Any:
            yield ROW
            task.on_kill()

        seen.attempt(lambda: task.sync(killed, rows()))
        seen.texts.append(repr(killed["ti"].pushed))

    assert len(seen.errors) == 1
    assert leaks(seen.everything()) == []


def test_the_debug_log_of_asyncio_leaks_nothing(
    run: Run, seen: Seen, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def every_callback_is_slow() -> asyncio.AbstractEventLoop:
        loop = asyncio.SelectorEventLoop()
        loop.slow_callback_duration = 0.0
        return loop

    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    monkeypatch.setattr(asyncio, "new_event_loop", every_callback_is_slow)
    with MarkedSandbox([{"id": 7, "email": EMAIL, "last_name": "Marked"}]) as sandbox:
        connect(sandbox.url)
        run(EnvokeSyncContactsOperator, rows=[ROW])

    assert leaks(seen.everything()) == []


def test_no_repr_leaks() -> None:
    desired = DesiredContact(1, EMAIL, ROW)
    decision = Decision("update", changes=ROW, current={"id": 7, "email": EMAIL})
    reject = Reject(1, EMAIL, "overlong", "city", "too long")
    config = EnvokeConfig(API_ID, API_KEY)
    options = SyncOptions(fields=FieldMap({"mail": "email"}))
    with MarkedSandbox() as sandbox:
        run = SyncRun(config_of(sandbox), options)
        run.run([{"mail": EMAIL}])
    shown = [desired, decision, reject, config, Batch([desired], [(desired, decision)]), run]

    assert [leaks(text) for each in shown for text in (repr(each), str(each)) if leaks(text)] == []


# Through Airflow


_numbers = itertools.count()


@pytest.mark.parametrize("fault", ["400", "401", "500", "200 html", "redirect", "cut off", "success"])
def test_a_task_in_airflow_keeps_rows_out_of_templates_xcom_and_the_log(
    fault: str, run: Run, seen: Seen, connect: Callable[..., None], run_dag: Callable[..., Any]
) -> None:
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.utils.session import create_session

    with (
        MarkedSandbox([{"id": 7, "email": EMAIL, "last_name": "Marked"}]) as sandbox,
        FaultyServer(ANSWERS.get(fault, ANSWERS["400"])) as server,
    ):
        connect(sandbox.url if fault == "success" else server.url, extra=ONCE)
        with DAG(f"envoke_table_leaks_{next(_numbers)}", schedule=None) as dag:
            SqlToEnvokeOperator(task_id="sync", sql=SQL, sql_conn_id="warehouse", outlets=[OUTLET])
        done = run_dag(dag)

    (instance,) = done.get_task_instances()
    assert instance.state == ("success" if fault == "success" else "failed")
    with create_session() as session:
        rendered = RenderedTaskInstanceFields.get_templated_fields(instance, session=session)
    everything = seen.everything()
    assert leaks(repr(rendered)) == []
    assert "SELECT email" in repr(rendered)
    assert leaks(repr(instance.xcom_pull(task_ids="sync"))) == []
    lines = [line for line in everything.splitlines() if not re.search(r"\bdebug\b", line, re.IGNORECASE)]
    assert leaks(everything, personal=False) == []
    assert leaks("\n".join(lines)) == []
