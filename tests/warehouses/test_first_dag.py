"""The first DAG of README with each kind of database; only ``plan_only`` is changed, as README says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.support import ROOT, customers
from tests.support.airflow import load_dag, result

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow.models.dagrun import DagRun
    from airflow.providers.common.compat.sdk import DAG

    from airflow_provider_envoke.sandbox.thread import Sandbox
    from tests.warehouses.conftest import Database

CONTACTS = customers.contacts()
ROWS = [[row[name] for name in customers.COLUMNS[:-1]] for row in customers.customers()]


def first_dag(folder: Path, *, plan_only: bool) -> DAG:
    """Return the DAG of README's first Python block, from a file that holds nothing else."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## A first DAG")[2]
    file = folder / "first_dag.py"
    code: str = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]  # type: ignore[index]
    assert "plan_only=True," in code
    file.write_text(code.replace("plan_only=True,", f"plan_only={plan_only},"), encoding="utf-8")
    return load_dag(file)


def test_the_first_dag_of_readme_plans_and_then_works(
    database: Database, sandbox: Sandbox, run_dag: Callable[..., DagRun], tmp_path: Path
) -> None:
    database.fill(customers.COLUMNS[:-1], [1] * len(customers.COLUMNS[:-1]), ROWS)
    before = sandbox.contacts

    plan = run_dag(first_dag(tmp_path, plan_only=True))
    assert (result(plan, "sync")["updated"], sandbox.contacts) == (5, before)
    first = run_dag(first_dag(tmp_path, plan_only=False))
    second = run_dag(first_dag(tmp_path, plan_only=False))

    report = result(first, "sync")
    counts = {name: report[name] for name in ("rows", "updated", "unchanged", "skipped", "rejected")}
    assert counts == {"rows": 300, "updated": 5, "unchanged": 294, "skipped": 1, "rejected": 0}
    assert (result(second, "sync")["updated"], result(second, "sync")["unchanged"]) == (0, 299)
