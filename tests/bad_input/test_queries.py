"""Invalid queries, and databases that reject them: the message has the cause, and no values of rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_envoke.exceptions import (
    EnvokeConfigError,
    EnvokeDataError,
    EnvokeQueryError,
    EnvokeRowsError,
    EnvokeSyncError,
)
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support.leak_markers import API_KEY, EMAIL, leaks
from tests.support.messages import as_params, each
from tests.support.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.leak_markers import MarkedSandbox

SQL = "SELECT email, city FROM customers"


def operator(**arguments: Any) -> SqlToEnvokeOperator:
    return SqlToEnvokeOperator(**{"task_id": "t", "sql_conn_id": "warehouse", "sql": SQL, **arguments})


# Case -> arguments; the table has one row. The message must name what the case has in backticks.
QUERIES: dict[type[Exception], dict[str, Any]] = {
    EnvokeConfigError: {
        "`sql` empty": each("sql", "", " \n", None, [], [SQL, ""], {SQL: SQL}),
        "`sql` without a statement": {"sql": "-- SELECT 1", "split_statements": True},
        "`hook_params` as text": {"hook_params": "{}"},
        "`hook_params` as a list": {"hook_params": ["schema"]},
        "`hook_params` that the hook does not accept": {
            "hook_params": {"conn_name_attr": "x"},
            "sql_conn_id": "web",
        },
        "`parameters` as text": each("parameters", "123", ""),
        "`parameters` as a number": {"parameters": 1},
        "`parameters` as a set": {"parameters": {1}},
        "`sql_conn_id` empty": each("sql_conn_id", "", None),
        "`sql_conn_id` misspelled": {"sql_conn_id": "warehuose"},
        "`sql_conn_id` of Envoke": {"sql_conn_id": "envoke_default"},
        "`sql_conn_id` of a web server": {"sql_conn_id": "web"},
        "`sql_conn_id` of an unknown type": {"sql_conn_id": "odd"},
        "no key column `email` among `city`": {"sql": "SELECT city FROM customers"},
        "unknown column `plan`": {"sql": "SELECT email, plan FROM customers"},
        "column `1 + 1` without a name": {"sql": "SELECT email, 1 + 1 FROM customers"},
        "column `fist_name` instead of `first_name`": {"sql": "SELECT email, city AS fist_name FROM customers"},
        "`read-only` column `external_id`": {"sql": "SELECT email, plan AS external_id FROM customers"},
        "column `custom_fields.x y` with an invalid name": {
            "sql": 'SELECT email, plan AS "custom_fields.x y" FROM customers'
        },
        "ambiguous columns `Email` and `EMAIL`": {
            "sql": 'SELECT email AS "Email", plan AS "EMAIL" FROM customers'
        },
        "`field_map` of the missing column `town`": {"field_map": {"email": "email", "town": "city"}},
        "`field_map` of the missing key column `e_mail`": {"field_map": {"e_mail": "email", "city": "city"}},
        "`reference` to the missing column `member_id`": {"reference": "member_id"},
        "`reference` to the key column `email`": {"reference": ["email"]},
        "`unknown_columns` of another word": {"unknown_columns": "reject"},
        "columns with `plan`, `external_id` and `fist_name` and without `email` and `member_id`": {
            "sql": "SELECT plan, 1 AS external_id, city AS fist_name FROM customers",
            "reference": "member_id",
        },
    },
    EnvokeDataError: {
        "`parameters[1]` rendered to None": {
            "sql": f"{SQL} WHERE plan = ? AND city = ?",
            "parameters": [1, "None"],
        },
        "parameter `city` rendered to None": {"sql": f"{SQL} WHERE city = :city", "parameters": {"city": "None"}},
        "`database` rendered to None": {"database": "None"},
        "hook_params' `schema` rendered to None": {"hook_params": {"schema": "None"}},
        "no `SELECT`": each(
            "sql",
            "-- SELECT 1",
            [SQL, "-- SELECT 1"],
            "CREATE TABLE other (a TEXT)",
            "UPDATE customers SET city = 'x' WHERE 1 = 0",
        ),
        "column `city` twice": {"sql": "SELECT email, city, city FROM customers"},
        "columns `city` and `email` twice": {"sql": "SELECT * FROM customers a JOIN customers b USING (plan)"},
        "column with a hostile name twice": {"sql": f'SELECT 1 AS "{EMAIL}\r\n", 2 AS "{EMAIL}\r\n"'},
    },
    AirflowFailException: {
        "no rows and `on_empty` fail": {"sql": f"{SQL} WHERE 1 = 0", "on_empty": "fail"},
    },
}

BY_PLAN = f"{SQL} WHERE plan = ?"
# Words of SQLite's message -> arguments.
DATABASE_ERRORS: dict[str, dict[str, Any]] = {
    'near "SELEKT"': {"sql": "SELEKT email FROM customers;"},
    "incomplete input": {"sql": "SELECT email FROM"},
    "no such table: custmers": {"sql": "SELECT email FROM custmers"},
    "no such column: emial": {"sql": "SELECT emial FROM customers"},
    "unrecognized token": {"sql": "SELECT email FROM {{ params.table }}"},
    "uses 1, and there are 0": {"sql": BY_PLAN},
    "unable to open database file": {"sql_conn_id": "nowhere"},
    "file is not a database": {"sql_conn_id": "text"},
    "Could not decode to UTF-8 column …": {"sql": "SELECT CAST(x'4d61726b65646f7661ff' AS TEXT) AS email"},
}
#: A file that is not there, or is not a database yet, may be a moment later.
MAY_PASS = {"unable to open database file", "file is not a database"}
# The argument to look at -> words of SQLite's message -> arguments.
HINTS: dict[str, dict[str, dict[str, Any]]] = {
    "split_statements": {
        "You can only execute one statement at a time": {"sql": f"{SQL}; {SQL}"},
        'near "SETT"': {"sql": f"SETT x; {SQL}"},
    },
    "parameters": {
        "uses 2, and there are 1": {"sql": f"{BY_PLAN} AND city = ?", "parameters": [1]},
        "uses 1, and there are 2": {"sql": BY_PLAN, "parameters": [1, 2]},
        "uses 0, and there are 1": {"parameters": [1]},
        ":plan": {"sql": f"{SQL} WHERE plan = :plan", "parameters": {"plna": 1}},
        "type 'object' is not supported": {"sql": BY_PLAN, "parameters": [object()]},
        'near "%"': {"sql": f"{SQL} WHERE plan = %s", "parameters": [1]},
    },
}

# Reason -> case -> arguments, for queries whose rows are all rejected.
REJECTED: dict[str, dict[str, Any]] = {
    "missing_key": {
        "no value in the key column `email`": {"sql": "SELECT NULL AS email, city FROM customers"},
    },
    "invalid_value": {
        "column `city` as a blob": {"sql": "SELECT email, x'00ff' AS city FROM customers"},
        "column `city` infinite": {"sql": "SELECT email, 9e999 AS city FROM customers"},
    },
}


@pytest.fixture
def filled(
    sandbox: MarkedSandbox, warehouse: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> MarkedSandbox:
    """A table with one marked row, and connections of the wrong kinds."""
    warehouse([(EMAIL, "Markedova", 1)])
    (tmp_path / "text").write_text("this is not a database, and it is longer than a header" * 20)
    for name, parts in {
        "web": {"conn_type": "http", "host": "localhost"},
        "odd": {"conn_type": "unknown_database", "host": "localhost"},
        "nowhere": {"conn_type": "sqlite", "host": str(tmp_path / "no" / "folder.sqlite")},
        "text": {"conn_type": "sqlite", "host": str(tmp_path / "text")},
    }.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(parts))
    return sandbox


@pytest.mark.parametrize(("case", "kind", "arguments"), as_params(QUERIES))
@pytest.mark.usefixtures("airflow_db", "filled")
def test_an_invalid_query_is_rejected(
    case: str, kind: type[Exception], arguments: dict[str, Any], check_message_of_failure: Callable[..., None]
) -> None:
    check_message_of_failure(f"query: {case}", kind, operator(**arguments))


@pytest.mark.parametrize("words", DATABASE_ERRORS)
@pytest.mark.usefixtures("airflow_db", "filled")
def test_a_query_that_the_database_rejects_is_reported_with_its_error(
    words: str, check_message_of_failure: Callable[..., None]
) -> None:
    task = operator(**DATABASE_ERRORS[words])

    kind = EnvokeSyncError if words in MAY_PASS else EnvokeQueryError
    check_message_of_failure(f"query: error of `{task.sql_conn_id}`", kind, task, words)


@pytest.mark.parametrize(("words", "argument", "arguments"), as_params(HINTS))
@pytest.mark.usefixtures("airflow_db", "filled")
def test_an_error_that_an_argument_can_cause_ends_with_advice_about_it(
    words: str, argument: str, arguments: dict[str, Any], check_message_of_failure: Callable[..., None]
) -> None:
    check_message_of_failure(f"query: error, see `{argument}`", EnvokeQueryError, operator(**arguments), words)


@pytest.mark.parametrize(("case", "reason", "arguments"), as_params(REJECTED))
@pytest.mark.usefixtures("filled")
def test_a_query_whose_rows_are_invalid_is_reported(
    case: str, reason: str, arguments: dict[str, Any], check_message_of_failure: Callable[..., None]
) -> None:
    run = context()

    check_message_of_failure(f"query: {case}", EnvokeRowsError, operator(**arguments), run=run)

    report = run["ti"].pushed["return_value"]
    assert (report["rows"], report["reasons"]) == (1, {reason: 1})
    assert leaks(json.dumps(report)) == []


# Words of PostgreSQL's message -> query.
POSTGRESQL: dict[str, str] = {
    'UndefinedTable: relation "custmers" does not exist.': "SELECT email FROM custmers",
    'SyntaxError: syntax error at or near "envoke_customers".': "SELECT email FORM envoke_customers",
    "InvalidTextRepresentation: invalid input syntax for type integer: ….": (
        "SELECT email::int FROM envoke_customers"
    ),
    "InvalidDatetimeFormat: invalid input syntax for type date: ….": (
        "SELECT (''''||city||'\" O''Brien')::date FROM envoke_customers"
    ),
    "RaiseException, whose text may be": "SELECT envoke_tell(email) FROM envoke_customers",
    "InvalidParameterValue, whose text may be": "SELECT envoke_tell(email, '22023') FROM envoke_customers",
    "UniqueViolation: duplicate key value violates unique constraint …": (
        "SELECT envoke_insert(email) FROM envoke_customers"
    ),
}


@pytest.fixture
def filled_postgres(postgres: Any) -> None:
    """A table with one marked row, and functions that fail with its values."""
    postgres.execute("INSERT INTO envoke_customers (email, city) VALUES (%s, 'Markedova')", [EMAIL])
    postgres.execute("ALTER TABLE envoke_customers ADD UNIQUE (email)")
    postgres.execute(
        "CREATE FUNCTION envoke_tell(text, state text DEFAULT 'P0001') RETURNS int LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no such person: Markedova %', $1 USING ERRCODE = state; END $$"
    )
    postgres.execute(
        "CREATE FUNCTION envoke_insert(text) RETURNS int LANGUAGE sql AS "
        "$$ INSERT INTO envoke_customers (email) VALUES ($1); SELECT 1 $$"
    )


@pytest.mark.timeout(60)
@pytest.mark.parametrize("words", POSTGRESQL)
@pytest.mark.usefixtures("filled_postgres")
def test_an_error_of_postgresql_is_reported_without_values(
    words: str, check_message_of_failure: Callable[..., None]
) -> None:
    task = operator(sql=POSTGRESQL[words])

    # What a function raises, and a key that is taken, may be different the next time.
    may_pass = words.startswith(("RaiseException", "UniqueViolation"))
    kind = EnvokeSyncError if may_pass else EnvokeQueryError
    temporary = "temporary " if kind is EnvokeSyncError else ""
    check_message_of_failure(f"query: {temporary}error of `warehouse`", kind, task, words)


@pytest.mark.parametrize("sql", ["DELETE FROM envoke_customers", "SHOW ALL", "-- SELECT\nCREATE TABLE a ()"])
@pytest.mark.usefixtures("filled_postgres")
def test_a_statement_that_postgresqls_cursor_does_not_take_is_named(
    sql: str, check_message_of_failure: Callable[..., None]
) -> None:
    words = "syntax error", "must be SELECT, VALUES or WITH"
    check_message_of_failure("query: error, see the statement", EnvokeQueryError, operator(sql=sql), *words)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("where", "parameters"),
    [
        ("city LIKE '%Y' AND email = %s", ["a"]),
        ("email = %(emial)s", {"email": "a"}),
        ("email = %s", {"email": "a"}),
        ("email = ?", ["a", "b"]),
        ("email = :email", {"email": "a"}),
    ],
)
@pytest.mark.usefixtures("filled_postgres")
def test_parameters_that_do_not_fit_the_query_of_postgresql_are_named(
    where: str, parameters: Any, check_message_of_failure: Callable[..., None]
) -> None:
    task = operator(sql=f"SELECT email FROM envoke_customers WHERE {where}", parameters=parameters)

    check_message_of_failure("query: error, see `parameters`", EnvokeQueryError, task)


@pytest.mark.usefixtures("filled_postgres")
def test_a_column_twice_is_found_on_postgresql_too(check_message_of_failure: Callable[..., None]) -> None:
    task = operator(sql="SELECT city, city FROM envoke_customers")

    check_message_of_failure("query: column `city` twice", EnvokeDataError, task)


def test_a_database_that_cannot_be_reached_is_reported(
    monkeypatch: pytest.MonkeyPatch, check_message_of_failure: Callable[..., None]
) -> None:
    pytest.importorskip("psycopg2")
    closed = {"conn_type": "postgres", "host": "127.0.0.1", "port": 9, "login": "x", "password": API_KEY}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(closed))

    words = "OperationalError", "port 9 failed: Connection refused."
    check_message_of_failure("query: temporary error of `warehouse`", EnvokeSyncError, operator(), *words)
