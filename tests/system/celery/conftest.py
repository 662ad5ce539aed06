"""One Airflow with Celery for the tests of this folder; they run on Airflow 3 alone."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from demo.standalone import LINE
from tests.leftovers import addresses, listens, processes_of
from tests.services import connect_to_postgres, connect_to_redis
from tests.system.celery import crowd
from tests.system.celery.cluster import Cluster, database
from tests.system.conftest import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

collect_ignore_glob = [] if LINE == 3 else ["test_*.py"]

SLOTS = 3  # of the pool, of 4 places on 2 workers for 4 shards: so it is the pool that holds one of them back
_LEFT = "SELECT datname FROM pg_database WHERE datname LIKE 'envoke_test_%'"


@pytest.fixture(scope="module")
def nothing_is_left() -> Iterator[None]:
    """Neither databases nor keys stay behind; those that were there before are somebody else's."""
    before = kept()
    yield
    assert kept() - before == set()


@pytest.fixture(scope="module")
def cluster(nothing_is_left: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Airflow without workers, with the sharded example, its pool, and the warehouse."""
    directory = tmp_path_factory.mktemp("celery")
    home, dags = directory / "airflow", directory / "dags"
    for each in (home, dags):
        each.mkdir()
    shutil.copy(EXAMPLES / "envoke_sharded_sync.py", dags)
    with database("warehouse") as warehouse, Cluster.started(home, dags) as cluster:
        crowd.fill(warehouse)
        cluster.add_warehouse(warehouse)
        cluster.rest.add_pool("envoke", SLOTS)
        yield cluster
    assert processes_of(directory) == []
    assert [at for at in addresses(cluster.rest.url) if listens(at)] == []


def kept() -> set[str]:
    """The names of databases and keys of such tests."""
    with closing(connect_to_postgres()) as connection, connection.cursor() as cursor:
        cursor.execute(_LEFT)
        databases = {name for (name,) in cursor.fetchall()}
    with closing(connect_to_redis()) as redis:
        return databases | {key.decode() for key in redis.scan_iter("*envoke-test-*")}
