"""What the operators leave in XCom and in the events of their outlets; and that they work without a context."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSkipException,
    Asset,
    AssetAlias,
)

from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator, EnvokeUpdateContactOperator
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support.airflow import labels, result, states
from tests.support.contacts import ANA, BO, CY
from tests.support.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.sandbox.thread import Sandbox

CONTACTS = [ANA, BO, CY]
START = datetime(2026, 1, 1, tzinfo=UTC)
CHANGED = {"email": "ana@example.com", "city": "Alma"}
UNKNOWN = {"email": "eve@example.com", "city": "Alma"}
OUTLETS = [Asset("envoke://account/contacts"), AssetAlias("envoke-contacts")]
_numbers = itertools.count()


def rows_task(*rows: dict[str, Any], **arguments: Any) -> EnvokeSyncContactsOperator:
    return EnvokeSyncContactsOperator(task_id="task", rows=list(rows), **arguments)


def query_task(*rows: dict[str, Any], **arguments: Any) -> SqlToEnvokeOperator:
    selects = [f"SELECT '{row['email']}' AS email, '{row['city']}' AS city" for row in rows]
    sql = " UNION ALL ".join(selects) or "SELECT email, city FROM customers"
    return SqlToEnvokeOperator(task_id="task", sql=sql, sql_conn_id="warehouse", **arguments)


def update_task(payload: dict[str, Any], **arguments: Any) -> EnvokeUpdateContactOperator:
    return EnvokeUpdateContactOperator(task_id="task", payload=payload, **arguments)


@pytest.fixture(autouse=True)
def empty_warehouse(warehouse: Callable[..., None]) -> None:
    """The connection ``warehouse``, whose table has no rows."""
    warehouse([])


# Name -> a function that makes a task, the exception that ends it, the action or reason in its result.
ENDED: dict[str, tuple[Callable[..., Any], type[Exception], Any]] = {
    "rows: too many rejects": (
        lambda **more: rows_task(UNKNOWN, **more), AirflowFailException, {"not_found": 1},
    ),
    "query: too many rejects": (
        lambda **more: query_task(UNKNOWN, **more), AirflowFailException, {"not_found": 1},
    ),
    "rows: too many changes": (
        lambda **more: rows_task(CHANGED, max_changes=0, **more), AirflowFailException, {},
    ),
    "query: too many changes": (
        lambda **more: query_task(CHANGED, max_changes=0, **more), AirflowFailException, {},
    ),
    "rows: none, skipped": (lambda **more: rows_task(on_empty="skip", **more), AirflowSkipException, {}),
    "query: none, skipped": (lambda **more: query_task(on_empty="skip", **more), AirflowSkipException, {}),
    "rows: none, failed": (lambda **more: rows_task(on_empty="fail", **more), AirflowFailException, {}),
    "query: none, failed": (lambda **more: query_task(on_empty="fail", **more), AirflowFailException, {}),
    "update: skipped": (
        lambda **more: update_task(UNKNOWN, on_missing="skip", **more), AirflowSkipException, "skipped",
    ),
}  # fmt: skip
SUCCEEDING: dict[str, Callable[..., Any]] = {
    "rows": lambda **more: rows_task(CHANGED, **more),
    "query": lambda **more: query_task(CHANGED, **more),
    "update": lambda **more: update_task(CHANGED, **more),
    "rows: none": rows_task,
    "query: none": query_task,
}


@pytest.mark.parametrize("case", ENDED)
def test_the_result_of_a_task_that_fails_or_is_skipped_is_pushed_once(case: str, sandbox: Sandbox) -> None:
    make, exception, expected = ENDED[case]
    run, pushes = context(), []
    push = run["ti"].xcom_push
    run["ti"].xcom_push = lambda **push_of: pushes.append(push_of["key"]) or push(**push_of)

    with pytest.raises(exception):
        make().execute(run)

    assert pushes == ["return_value"]
    pushed = run["ti"].pushed["return_value"]
    assert pushed.get("action", pushed.get("reasons")) == expected


@pytest.mark.parametrize("case", SUCCEEDING)
def test_the_result_of_a_task_that_succeeds_is_returned_and_not_pushed_as_well(
    case: str, sandbox: Sandbox
) -> None:
    run = context()

    assert SUCCEEDING[case]().execute(run)

    assert run["ti"].pushed == {}


@pytest.mark.parametrize("case", ENDED)
def test_a_task_with_do_xcom_push_false_pushes_nothing(case: str, sandbox: Sandbox) -> None:
    make, exception, _ = ENDED[case]
    run = context()

    with pytest.raises(exception):
        make(do_xcom_push=False).execute(run)

    assert run["ti"].pushed == {}


@pytest.mark.parametrize("case", ENDED)
def test_a_result_that_cannot_be_pushed_does_not_hide_what_ended_the_task(case: str, sandbox: Sandbox) -> None:
    make, exception, _ = ENDED[case]
    run = context()

    def push(**_: Any) -> None:
        raise ConnectionError("the API server is down")

    run["ti"].xcom_push = push

    with pytest.raises(exception):
        make().execute(run)


# Without what Airflow puts into the context, as in a unit test


@pytest.mark.parametrize("outlets", [[], OUTLETS], ids=["no outlets", "outlets"])
@pytest.mark.parametrize("case", ENDED)
def test_a_task_that_fails_or_is_skipped_does_so_with_an_empty_context(
    case: str, outlets: list[Any], sandbox: Sandbox
) -> None:
    make, exception, _ = ENDED[case]

    with pytest.raises(exception):
        make(outlets=outlets).execute({})


@pytest.mark.parametrize("outlets", [[], OUTLETS], ids=["no outlets", "outlets"])
@pytest.mark.parametrize("case", SUCCEEDING)
def test_a_task_succeeds_with_an_empty_context(case: str, outlets: list[Any], sandbox: Sandbox) -> None:
    assert SUCCEEDING[case](outlets=outlets).execute({})

    city = "Laval" if "none" in case else "Alma"
    assert sandbox.contact(email="ana@example.com")["city"] == city


# Through Airflow


@pytest.mark.parametrize("do_xcom_push", [True, False])
def test_airflow_keeps_a_result_only_if_the_task_pushes_to_xcom(
    do_xcom_push: bool, sandbox: Sandbox, run_dag: Callable[..., Any]
) -> None:
    with DAG(f"results_{next(_numbers)}", schedule=None, start_date=START) as dag:
        common = {"do_xcom_push": do_xcom_push}
        EnvokeSyncContactsOperator(task_id="succeeds", rows=[CHANGED], **common)
        EnvokeSyncContactsOperator(task_id="fails", rows=[UNKNOWN], **common)
        EnvokeSyncContactsOperator(task_id="is_skipped", rows=[], on_empty="skip", **common)
        EnvokeUpdateContactOperator(task_id="update_is_skipped", payload=UNKNOWN, on_missing="skip", **common)

    run = run_dag(dag)

    assert states(run) == {
        "succeeds": "success", "fails": "failed", "is_skipped": "skipped", "update_is_skipped": "skipped",
    }  # fmt: skip
    results = {task_id: result(run, task_id) for task_id in states(run)}
    if do_xcom_push:
        assert results.pop("update_is_skipped")["action"] == "skipped"
        assert {task_id: report["rows"] for task_id, report in results.items()} == {
            "succeeds": 1, "fails": 1, "is_skipped": 0,
        }  # fmt: skip
    else:
        assert set(results.values()) == {None}


@pytest.mark.parametrize("failing", [False, True], ids=["succeeds", "fails"])
def test_the_grid_shows_the_result_of_each_mapped_task(
    failing: bool, sandbox: Sandbox, run_dag: Callable[..., Any]
) -> None:
    template = "{{ ti.map_index }}: {{ envoke_result | default('none') }}"
    changed = [{"email": "ana@example.com", "city": "Alma"}, {"email": "bo@example.com", "city": "Laval"}]
    tables = [[*changed, *([UNKNOWN] if failing else [])], []]
    with DAG(f"labels_{next(_numbers)}", schedule=None, start_date=START) as dag:
        EnvokeSyncContactsOperator.partial(task_id="rows", map_index_template=template).expand(rows=tables)
        EnvokeUpdateContactOperator.partial(
            task_id="update", map_index_template=template, on_missing="fail" if failing else "create"
        ).expand(payload=[{"email": "cy@example.com", "city": "Alma"}, UNKNOWN])

    run = run_dag(dag)

    rejected = ", 1 rejected" if failing else ""
    assert run.state == ("failed" if failing else "success")
    assert labels(run, "rows") == [f"0: 1 updated, 1 unchanged{rejected}", "1: no rows"]
    assert labels(run, "update") == ["0: updated", "1: failed" if failing else "1: created"]


def test_a_task_that_fails_before_its_run_has_no_result_to_show(
    sandbox: Sandbox, run_dag: Callable[..., Any]
) -> None:
    template = "{{ ti.map_index }}: {{ envoke_result | default('none') }}"
    with DAG(f"labels_{next(_numbers)}", schedule=None, start_date=START) as dag:
        EnvokeSyncContactsOperator.partial(task_id="rows", map_index_template=template, keyfield="phone").expand(
            rows=[[CHANGED]]
        )

    run = run_dag(dag)

    assert (run.state, labels(run, "rows")) == ("failed", ["0: none"])


@pytest.mark.parametrize(("do_xcom_push", "plan_only"), [(True, False), (False, True)])
def test_the_summary_is_in_xcom_in_the_event_and_in_the_context(
    do_xcom_push: bool, plan_only: bool, sandbox: Sandbox
) -> None:
    run = context()
    task = rows_task(CHANGED, outlets=OUTLETS[:1], do_xcom_push=do_xcom_push, plan_only=plan_only)

    report = task.execute(run)

    expected = "plan: 1 to update" if plan_only else "1 updated"
    assert (report["summary"], run["envoke_result"]) == (expected, expected)
    assert [event.extra["summary"] for event in run["outlet_events"].values()] == [expected]
