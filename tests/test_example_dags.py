"""The examples: each parses with nothing configured, and does what it says against the sandbox."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.models.dagrun import DagRun
    from airflow.providers.common.compat.sdk import DAG

    from airflow_provider_envoke.sandbox.thread import Sandbox

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted(path.stem for path in (ROOT / "example_dags").glob("*.py"))
#: Those in which a person is asked: Airflow can do that from 3.1 on.
ASKING = {"envoke_approve_then_sync", "envoke_ask_if_large"}
OFFERED = [name for name in EXAMPLES if name not in ASKING or not __version__.startswith(("2.", "3.0"))]

CONTACTS = [
    {"id": 1, "email": "ana@example.com", "remote_id": "R-1", "first_name": "Ana", "phone": "1", "city": "Laval"},
    {"id": 2, "email": "bo@example.com", "remote_id": "R-2", "first_name": "Bo", "city": "Laval"},
    {"id": 3, "email": "cy@example.com", "first_name": "Cy", "consent_status": "Revoked"},
]
COLUMNS = ("customer_id", "remote_id", "email", "first_name", "phone", "city", "updated_at")
ANA = ("C-1", "R-1", "ana@example.com", "Aña", None, "Québec", "2026-03-02")
BO = ("C-2", "R-2", "bo@example.org", "Bo", None, "Lévis", "2026-03-02")
CY = ("C-3", None, "cy@example.com", "Cy", None, "Ottawa", "2026-03-03")
DEE = ("C-4", "R-4", "dee@example.com", "Dee", None, "Laval", "2026-03-03")
OLD = ("C-5", None, "old@example.com", "Old", None, "Laval", "2026-01-01")


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Fill the table that the examples' documentation describes, behind the connection ``warehouse``."""
    path = tmp_path / "warehouse.sqlite"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)}))

    def fill(dag: DAG, *rows: tuple[str | None, ...]) -> None:
        found = re.search(r"CREATE TABLE .*?\n    \)", dag.doc_md or "", re.DOTALL)
        assert found, "the documentation shows no table"
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(found[0])
            insert = f"INSERT INTO customers ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
            database.executemany(insert, rows)

    return fill


@pytest.fixture
def sandbox(envoke_connection: Sandbox) -> Sandbox:
    envoke_connection.reset(contacts=CONTACTS)
    return envoke_connection


def example(name: str) -> DAG:
    dag: DAG = import_module(f"example_dags.{name}").dag
    return dag


def updates(run: DagRun) -> list[Any]:
    """The runs of the task ``update``, in the order of the rows."""
    instances = [instance for instance in run.get_task_instances() if instance.task_id == "update"]
    return sorted(instances, key=lambda instance: instance.map_index)


def result(run: DagRun, map_index: int = -1) -> Any:
    """What the task ``update`` left in XCom."""
    return updates(run)[0].xcom_pull(task_ids="update", map_indexes=map_index)


def parse(script: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a script that imports examples, in an Airflow with nothing configured."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW_")}
    variables.update(AIRFLOW_HOME=str(home), PYTHONWARNINGS="default")
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT, env=variables, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ours = [line for line in done.stderr.splitlines() if "Warning" in line and "envoke" in line]
    assert ours == []
    return done


@pytest.mark.parametrize("name", OFFERED)
def test_an_example_parses_with_nothing_configured(name: str, tmp_path: Path) -> None:
    script = f"import example_dags.{name} as example; print(example.dag.dag_id, len(example.dag.doc_md) > 100)"

    done = parse(script, tmp_path)

    assert done.stdout.splitlines()[-1] == f"{name} True"


WITHOUT_HITL = """
import sys
sys.modules["airflow.providers.standard.operators.hitl"] = None
"""


@pytest.mark.parametrize("name", sorted(ASKING))
@pytest.mark.parametrize("before", ["" if set(OFFERED) != set(EXAMPLES) else WITHOUT_HITL])
def test_an_example_that_asks_a_person_defines_no_dag_where_airflow_cannot_ask(
    name: str, before: str, tmp_path: Path
) -> None:
    done = parse(f"{before}import example_dags.{name} as example; print(hasattr(example, 'dag'))", tmp_path)

    assert done.stdout.splitlines()[-1] == "False"


def test_there_are_examples() -> None:
    assert {"envoke_update_by_email", "envoke_update_by_remote_id", "envoke_update_many"} <= set(EXAMPLES)


