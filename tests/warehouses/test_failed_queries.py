"""Queries that fail: the message has no value of a row, and a large result is not read to its end."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_envoke.exceptions import EnvokeDataError, EnvokeSyncError
from airflow_provider_envoke.transfers._query import QueryRows
from tests.support.services import MARIADB
from tests.support.warehouses import MARIADB_KINDS, named

if TYPE_CHECKING:
    from tests.warehouses.conftest import Database

VALUE = "Jon Smith"
HUGE = "SELECT 'a' AS email, 'b' AS email FROM seq_1_to_50000000"  # takes a minute if it is read to its end

#: Kind -> query -> words of the message.
FAILURES: dict[str, dict[str, str]] = {
    **{
        kind: {
            f"SELECT extractvalue(1, concat('~', '{VALUE}')) AS email": "XPATH syntax error: ….",
            f"BEGIN NOT ATOMIC SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{VALUE}'; END": "Error, whose text may",
            "SELECT email FROM custmers": "custmers' doesn't exist.",
            "SELECT emial": "Unknown column 'emial'",
            "SELEKT 1": "near 'SELEKT 1'",
        }
        for kind in MARIADB_KINDS
    },
    "DuckDB": {
        f"SELECT strptime('{VALUE}', '%Y') AS email": "InvalidInputException, whose text may be",
        f"SELECT error('{VALUE}') AS email": "InvalidInputException, whose text may be",
        f"SELECT '{VALUE}'::INT AS email": "Could not convert string ….",
        "SELECT emial": 'Referenced column "emial" was not found',
    },
    "SQLite": {"SELECT CAST(x'4a6f6e20536d697468ff' AS TEXT) AS email": "Could not decode to UTF-8 column …."},
}
PARAMS = [
    pytest.param(warehouse, query, words, id=f"{kind}: {query}")
    for kind, failures in FAILURES.items()
    for query, words in failures.items()
    for warehouse in named(kind)
]


@pytest.mark.parametrize(("database", "query", "words"), PARAMS, indirect=["database"])
def test_the_message_names_the_cause_and_has_no_value(database: Database, query: str, words: str) -> None:
    rows = QueryRows(BaseHook.get_hook("warehouse"), "warehouse", [query])

    with pytest.raises(EnvokeSyncError) as caught:
        list(rows)

    assert words in str(caught.value)
    assert VALUE not in str(caught.value)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("database", named(*MARIADB_KINDS), indirect=True, ids=MARIADB_KINDS)
def test_a_huge_result_with_a_column_twice_is_refused_at_once(database: Database) -> None:
    assert _seconds_to_refuse(BaseHook.get_hook("warehouse")) < 20


@pytest.mark.timeout(60)
@pytest.mark.parametrize("database", named(MARIADB_KINDS[0]), indirect=True, ids=["MariaDB, PyMySQL"])
def test_a_huge_result_is_not_read_by_a_driver_of_another_hook_either(database: Database) -> None:
    pymysql = pytest.importorskip("pymysql")
    parts = {"user": MARIADB["login"], "password": MARIADB["password"]}

    def get_conn() -> Any:
        return pymysql.connect(host=MARIADB["host"], port=MARIADB["port"], database="information_schema", **parts)

    query = HUGE.replace("seq_1", f"{database_name()}.seq_1")
    assert _seconds_to_refuse(SimpleNamespace(get_conn=get_conn, get_autocommit=lambda _: False), query) < 20


def database_name() -> str:
    return str(BaseHook.get_connection("warehouse").schema)


def _seconds_to_refuse(hook: Any, query: str = HUGE) -> float:
    began_s = time.monotonic()
    with pytest.raises(EnvokeDataError, match="more than one column named email"):
        list(QueryRows(hook, "warehouse", [query]))
    return time.monotonic() - began_s
