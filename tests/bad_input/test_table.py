"""The tables of bad input as a whole."""

from __future__ import annotations

from itertools import chain

from tests.bad_input import (
    test_connections,
    test_hook_arguments,
    test_payloads,
    test_sql_results,
    test_sync_arguments,
    test_update_arguments,
)
from tests.bad_input.judging import as_params

TABLES = (
    *(test_connections.CASES, test_connections.ODD_PARTS, test_connections.BUNDLES, test_connections.IDS),
    *map(
        as_params,
        (
            test_update_arguments.UPDATE,
            test_sync_arguments.SYNC,
            test_sync_arguments.ROWS,
            test_sync_arguments.SCRIPT_ROWS,
            test_hook_arguments.HOOK,
            test_payloads.PAYLOADS,
            test_sql_results.QUERIES,
            test_sql_results.POSTGRESQL,
        ),
    ),
)


def test_there_are_at_least_150_cases_each_with_a_message_of_its_own() -> None:
    cases = list(chain.from_iterable(TABLES))

    assert len(cases) >= 150
    assert all(str(case.values[1]).strip("* ") for case in cases)


def test_no_case_stands_in_a_table_twice() -> None:
    for table in TABLES:
        names = [case.id for case in table]
        assert len(names) == len(set(names))
