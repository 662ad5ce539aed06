"""Queries and databases that fail: the cause is told, no row's values are, and the report says what was done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, BaseHook

from airflow_provider_envoke.exceptions import EnvokeSyncError
from airflow_provider_envoke.transfers.sql_to_envoke import QueryRows, SqlToEnvokeOperator
from tests.bad_input.judging import as_params, check_message, check_refused
from tests.leaks.marks import API_KEY, EMAIL, leaks
from tests.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.leaks.marks import MarkedSandbox

SQL = "SELECT email, city FROM customers"


def operator(**arguments: Any) -> SqlToEnvokeOperator:
    return SqlToEnvokeOperator(**{"task_id": "t", "sql_conn_id": "warehouse", "sql": SQL, **arguments})


# With the connection and what the driver says; and if there were rows, how many.
UNBEGUN = (
    "The query of the connection {} (sql_conn_id) failed before its first row with {}. Mend the query or the "
    "database and run again, which is safe."
)
FAILED = (
    "The query of the connection {} (sql_conn_id) failed after {} rows with {}. The report says what became of "
    "these rows; mend the query or the database and run again, which is safe."
)
REJECTED = (
    "1 of 1 rows were not written to Envoke (1 {}); set rejects_path to get them in a file. Running again is "
    "safe. For example row 1: {}"
)
UNSENT = "The payload cannot be sent (1 to mend): {}."

# What the person on call reads -> the arguments that were wrong, by name. The table has one row.
QUERIES: dict[str, dict[str, dict[str, Any]]] = {
    "sql has to be one query as text, and is empty or something else: check its template.": {
        "sql-empty": {"sql": ""},
        "sql-blank": {"sql": " \n"},
        "sql-none": {"sql": None},
        "sql-a-list": {"sql": [SQL]},
    },
    "The SQL statement returned no columns: it has to be a query (SELECT …).": {
        "sql-a-comment": {"sql": "-- SELECT 1"},
        "sql-not-a-select": {"sql": "CREATE TABLE other (a TEXT)"},
        "sql-an-update": {"sql": "UPDATE customers SET city = 'x' WHERE 1 = 0"},
    },
    UNBEGUN.format("'warehouse'", "ProgrammingError: You can only execute one statement at a time"): {
        "sql-two-statements": {"sql": f"{SQL}; {SQL}"},
    },
    UNBEGUN.format("'warehouse'", 'OperationalError: near "SELEKT": syntax error'): {
        "sql-syntax-error": {"sql": "SELEKT email FROM customers"},
    },
    UNBEGUN.format("'warehouse'", "OperationalError: incomplete input"): {
        "sql-cut-off": {"sql": "SELECT email FROM"},
    },
    UNBEGUN.format("'warehouse'", "OperationalError: no such table: custmers"): {
        "sql-missing-table": {"sql": "SELECT email FROM custmers"},
    },
    UNBEGUN.format("'warehouse'", "OperationalError: no such column: emial"): {
        "sql-missing-column": {"sql": "SELECT emial FROM customers"},
    },
    UNBEGUN.format("'warehouse'", 'OperationalError: unrecognized token: "{"'): {
        "sql-unrendered": {"sql": "SELECT email FROM {{ params.table }}"},
    },
    "The SQL query returns more than one column named city: give each a name of its own (SELECT … AS …).": {
        "sql-columns-twice": {"sql": "SELECT email, city, city FROM customers"},
    },
    (
        "The SQL query returns more than one column named city, email: give each a name of its own "
        "(SELECT … AS …)."
    ): {
        "sql-columns-twice-by-a-join": {"sql": "SELECT * FROM customers a JOIN customers b USING (plan)"},
    },
    (
        "The SQL query returns more than one column named 'z***@leak.example.com\\r\\n': give each a "
        "name of its own (SELECT … AS …)."
    ): {
        "sql-hostile-columns-twice": {"sql": f'SELECT 1 AS "{EMAIL}\r\n", 2 AS "{EMAIL}\r\n"'},
    },
    UNBEGUN.format(
        "'warehouse'",
        "ProgrammingError: Incorrect number of bindings supplied. The * uses 1, and there are 0 supplied",
    ): {
        "parameters-missing": {"sql": f"{SQL} WHERE plan = ?"},
    },
    UNBEGUN.format(
        "'warehouse'",
        "ProgrammingError: Incorrect number of bindings supplied. The * uses 2, and there are 1 supplied",
    ): {
        "parameters-too-few": {"sql": f"{SQL} WHERE plan = ? AND city = ?", "parameters": [1]},
    },
    UNBEGUN.format(
        "'warehouse'",
        "ProgrammingError: Incorrect number of bindings supplied. The * uses 1, and there are 2 supplied",
    ): {
        "parameters-too-many": {"sql": f"{SQL} WHERE plan = ?", "parameters": [1, 2]},
        "parameters-a-text": {"sql": f"{SQL} WHERE plan = ?", "parameters": "12"},
    },
    UNBEGUN.format(
        "'warehouse'",
        "ProgrammingError: Incorrect number of bindings supplied. The * uses 0, and there are 1 supplied",
    ): {
        "parameters-without-a-place": {"parameters": [1]},
    },
    UNBEGUN.format("'warehouse'", "ProgrammingError: You did not supply a value for binding parameter :plan"): {
        "parameters-misnamed": {"sql": f"{SQL} WHERE plan = :plan", "parameters": {"plna": 1}},
    },
    UNBEGUN.format("'warehouse'", "ProgrammingError: Error binding parameter 1: type 'object' is not supported"): {
        "parameters-of-a-kind-unknown": {"sql": f"{SQL} WHERE plan = ?", "parameters": [object()]},
    },
    UNBEGUN.format("'warehouse'", 'OperationalError: near "%": syntax error'): {
        "parameters-of-another-driver": {"sql": f"{SQL} WHERE plan = %s", "parameters": [1]},
    },
    "sql_conn_id is empty: give a connection's id, or check its template.": {
        "sql-conn-id-empty": {"sql_conn_id": ""},
        "sql-conn-id-none": {"sql_conn_id": None},
    },
    "There is no connection 'warehuose' (sql_conn_id): add it, or correct the id.": {
        "sql-conn-id-misspelt": {"sql_conn_id": "warehuose"},
    },
    (
        "The connection 'envoke_default' (sql_conn_id) is not one of a database: its hook is EnvokeHook, "
        "which is not a DbApiHook."
    ): {
        "sql-conn-id-of-envoke": {"sql_conn_id": "envoke_default"},
    },
    (
        "The connection 'web' (sql_conn_id) is not one of a database: its hook is HttpHook, which is not "
        "a DbApiHook."
    ): {
        "sql-conn-id-of-a-web-server": {"sql_conn_id": "web"},
    },
    (
        "No installed provider knows the type of the connection 'odd' (sql_conn_id): install its provider, or "
        "correct the id."
    ): {
        "sql-conn-id-of-an-unknown-type": {"sql_conn_id": "odd"},
    },
    UNBEGUN.format("'nowhere'", "OperationalError: unable to open database file"): {
        "database-file-in-no-folder": {"sql_conn_id": "nowhere"},
    },
    UNBEGUN.format("'text'", "DatabaseError: file is not a database"): {
        "database-file-a-text": {"sql_conn_id": "text"},
    },
    REJECTED.format(
        "missing_key",
        (
            "the row has no value in email, by which its contact is to be found; fill that column in the "
            "query, or choose another keyfield"
        ),
    ): {
        "key-column-missing": {"sql": "SELECT city FROM customers"},
        "key-column-null": {"sql": "SELECT NULL AS email, city FROM customers"},
    },
    REJECTED.format(
        "unknown_field",
        UNSENT.format(
            "EMAIL: not a contact field, but email is one: names are in lower case (in a query: AS email)"
        ),
    ): {
        "key-column-in-capitals": {"sql": "SELECT email AS EMAIL, city FROM customers"},
    },
    REJECTED.format(
        "unknown_field",
        UNSENT.format("CITY: not a contact field, but city is one: names are in lower case (in a query: AS city)"),
    ): {
        "column-in-capitals": {"sql": "SELECT email, city AS CITY FROM customers"},
    },
    REJECTED.format(
        "unknown_field",
        UNSENT.format(
            "plan: not a documented contact field (a custom field is custom_fields.NAME; a field that is "
            "newer than this provider goes into extra_fields)"
        ),
    ): {
        "column-unknown": {"sql": "SELECT email, plan FROM customers"},
    },
    REJECTED.format(
        "unknown_field",
        UNSENT.format(
            "1 + 1: not a documented contact field (a custom field is custom_fields.NAME; a field that is "
            "newer than this provider goes into extra_fields)"
        ),
    ): {
        "column-without-a-name": {"sql": "SELECT email, 1 + 1 FROM customers"},
    },
    REJECTED.format(
        "invalid_value",
        UNSENT.format("city: a value of type bytes cannot be sent as text; convert it in the query"),
    ): {
        "column-a-blob": {"sql": "SELECT email, x'00ff' AS city FROM customers"},
    },
    REJECTED.format("invalid_value", UNSENT.format("city: an infinite number cannot be sent")): {
        "column-infinite": {"sql": "SELECT email, 9e999 AS city FROM customers"},
    },
    REJECTED.format(
        "missing_column",
        (
            "The row has no column 'town', which field_map names; it has 'email', 'city'. Some databases "
            "write names in upper case."
        ),
    ): {
        "map-of-a-missing-column": {"field_map": {"email": "email", "town": "city"}},
    },
    REJECTED.format(
        "missing_column",
        (
            "The row has no column 'EMAIL', 'CITY', which field_map names; it has 'email', 'city'. Some "
            "databases write names in upper case."
        ),
    ): {
        "map-of-columns-in-capitals": {"field_map": {"EMAIL": "email", "CITY": "city"}},
    },
    "There are no rows, and on_empty is 'fail': check the query.": {
        "no-rows-to-fail": {"sql": f"{SQL} WHERE 1 = 0", "on_empty": "fail"},
    },
}


@pytest.fixture
def filled(
    sandbox: MarkedSandbox, warehouse: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> MarkedSandbox:
    """A table with one marked row, and connections of the wrong kinds."""
    warehouse([(EMAIL, "Markedova", 1)])
    (tmp_path / "text").write_text("this is no database, and it is longer than a header" * 20)
    for name, parts in {
        "web": {"conn_type": "http", "host": "localhost"},
        "odd": {"conn_type": "nobodys_database", "host": "localhost"},
        "nowhere": {"conn_type": "sqlite", "host": str(tmp_path / "no" / "folder.sqlite")},
        "text": {"conn_type": "sqlite", "host": str(tmp_path / "text")},
    }.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(parts))
    return sandbox


@pytest.mark.parametrize(("arguments", "message"), as_params(QUERIES))
@pytest.mark.usefixtures("airflow_db")
def test_a_query_that_cannot_work_is_told_as_such(
    arguments: dict[str, Any], message: str, filled: MarkedSandbox
) -> None:
    run = context()

    check_refused(lambda: operator(**arguments).execute(run), message, filled)

    report = run["ti"].pushed.get("return_value")
    assert report is None or (report["rows"] == report["rejected"] and leaks(json.dumps(report)) == [])


def test_no_rows_are_a_skip_if_asked(filled: MarkedSandbox) -> None:
    with pytest.raises(AirflowSkipException, match=r"There are no rows, and on_empty is 'skip'\."):
        operator(sql=f"{SQL} WHERE 1 = 0", on_empty="skip").execute(context())

    assert filled.requests == []


# Databases that fail in the middle


def fill(sandbox: MarkedSandbox, rows: int) -> None:
    sandbox.reset({"id": number, "email": f"p{number}@example.com"} for number in range(1, rows + 1))


def check_done(run: dict[str, Any], sandbox: MarkedSandbox, rows: int, stopped: str) -> None:
    """What was read is in the report, and what the report counts as updated is in Envoke."""
    report = run["ti"].pushed["return_value"]
    assert (report["rows"], report["stopped"]) == (rows, stopped)
    assert report["updated"] + report["reasons"].get("stopped", 0) == rows
    written = sum(contact["city"] == "Alma" for contact in sandbox.contacts)
    unconfirmed = written - report["updated"]
    assert 0 <= unconfirmed <= 8, "no more than were under way"
    assert report["updated"] > 0
    assert leaks(json.dumps(report)) == []


@pytest.mark.timeout(60)
def test_a_query_that_fails_in_the_middle_keeps_what_was_done(
    sandbox: MarkedSandbox, warehouse: Callable[..., None]
) -> None:
    fill(sandbox, 2_500)
    warehouse([(f"p{number}@example.com", "Alma", number) for number in range(1, 2_501)])
    fails = "CASE WHEN plan = 2400 THEN abs(-9223372036854775807 - 1) ELSE city END AS city"
    run = context()

    with pytest.raises(EnvokeSyncError) as caught:
        operator(sql=f"SELECT email, {fails} FROM customers").execute(run)

    check_message(caught.value, FAILED.format("'warehouse'", 2_000, "OperationalError: integer overflow"))
    check_done(run, sandbox, 2_000, "EnvokeSyncError")


@pytest.mark.timeout(60)
def test_a_backend_of_postgresql_that_is_terminated_keeps_what_was_done(
    sandbox: MarkedSandbox, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(sandbox, 3_000)
    numbers = "generate_series(1, 3000) AS number"
    postgres.execute(f"INSERT INTO envoke_customers SELECT 'p'||number||'@example.com', 'Alma' FROM {numbers}")
    connection = BaseHook.get_hook("warehouse").get_conn()
    pid = connection.info.backend_pid
    monkeypatch.setattr("airflow.providers.postgres.hooks.postgres.PostgresHook.get_conn", lambda _: connection)
    task, run = operator(sql="SELECT email, city FROM envoke_customers"), context()
    rows = QueryRows(BaseHook.get_hook("warehouse"), "warehouse", task.sql)

    def read() -> Any:
        for number, row in enumerate(rows):
            if number == 500:
                postgres.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
            yield row

    with pytest.raises(EnvokeSyncError) as caught:
        task.sync(run, read())

    # psycopg says by whose command; psycopg2 only that the server closed the connection.
    check_message(caught.value, FAILED.format("'warehouse'", 1_000, "*: *connection*"))
    check_done(run, sandbox, 1_000, "EnvokeSyncError")
    assert connection.closed


# What the person on call reads -> what PostgreSQL was asked.
POSTGRESQL: dict[str, dict[str, str]] = {
    UNBEGUN.format("'warehouse'", 'UndefinedTable: relation "custmers" does not exist'): {
        "postgresql-missing-table": "SELECT email FROM custmers",
    },
    UNBEGUN.format("'warehouse'", 'SyntaxError: syntax error at or near "envoke_customers"'): {
        "postgresql-syntax-error": "SELECT email FORM envoke_customers",
    },
    UNBEGUN.format("'warehouse'", 'SyntaxError: syntax error at or near "DELETE"'): {
        "postgresql-not-a-select": "DELETE FROM envoke_customers WHERE false",
    },
    UNBEGUN.format("'warehouse'", "InvalidTextRepresentation: invalid input syntax for type integer: …"): {
        "postgresql-value-in-the-error": "SELECT email::int FROM envoke_customers",
    },
    UNBEGUN.format("'warehouse'", "InvalidDatetimeFormat: invalid input syntax for type date: …"): {
        "postgresql-quoted-value-in-the-error": "SELECT (''''||city||'\" O''Brien')::date FROM envoke_customers",
    },
    UNBEGUN.format("'warehouse'", "RaiseException: no such person: z***@leak.example.com"): {
        "postgresql-value-in-an-exception": "SELECT envoke_tell(email) FROM envoke_customers",
    },
    UNBEGUN.format("'warehouse'", "UniqueViolation: duplicate key value violates unique constraint …"): {
        "postgresql-unique-violation": "SELECT envoke_insert(email) FROM envoke_customers",
    },
    "The SQL query returns more than one column named email: give each a name of its own (SELECT … AS …).": {
        "postgresql-columns-twice": "SELECT email, email FROM envoke_customers",
    },
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("sql", "message"), as_params(POSTGRESQL))
def test_what_postgresql_says_is_told_without_a_row_s_values(
    sql: str, message: str, sandbox: MarkedSandbox, postgres: Any
) -> None:
    postgres.execute("INSERT INTO envoke_customers (email, city) VALUES (%s, 'Markedova')", [EMAIL])
    postgres.execute("ALTER TABLE envoke_customers ADD UNIQUE (email)")
    postgres.execute(
        "CREATE FUNCTION envoke_tell(text) RETURNS int LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no such person: %', $1 USING DETAIL = 'Markedova'; END $$"
    )
    postgres.execute(
        "CREATE FUNCTION envoke_insert(text) RETURNS int LANGUAGE sql AS "
        "$$ INSERT INTO envoke_customers (email) VALUES ($1); SELECT 1 $$"
    )

    check_refused(lambda: operator(sql=sql).execute(context()), message, sandbox)


def test_a_database_that_cannot_be_reached_is_told_as_such(
    sandbox: MarkedSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg2")
    nobody = {"conn_type": "postgres", "host": "127.0.0.1", "port": 9, "login": "x", "password": API_KEY}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(nobody))

    check_refused(
        lambda: operator().execute(context()),
        UNBEGUN.format("'warehouse'", "OperationalError: *, port 9 failed: Connection refused"),
        sandbox,
    )
