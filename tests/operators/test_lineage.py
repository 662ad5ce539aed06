"""What OpenLineage records, read the way its listener reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, BaseHook

from airflow_provider_envoke.operators._lineage import query_tables
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator, EnvokeUpdateContactOperator
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support import ROOT
from tests.support.contacts import contacts
from tests.support.services import POSTGRES
from tests.support.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_envoke.sandbox.thread import Sandbox

CONTACTS = contacts(5)
SQL = "SELECT email, city FROM customers"
ROWS = [{"email": "p0@example.com", "city": "Québec"}, {"email": "p1@example.com", "city": "Laval"}]


@pytest.fixture
def table(warehouse: Callable[..., None], tmp_path: Path) -> str:
    """An SQLite database with customers; returns its path."""
    warehouse([(*row.values(), 1) for row in ROWS])
    return str(tmp_path / "warehouse.sqlite")


def executed(sql: str = SQL, **arguments: Any) -> Any:
    """Return an operator that has executed a query."""
    task = SqlToEnvokeOperator(task_id="sync", sql_conn_id="warehouse", sql=sql, **arguments)
    task.execute(context())
    return task


def lineage(task: Any, *, failed: bool = False) -> Any:
    """Return what OpenLineage's listener gets from an operator."""
    from airflow.providers.openlineage.extractors.base import DefaultExtractor, OperatorLineage

    extractor = DefaultExtractor(task)
    found = extractor.extract_on_failure(None) if failed else extractor.extract_on_complete(None)
    assert isinstance(found, OperatorLineage)
    return found


def written(found: Any) -> list[tuple[str, str, int]]:
    """Return the datasets that were written, each with its number of rows."""
    return [(each.namespace, each.name, each.outputFacets["outputStatistics"].rowCount) for each in found.outputs]


def one_row(sandbox: Sandbox) -> list[tuple[str, str, int]]:
    return [(f"envoke://{sandbox.url.removeprefix('http://')}", "contacts", 1)]


def test_sqlite_has_the_table_as_input_and_the_contacts_as_output(sandbox: Sandbox, table: str) -> None:
    sql = f"{SQL} WHERE city <> ? AND email <> 'marker@example.com'"

    found = lineage(executed(sql, parameters=["Nowhere"]))

    assert [(each.namespace, each.name) for each in found.inputs] == [(f"sqlite://{table}", "customers")]
    assert written(found) == one_row(sandbox)
    assert "marker" not in repr(found), "the text of the query is not recorded"
    assert (found.job_facets, found.run_facets) == ({}, {})


def test_postgresql_has_the_table_as_airflows_own_operator_names_it(sandbox: Sandbox, postgres: Any) -> None:
    from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

    postgres.execute("INSERT INTO envoke_customers VALUES ('p0@example.com', 'Québec', 1, NULL, NULL)")
    sql = "SELECT email, city FROM envoke_customers WHERE city LIKE '%%b%%' AND plan = "
    airflows = SQLExecuteQueryOperator(task_id="query", conn_id="warehouse", sql=sql + "1")
    postgres.execute("SELECT current_schema()")
    (schema,) = postgres.fetchone()

    found = lineage(executed(sql + "%s", parameters=[1]))

    (table,) = found.inputs
    address = f"postgres://{POSTGRES['host']}:{POSTGRES['port']}"
    assert (table.namespace, table.name) == (address, f"{POSTGRES['schema']}.{schema}.envoke_customers")
    assert [(each.namespace, each.name) for each in lineage(airflows).inputs] == [(table.namespace, table.name)]
    assert "email" in [field.name for field in table.facets["schema"].fields]
    assert written(found) == one_row(sandbox)


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("WITH a AS (SELECT * FROM one) SELECT * FROM a JOIN db.two USING (id)", {"one", "db.two"}),
        ("SELECT * FROM one WHERE id = %(id)s AND n % 4 = 1", {"one"}),
        ("SELECT * FROM one WHERE id %% 4 = %s", {"one"}),
        ("SELECT 1", set()),
        ("this is not SQL (((", set()),
    ],
)
def test_tables_have_the_names_that_the_query_uses(table: str, sql: str, tables: set[str]) -> None:
    found = query_tables(BaseHook.get_hook("warehouse"), "warehouse", sql)

    assert {each.name for each in found} == tables


