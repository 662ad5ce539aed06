"""The first DAG of README, unchanged, with each kind of database."""

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


def first_dag(folder: Path) -> DAG:
    """Return the DAG of README's first Python block, from a file that holds nothing else."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## A first DAG")[2]
    file = folder / "first_dag.py"
    file.write_text(re.search(r"```python\n(.*?)```", section, re.DOTALL)[1], encoding="utf-8")  # type: ignore[index]
    return load_dag(file)


def test_the_first_dag_of_readme_works_unchanged(
    database: Database, sandbox: Sandbox, run_dag: Callable[..., DagRun], tmp_path: Path
) -> None:
    database.fill(customers.COLUMNS[:-1], [1] * len(customers.COLUMNS[:-1]), ROWS)

    first = run_dag(first_dag(tmp_path))
    second = run_dag(first_dag(tmp_path))

    report = result(first, "sync")
    counts = {name: report[name] for name in ("rows", "updated", "unchanged", "skipped", "rejected")}
    assert counts == {"rows": 300, "updated": 5, "unchanged": 294, "skipped": 1, "rejected": 0}
    assert (result(second, "sync")["updated"], result(second, "sync")["unchanged"]) == (0, 299)