def test_a_row_updates_the_contact_with_its_email(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_update_by_email")
    warehouse(dag, ANA, BO)
    before = sandbox.contacts

    run = run_dag(dag, run_conf={"email": "ana@example.com"})

    assert run.state == "success"
    contact = sandbox.contact(email="ana@example.com")
    assert (contact["first_name"], contact["city"]) == ("Aña", "Québec")
    assert contact["phone"] == "1", "a null leaves the field as it is"
    assert result(run) == {"id": 1, "action": "updated", "fields": ["city", "email", "first_name"]}
    assert sandbox.contacts[1:] == before[1:]


def test_an_email_that_envoke_does_not_know_fails_the_run(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_update_by_email")
    warehouse(dag, DEE)

    run = run_dag(dag, run_conf={"email": "dee@example.com"})

    assert run.state == "failed"
    assert [update.state for update in updates(run)] == ["failed"]
    assert result(run) is None
    assert len(sandbox.contacts) == len(CONTACTS)


def test_an_email_that_the_warehouse_does_not_know_sends_nothing(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_update_by_email")
    warehouse(dag, ANA)

    run = run_dag(dag, run_conf={"email": "nobody@example.com"})

    assert run.state == "failed"
    assert list(sandbox.requests) == []


@pytest.mark.parametrize(
    ("name", "conf"),
    [
        ("envoke_update_by_email", {"email": "a@example.com' OR 'x'='x"}),
        ("envoke_update_by_remote_id", {"customer_id": "C-1' OR 'x'='x"}),
        ("envoke_update_many", {"changed_since": "2026-01-01' OR 'x'='x"}),
    ],
)
def test_a_quote_does_not_get_into_the_sql(
    name: str, conf: dict[str, str], run_dag: Callable[..., DagRun]
) -> None:
    with pytest.raises(Exception, match="Invalid input for param"):
        run_dag(example(name), run_conf=conf)


def test_a_row_updates_the_contact_with_its_remote_id_and_its_new_email(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_update_by_remote_id")
    warehouse(dag, ANA, BO)

    run = run_dag(dag, run_conf={"customer_id": "C-2"})

    assert run.state == "success"
    contact = sandbox.contact(email="bo@example.org")
    assert (contact["remote_id"], contact["city"]) == ("R-2", "Lévis")
    assert result(run)["id"] == int(contact["id"]) == 2
    assert len(sandbox.contacts) == len(CONTACTS)


def test_a_row_without_a_remote_id_updates_the_contact_with_its_email(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_update_by_remote_id")
    warehouse(dag, CY)

    run = run_dag(dag, run_conf={"customer_id": "C-3"})

    assert run.state == "success"
    assert sandbox.contact(email="cy@example.com")["city"] == "Ottawa"


def test_a_remote_id_that_envoke_does_not_know_fails_the_run(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_update_by_remote_id")
    warehouse(dag, DEE)

    run = run_dag(dag, run_conf={"customer_id": "C-4"})

    assert run.state == "failed"
    assert len(sandbox.contacts) == len(CONTACTS)


def test_every_changed_row_updates_its_contact_and_an_unknown_one_is_skipped(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_update_many")
    long_name = "Maximilienne-Alexandrine"
    warehouse(dag, OLD, ANA, (*CY[:3], long_name, *CY[4:]), DEE)

    run = run_dag(dag, run_conf={"changed_since": "2026-03-01"})

    assert run.state == "success"
    assert [update.state for update in updates(run)] == ["success", "success", "skipped"]
    assert sandbox.contact(email="ana@example.com")["city"] == "Québec"
    cy = sandbox.contact(email="cy@example.com")
    assert (cy["city"], cy["first_name"]) == ("Ottawa", long_name[:20])
    assert cy["consent_status"] == "Revoked", "an update without a consent status leaves it alone"
    assert len(sandbox.contacts) == len(CONTACTS)
    assert result(run, 0) == {"id": 1, "action": "updated", "fields": ["city", "email", "first_name"]}
    assert result(run, 2)["action"] == "skipped"


def test_no_changed_row_sends_nothing(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_update_many")
    warehouse(dag, OLD)

    run = run_dag(dag, run_conf={"changed_since": "2026-03-01"})

    assert [update.state for update in updates(run)] == ["skipped"]
    assert list(sandbox.requests) == []


def test_one_refused_row_fails_the_run_and_not_the_other_rows(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    dag = example("envoke_update_many")
    no_address = ("C-6", None, "not an address", "Eve", None, "Laval", "2026-03-02")
    warehouse(dag, no_address, ANA)

    run = run_dag(dag, run_conf={"changed_since": "2026-03-01"})

    assert run.state == "failed"
    assert sorted(str(update.state) for update in updates(run)) == ["failed", "success"]
    assert sandbox.contact(email="ana@example.com")["city"] == "Québec"
