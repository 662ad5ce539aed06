"""The contacts and the table that the example DAGs work with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support import contacts
from tests.support.examples import Shop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow.models.dagrun import DagRun

    from airflow_provider_envoke.sandbox.thread import Sandbox


@pytest.fixture
def shop(
    envoke_connection: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_dag: Callable[..., DagRun]
) -> Shop:
    """A shop whose sandbox has the contacts Ana, Bo and Cy."""
    envoke_connection.reset([contacts.ANA, contacts.BO, contacts.CY])
    path = tmp_path / "warehouse.sqlite"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    return Shop(envoke_connection, path, run_dag)
