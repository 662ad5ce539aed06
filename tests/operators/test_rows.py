"""The rows of a sync as DAGs pass them: XComs, mapped tasks, templates and data frames, run by Airflow."""

from __future__ import annotations

import itertools
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, task

from airflow_provider_envoke.exceptions import EnvokeDataError
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from tests.support.airflow import result, run_dag
from tests.support.contacts import contacts
from tests.support.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_envoke.sandbox.thread import Sandbox

CONTACTS = contacts(5)
ROWS: list[dict[str, Any]] = [{"email": f"p{number}@example.com", "city": "Lévis"} for number in range(3)]
MISSING = "{{ ti.xcom_pull(task_ids='nobody') }}"

_numbers = itertools.count()

pytestmark = pytest.mark.usefixtures("airflow_db", "sandbox")


def sync_in_dag(
    rows: Any, *, upstream: Any = None, mapped: bool = False, **arguments: Any
) -> tuple[str, Any, BaseException | None]:
    """
    Run a DAG of two tasks, ``rows`` and the operator; return the run's state, the report and the exception.

    Airflow 3.1 does not give the exception to callbacks.

    :param rows: the operator's rows, or a function of the output of ``rows``.
    :param upstream: what ``rows`` returns; if ``mapped``, what each of its instances returns.
    """
    errors: list[BaseException | None] = []
    with DAG(f"envoke_rows_{next(_numbers)}", schedule=None) as dag:

        @task(task_id="rows", multiple_outputs=False)
        def give(value: Any) -> Any:
            return value

        source = give.expand(value=upstream) if mapped else give(upstream)
        given = rows(source) if callable(rows) else rows
        operator = EnvokeSyncContactsOperator(
            task_id="sync",
            rows=given,
            on_failure_callback=lambda context: errors.append(context.get("exception")),
            **arguments,
        )
        source >> operator
    run = run_dag(dag)
    return str(run.state), result(run, "sync"), errors[0] if errors else None


@pytest.mark.parametrize(
    ("rows", "mapped"),
    [
        pytest.param(lambda output: output, True, id="a mapped task, a row each"),
        pytest.param(lambda output: output.map(lambda row: {**row, "city": "Lévis"}), True, id="map of it"),
        pytest.param(lambda output: output, False, id="a list"),
        pytest.param("{{ ti.xcom_pull(task_ids='rows') }}", False, id="repr of a list"),
    ],
)
def test_rows_can_be_the_output_of(rows: Any, mapped: bool, sandbox: Sandbox) -> None:
    state, report, error = sync_in_dag(rows, upstream=ROWS, mapped=mapped)

    assert state == "success", error
    assert (report["rows"], report["updated"]) == (3, 3)
    assert [contact["city"] for contact in sandbox.contacts] == ["Lévis"] * 3 + ["Laval"] * 2


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"static_fields": {"company": MISSING}}, id="static field"),
        pytest.param({"field_map": {"email": "email", "city": f"custom_fields.{MISSING}"}}, id="field_map"),
        pytest.param({"rows": [ROWS[0], {**ROWS[1], "city": MISSING}]}, id="row in the DAG"),
        pytest.param({"rows": f'[{{"email": "p0@example.com", "city": "{MISSING}"}}]'}, id="row as text"),
    ],
)
def test_a_template_that_renders_a_missing_value_writes_nothing(
    arguments: dict[str, Any], sandbox: Sandbox
) -> None:
    (name,) = arguments

    state, _, error = sync_in_dag(**{"rows": lambda output: output, **arguments}, upstream=ROWS)

    assert (state, sandbox.requests) == ("failed", [])
    assert error is None or (isinstance(error, AirflowFailException) and name in str(error))


@pytest.mark.parametrize(
    ("name", "rendered"),
    [
        ("static_fields", {"custom_fields": {"plan": "None"}}),
        ("static_fields", {"interests": ["nan"]}),
        ("static_fields", "None"),
        ("field_map", {"email": "email", "city": "None"}),
        ("field_map", "None"),
        ("rejects_path", "None"),
        ("keyfield", "None"),
        ("envoke_conn_id", "None"),
        ("max_rejects", "None"),
        ("max_changes", "nan"),
    ],
    ids=str,
)
def test_an_argument_that_rendered_a_missing_value_writes_nothing(
    name: str, rendered: Any, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where a file named None would be
    task = EnvokeSyncContactsOperator(task_id="t", rows=ROWS, **{name: rendered})

    with pytest.raises(AirflowFailException, match=name):
        task.execute(context())

    assert (sandbox.requests, [*tmp_path.iterdir()]) == ([], [])


@pytest.mark.parametrize("mapped", [False, True], ids=["list", "mapped"])
def test_a_value_of_the_warehouse_that_reads_none_is_written(mapped: bool, sandbox: Sandbox) -> None:
    state, _, error = sync_in_dag(lambda output: output, upstream=[{**ROWS[0], "company": "None"}], mapped=mapped)

    assert state == "success", error
    assert sandbox.contact(email="p0@example.com")["company"] == "None"


def generated() -> Iterator[dict[str, Any]]:
    yield from ROWS


class Frame:
    """Like ``pandas.DataFrame``."""

    columns = ("EMAIL", "City", "custom_fields.price", "custom_fields.born")

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def to_dict(self, orient: str) -> list[dict[str, Any]]:
        rows = [(row["email"], row["city"], Decimal("1.50"), date(2001, 2, 3)) for row in ROWS]
        return {"records": [dict(zip(self.columns, row, strict=True)) for row in rows]}[orient]


@pytest.mark.parametrize("rows", [generated, lambda: tuple(ROWS), Frame], ids=["generator", "tuple", "DataFrame"])
def test_rows_can_be_any_iterable(rows: Callable[[], Any], sandbox: Sandbox) -> None:
    report = EnvokeSyncContactsOperator(task_id="t", rows=rows()).execute(context())

    assert (report["rows"], report["updated"]) == (3, 3)
    assert [contact["city"] for contact in sandbox.contacts] == ["Lévis"] * 3 + ["Laval"] * 2


def test_a_row_that_is_no_dict_fails_the_task_for_good(sandbox: Sandbox) -> None:
    with pytest.raises(AirflowFailException) as caught:
        EnvokeSyncContactsOperator(task_id="t", rows=iter([*ROWS, ("p3@example.com", "Lévis")])).execute(context())

    assert isinstance(caught.value.__context__, EnvokeDataError)
    assert "tuple" in str(caught.value)
    assert sandbox.requests == []
