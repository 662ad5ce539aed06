"""A database of each kind behind Airflow's connection ``warehouse``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from tests.support.warehouses import WAREHOUSES, Warehouse, require

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "ignore:Arrow output on a DB-API result:UserWarning")  # of fakesnow


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests of BigQuery ignore what Airflow's hook leaves open: the connections of Google's clients."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "bigquery" in item.nodeid.lower():
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))


@dataclass(frozen=True)
class Database:
    """An empty database of a kind of warehouse."""

    kind: Warehouse

    def fill(self, columns: Sequence[str], kinds: Sequence[int], rows: Sequence[Sequence[Any]]) -> None:
        """Create the table ``customers`` with these rows; see :meth:`Warehouse.create_table`."""
        self.run(self.kind.create_table(columns, kinds), self.kind.insert(rows))

    def run(self, *statements: str) -> None:
        """Run statements through the hook of the database's provider."""
        hook = BaseHook.get_hook("warehouse")
        hook.log_sql = False
        hook.run(list(statements), autocommit=True)


@pytest.fixture(params=WAREHOUSES, ids=[each.name for each in WAREHOUSES])
def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """An empty database of each kind, behind Airflow's connection ``warehouse``."""
    require(request.param)
    with request.param.connection(tmp_path) as connection:
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
        yield Database(request.param)
