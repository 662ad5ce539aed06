"""The example DAGs, and rows of the table that they read."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from airflow import __version__

from tests.support import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow.models.dagrun import DagRun
    from airflow.providers.common.compat.sdk import DAG

    from airflow_provider_envoke.sandbox.thread import Sandbox

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
#: Those that ask a person, which Airflow can do from 3.1 on.
ASKING = {"envoke_approve_then_sync", "envoke_ask_if_large"}
#: Those that watch an asset, which Airflow can do from 3 on.
WATCHING = {"envoke_new_contacts"}
CAN_WATCH = not __version__.startswith("2.")
CAN_ASK = not __version__.startswith(("2.", "3.0"))

COLUMNS = ("customer_id", "remote_id", "email", "first_name", "phone", "city", "updated_at")
ANA = ("C-1", "R-1", "ana@example.com", "Aña", None, "Québec", "2026-03-02")
BO = ("C-2", "R-2", "bo@example.com", "Bo", None, "Lévis", "2026-03-02")
CY = ("C-3", None, "cy@example.com", "Cy", None, "Ottawa", "2026-03-03")
DEE = ("C-4", "R-4", "dee@example.com", "Dee", None, "Laval", "2026-03-03")
INVALID = ("C-9", None, "not an address", "Eve", None, "Laval", "2026-03-02")


def example(name: str) -> DAG:
    """Return an example DAG."""
    return import_module(f"example_dags.{name}").dag


@dataclass(frozen=True)
class Shop:
    """The sandbox behind ``envoke_default``, and the database behind ``warehouse``."""

    sandbox: Sandbox
    database: Path
    run_dag: Callable[..., DagRun]

    def run(self, name: str, *rows: tuple[str | None, ...], **conf: object) -> DagRun:
        """Run an example; if rows are given, create the table in its documentation and fill it before."""
        if rows:
            shown_by = example(name if name.startswith("envoke_update") else "envoke_nightly_sync")
            found = re.search(r"CREATE TABLE .*?\n    \)", shown_by.doc_md or "", re.DOTALL)
            assert found, "the documentation shows no table"
            with closing(sqlite3.connect(self.database)) as database, database:
                database.execute(found[0])
                insert = f"INSERT INTO customers ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
                database.executemany(insert, rows)
        dag = example(name)
        params = [param for each in (dag, *dag.tasks) for _, param in each.params.items()]
        defaults = [(param, param.value) for param in params if hasattr(param, "value")]
        try:
            return self.run_dag(dag, run_conf=conf)
        finally:  # in this process, the values of a run stay in the parameters
            for param, default in defaults:
                param.value = default