def test_a_password_in_a_host_is_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "sqlite", "host": "user:secret@db.example.com", "port": 99}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))

    (table,) = query_tables(BaseHook.get_hook("warehouse"), "warehouse", "SELECT * FROM customers")

    assert table.namespace == "sqlite://db.example.com:99"


def test_a_database_that_fails_costs_only_the_tables(
    sandbox: Sandbox,
    table: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    check_message: Callable[[str, str], None],
) -> None:
    task = executed()
    monkeypatch.delenv("AIRFLOW_CONN_WAREHOUSE")

    found = lineage(task)

    assert found.inputs == []
    assert written(found) == one_row(sandbox)
    (*_, logged) = (each for each in caplog.records if each.name.startswith("airflow_provider_envoke"))
    check_message("log: tables not found", logged.getMessage())


def test_a_plan_has_no_output(sandbox: Sandbox, table: str) -> None:
    found = lineage(executed(plan_only=True))

    assert (found.outputs, len(found.inputs)) == ([], 1)


NOBODY = {"email": "nobody@example.com", "city": "Laval"}


@pytest.mark.parametrize(
    ("arguments", "error", "writes"),
    [
        ({"rows": ROWS}, None, True),
        ({"rows": [*ROWS, NOBODY]}, AirflowFailException, True),
        ({"rows": ROWS, "max_changes": 0}, AirflowFailException, False),
    ],
    ids=["success", "a row rejected", "too many changes"],
)
def test_rows_from_xcom_have_no_input_and_what_was_written_as_output(
    sandbox: Sandbox, arguments: dict[str, Any], error: type[Exception] | None, writes: bool
) -> None:
    task = EnvokeSyncContactsOperator(task_id="sync", **arguments)
    with pytest.raises(error) if error else nullcontext():
        task.execute(context())

    found = lineage(task, failed=error is not None)

    assert found.inputs == []
    assert written(found) == (one_row(sandbox) if writes else [])


@pytest.mark.parametrize(
    ("email", "on_missing", "outputs"),
    [("p0@example.com", "fail", [1]), ("nobody@example.com", "skip", [0]), ("nobody@example.com", "fail", [])],
)
def test_an_update_of_one_contact_is_one_row(
    sandbox: Sandbox, email: str, on_missing: Any, outputs: list[int]
) -> None:
    task = EnvokeUpdateContactOperator(
        task_id="update", payload={"email": email, "city": "Québec"}, on_missing=on_missing
    )
    with suppress(Exception):
        task.execute(context())

    assert [rows for _, _, rows in written(lineage(task))] == outputs


WITHOUT_OPENLINEAGE = """
import importlib, pathlib, sys

# The provider is installed here, and Airflow always reads its metadata.
METADATA = {"airflow.providers.openlineage", "airflow.providers.openlineage.get_provider_info"}

class Missing:
    def find_spec(self, name, path=None, target=None):
        ours = name.startswith("airflow.providers.openlineage") and name not in METADATA
        if ours or name.partition(".")[0] == "openlineage":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())

for path in pathlib.Path("example_dags").glob("*.py"):
    importlib.import_module(f"example_dags.{path.stem}")

from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support.services import POSTGRES
from tests.support.tasks import context

task = SqlToEnvokeOperator(task_id="sync", sql_conn_id="warehouse", sql="SELECT email, city FROM customers")
print(task.execute(context())["updated"], task.get_openlineage_facets_on_complete(None))
"""


def test_without_openlineage_dags_import_and_tasks_run(sandbox: Sandbox, table: str, airflow_db: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_OPENLINEAGE],
        cwd=ROOT, env=os.environ.copy(), capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "1 None"
