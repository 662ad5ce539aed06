"""One Airflow with Celery for the tests of this folder, which run only on Airflow 3."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import EXAMPLES
from tests.support.leftovers import addresses, listens, processes_of
from tests.support.services import connect_to_postgres, connect_to_redis
from tests.system.airflow.standalone import LINE
from tests.system.celery import many_rows
from tests.system.celery.cluster import SLOTS, Cluster, database

if TYPE_CHECKING:
    from collections.abc import Iterator

collect_ignore_glob = [] if LINE == 3 else ["test_*.py"]

_TIMEOUT_S = 600  # the first test waits for Airflow to start, the last one for it to notice a lost worker


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(_TIMEOUT_S), append=False)  # before that of tests/system


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Airflow without workers, with the sharded example, its pool, and the warehouse."""
    directory = tmp_path_factory.mktemp("celery")
    home, dags = directory / "airflow", directory / "dags"
    for each in (home, dags):
        each.mkdir()
    shutil.copy(EXAMPLES / "envoke_sharded_sync.py", dags)
    with database("warehouse") as warehouse, Cluster.started(home, dags) as cluster:
        many_rows.fill(warehouse)
        cluster.add_warehouse(warehouse)
        cluster.rest.add_pool("envoke", SLOTS)
        yield cluster
    assert processes_of(directory) == []
    assert [at for at in addresses(cluster.rest.url) if listens(at)] == []
    assert databases() & {warehouse, cluster.metadata} == set()
    assert keys(cluster.prefix) == []


def databases() -> set[str]:
    with closing(connect_to_postgres()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        return {name for (name,) in cursor.fetchall()}


def keys(prefix: str) -> list[bytes]:
    with closing(connect_to_redis()) as redis:
        return list(redis.scan_iter(f"{prefix}*"))
