"""The contacts and the table that the example DAGs work with."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.support import contacts
from tests.support.examples import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow.providers.common.compat.sdk import DAG

    from airflow_provider_envoke.sandbox.thread import Sandbox


@pytest.fixture
def sandbox(envoke_connection: Sandbox) -> Sandbox:
    """The sandbox behind ``envoke_default``, with the contacts Ana, Bo and Cy."""
    envoke_connection.reset([contacts.ANA, contacts.BO, contacts.CY])
    return envoke_connection


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Create and fill the table in an example's documentation, behind the connection ``warehouse``."""
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
