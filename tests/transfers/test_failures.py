"""What is shown of a driver's error: names of the statement and the connection, but no values of rows."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from airflow_provider_envoke.transfers._failures import query_failed

VALUE = "Jon Smith"


def error_of(driver: str, kind: str, *args: Any, **members: Any) -> Exception:
    """Return an error of a driver's class."""
    error: Exception = type(kind, (Exception,), {"__module__": driver})(*args)
    vars(error).update(members)
    return error


def shown(error: BaseException, *statements: str, parameters: Any = None, count: int | None = 0) -> str:
    message = str(query_failed(error, "warehouse", statements or ["SELECT 1"], parameters, count))
    return message.partition(" with ")[2].partition(" The connection is")[0]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (sqlite3.OperationalError(f"column 'first_name' with text '{VALUE}"), "OperationalError: column …."),
        (
            error_of("_duckdb", "ConversionException", f"string '{VALUE}' to INT32"),
            "ConversionException: string ….",
        ),
        (error_of("MySQLdb", "OperationalError", 1105, f"XPATH: '~{VALUE}'"), "OperationalError: 1105: XPATH: …."),
        (
            error_of("mysql.connector.errors", "DatabaseError", 1105, f"'{VALUE}'", "HY000"),
            "DatabaseError: 1105: ….",
        ),
        (error_of("psycopg", "DataError", f'integer: "{VALUE}\nSmith"', sqlstate="22P02"), "integer: …."),
        (error_of("snowflake.connector", "ProgrammingError", f"value '{VALUE}'", sqlstate="22018"), "value …."),
        (error_of("pyodbc", "DataError", "22018", f"[22018] varchar value '{VALUE}' to"), "varchar value …."),
        (error_of("psycopg", "DataError", f"ungültig: „{VALUE}“", sqlstate="22P02"), "ungültig: …."),
        (
            error_of("psycopg", "DataError", f"field 'a' with ' {VALUE}\nx'", sqlstate="22P02"),
            "DataError: field ….",
        ),
        (error_of("psycopg", "DataError", f"'a'\nKey (name)=('J' {VALUE})", sqlstate="23505"), "DataError: …."),
        (error_of("pyodbc", "DataError", "22018", f"[22018] N'{VALUE}' is"), "22018: [22018] …."),
        (error_of("x", "Error", f"no quotation mark\nDETAIL: '{VALUE}'"), "Error: no quotation mark."),
        (ValueError(f"invalid literal: '{VALUE}'"), "ValueError: invalid literal: …."),
    ],
)
def test_what_may_be_a_value_is_hidden_from_the_first_quotation_mark_on(error: Exception, expected: str) -> None:
    assert VALUE not in shown(error)
    assert shown(error).endswith(expected)


@pytest.mark.parametrize(
    "error",
    [
        error_of("psycopg2.errors", "UndefinedTable", 'relation "custmers"', pgcode="42P01"),
        error_of("psycopg2.errors", "AdminShutdown", 'by "custmers"', pgcode="57P01"),
        error_of("psycopg", "ProgrammingError", "got 'custmers'"),
        error_of("pymysql.err", "OperationalError", 1054, "Unknown column 'custmers'"),
        error_of("MySQLdb", "OperationalError", 2003, "Can't connect to 'custmers'"),
        error_of("pyodbc", "ProgrammingError", "42S02", "[42S02] Invalid object name 'custmers'."),
        error_of("_duckdb", "CatalogException", 'Table "custmers" does not exist'),
        sqlite3.OperationalError('near "custmers": syntax error'),
    ],
    ids=str,
)
def test_names_of_the_statement_and_the_connection_are_shown(error: Exception) -> None:
    assert "custmers" in shown(error)


def test_all_words_are_shown_of_a_connection_that_cannot_be_opened() -> None:
    assert shown(ModuleNotFoundError("No module named 'oracledb'"), count=None).endswith("'oracledb'.")


class Diagnostics:
    source_function = "exec_stmt_raise"


@pytest.mark.parametrize(
    "error",
    [
        error_of("psycopg2.errors", "RaiseException", f"bad row {VALUE}", pgcode="P0001"),
        error_of("psycopg.errors", "UndefinedTable", f"bad row {VALUE}", sqlstate="42P01", diag=Diagnostics()),
        error_of("pymysql.err", "OperationalError", 1644, f"bad row {VALUE}"),
        error_of("mysql.connector.errors", "DatabaseError", 1000, f"bad row {VALUE}", "45000", sqlstate="45000"),
        error_of("_duckdb", "InvalidInputException", f"Invalid Input Error: {VALUE}"),
        error_of("oracledb", "DatabaseError", f"ORA-20001: {VALUE}"),
        error_of("pyodbc", "ProgrammingError", "42000", f"[42000] {VALUE} (50000) (SQLExecDirectW)"),
        error_of("sqlite3", "IntegrityError", VALUE, sqlite_errorname="SQLITE_CONSTRAINT_TRIGGER"),
    ],
    ids=str,
)
def test_of_what_a_function_of_the_user_raises_only_the_class_is_shown(error: Exception) -> None:
    assert shown(error) == f"{type(error).__name__}, whose text may be a value of a row."


def test_the_name_of_a_missing_placeholder_is_shown() -> None:
    assert shown(KeyError("plan"), parameters={"plna": 1}) == "KeyError: 'plan'."
    assert shown(KeyError("plan")) == "KeyError: …."


@pytest.mark.parametrize(
    "error",
    [
        error_of(
            "psycopg2.errors", "InvalidTextRepresentation", "invalid input syntax for integer", pgcode="22P02"
        ),
        error_of("MySQLdb", "OperationalError", 1105, "XPATH syntax error"),
    ],
    ids=str,
)
def test_a_value_that_a_function_cannot_read_is_no_syntax_error_of_the_query(error: Exception) -> None:
    message = str(query_failed(error, "warehouse", ["SHOW a; SHOW b"], [1], 0))

    assert message.endswith("run again.")


def test_several_statements_are_named_as_the_cause_of_mysqls_syntax_error() -> None:
    error = error_of("MySQLdb", "ProgrammingError", 1064, "near 'SELECT 2'")

    assert "split_statements" in str(query_failed(error, "warehouse", ["SELECT 1; SELECT 2"], None, 0))
    assert "split_statements" not in str(query_failed(error, "warehouse", ["SELECT 1 SELECT 2;"], None, 0))


class TrinoUserError(Exception):
    """Stands for the class of Trino's driver."""

    __module__ = "trino.exceptions"


def google_error(kind: str, *reasons: str) -> Exception:
    return error_of("google.api_core.exceptions", kind, "400 text", errors=[{"reason": each} for each in reasons])


#: What fails in the same way when it runs again, and what may not.
PERMANENT = [
    error_of("psycopg2.errors", "UndefinedTable", "x", pgcode="42P01"),
    error_of("psycopg2.errors", "InsufficientPrivilege", "x", pgcode="42501"),
    error_of("psycopg.errors", "InvalidTextRepresentation", "x", sqlstate="22P02"),
    error_of("psycopg.errors", "FeatureNotSupported", "x", sqlstate="0A000"),
    error_of("redshift_connector.error", "ProgrammingError", {"S": "ERROR", "C": "42P01", "M": "x"}),
    error_of("psycopg.errors", "InvalidCatalogName", "x", sqlstate="3D000"),
    error_of("psycopg.errors", "InvalidSchemaName", "x", sqlstate="3F000"),
    error_of("psycopg", "ProgrammingError", "the query has 1 placeholder but 2 parameters were passed"),
    error_of("pymysql.err", "OperationalError", 1054, "Unknown column"),
    error_of("MySQLdb", "ProgrammingError", 1064, "syntax"),
    error_of("mysql.connector.errors", "ProgrammingError", 1146, "no table", "42S02"),
    error_of("MySQLdb", "DataError", 1292, "Incorrect value"),
    error_of("_duckdb", "ProgrammingError", "Catalog Error"),
    error_of("_duckdb", "DataError", "Conversion Error"),
    error_of("oracledb.exceptions", "DatabaseError", "ORA-00942: table or view does not exist"),
    error_of("oracledb.exceptions", "DatabaseError", "ORA-01722: invalid number"),
    error_of("pyodbc", "ProgrammingError", "42S22", "[42S22] Invalid column name (207) (SQLExecDirectW)"),
    error_of("pyodbc", "DataError", "22018", "[22018] Conversion failed (245) (SQLFetch)"),
    error_of("pymssql.exceptions", "OperationalError", 208, b"Invalid object name"),
    error_of("snowflake.connector.errors", "ProgrammingError", "does not exist", sqlstate="42S02"),
    error_of("databricks.sql.exc", "ServerOperationError", "[TABLE_NOT_FOUND] x. SQLSTATE: 42P01"),
    TrinoUserError("line 1:8: Column 'x' cannot be resolved"),
    google_error("BadRequest", "invalidQuery"),
    google_error("NotFound", "notFound"),
    google_error("Forbidden", "accessDenied"),
    error_of("google.cloud.bigquery.dbapi", "DatabaseError", google_error("BadRequest", "invalidQuery")),
    sqlite3.OperationalError("no such column: x"),
    sqlite3.OperationalError('near "SELEKT": syntax error'),
    sqlite3.OperationalError("incomplete input"),
    sqlite3.ProgrammingError("Incorrect number of bindings supplied"),
    sqlite3.Warning("You can only execute one statement at a time."),
]
TEMPORARY = [
    error_of("psycopg.errors", "InvalidSqlStatementName", "x", sqlstate="26000"),
    error_of("psycopg.errors", "DuplicatePreparedStatement", "x", sqlstate="42P05"),
    error_of("psycopg.errors", "FeatureNotSupported", "cached plan must not change result type", sqlstate="0A000"),
    error_of("redshift_connector.error", "ProgrammingError", {"S": "ERROR", "C": "40001", "M": "x"}),
    error_of("redshift_connector.error", "ProgrammingError", {"S": "ERROR", "C": "57014", "M": "x"}),
    error_of("pyodbc", "ProgrammingError", "42000", "[42000] data movement (601) (SQLExecDirectW)"),
    error_of("pyodbc", "ProgrammingError", "42000", "[42000] Cannot open database (4060) (SQLDriverConnect)"),
    error_of("psycopg2.errors", "DeadlockDetected", "x", pgcode="40P01"),
    error_of("psycopg2.errors", "TooManyConnections", "x", pgcode="53300"),
    error_of("psycopg2.errors", "DiskFull", "x", pgcode="53100"),
    error_of("psycopg2.errors", "LockNotAvailable", "x", pgcode="55P03"),
    error_of("psycopg2.errors", "AdminShutdown", "x", pgcode="57P01"),
    error_of("psycopg2.errors", "IoError", "x", pgcode="58030"),
    error_of("psycopg2.errors", "InternalError_", "x", pgcode="XX000"),
    error_of("psycopg2", "OperationalError", "server closed the connection unexpectedly", pgcode=None),
    error_of("psycopg2", "InterfaceError", "connection already closed"),
    error_of("psycopg.errors", "UniqueViolation", "x", sqlstate="23505"),
    error_of("psycopg.errors", "ProgrammingError", "x", sqlstate="P0001"),
    error_of("mysql.connector.errors", "ProgrammingError", 1644, "x", sqlstate="45000"),
    error_of("pymysql.err", "OperationalError", 2013, "Lost connection"),
    error_of("MySQLdb", "OperationalError", 1040, "Too many connections"),
    error_of("MySQLdb", "OperationalError", 1213, "Deadlock found"),
    error_of("mysql.connector.errors", "ProgrammingError", 1203, "too many user connections", sqlstate="42000"),
    error_of("mysql.connector.errors", "DatabaseError", 1114, "The table is full", "HY000"),
    error_of("_duckdb", "OperationalError", "IO Error"),
    error_of("oracledb.exceptions", "DatabaseError", "ORA-00060: deadlock detected"),
    error_of("oracledb.exceptions", "OperationalError", "ORA-03113: end-of-file on communication channel"),
    error_of("pyodbc", "ProgrammingError", "42000", "[42000] not currently available (40613) (SQLExecDirectW)"),
    error_of("pyodbc", "Error", "40001", "[40001] deadlock victim (1205) (SQLExecDirectW)"),
    error_of("pyodbc", "OperationalError", "08S01", "[08S01] Communication link failure"),
    error_of("pymssql.exceptions", "OperationalError", 1205, b"deadlock"),
    error_of("snowflake.connector.errors", "ProgrammingError", "was cancelled", sqlstate="57014"),
    error_of("databricks.sql.exc", "ServerOperationError", "the cluster is starting"),
    error_of("trino.exceptions", "TrinoUserError", "killed", error_name="ADMINISTRATIVELY_KILLED"),
    error_of("trino.exceptions", "TrinoQueryError", "no nodes available"),
    google_error("BadRequest", "resourcesExceeded"),
    google_error("Forbidden", "quotaExceeded"),
    google_error("ServiceUnavailable", "backendError"),
    sqlite3.OperationalError("database is locked"),
    sqlite3.OperationalError("disk I/O error"),
    sqlite3.IntegrityError("UNIQUE constraint failed: customers.email"),
    OSError("broken pipe"),
    ValueError("something of a driver's own"),
]


def kind_of(error: BaseException, *, parameters: Any = None, count: int | None = 0) -> str:
    return type(query_failed(error, "warehouse", ["SELECT 1"], parameters, count)).__name__


@pytest.mark.parametrize("count", [0, 2_000])
@pytest.mark.parametrize("error", PERMANENT, ids=repr)
def test_an_error_of_the_query_is_not_retried(error: Exception, count: int) -> None:
    assert kind_of(error, count=count) == "EnvokeQueryError"


@pytest.mark.parametrize("parameters", [None, [1]])
@pytest.mark.parametrize("error", TEMPORARY, ids=repr)
def test_an_error_that_may_pass_is_retried(error: Exception, parameters: Any) -> None:
    assert kind_of(error, parameters=parameters) == "EnvokeSyncError"


def test_wrong_placeholders_are_not_retried() -> None:
    error = TypeError("not all arguments converted during string formatting")

    assert kind_of(error, parameters=[1]) == "EnvokeQueryError"
    assert kind_of(error) == "EnvokeSyncError", "without parameters it is of something else"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (error_of("psycopg2", "OperationalError", 'FATAL:  database "x" does not exist'), "EnvokeQueryError"),
        (error_of("psycopg2", "OperationalError", 'FATAL:  role "x" does not exist'), "EnvokeQueryError"),
        (error_of("psycopg", "OperationalError", "FATAL:  password authentication failed"), "EnvokeQueryError"),
        (error_of("psycopg", "OperationalError", "connection refused"), "EnvokeSyncError"),
        (error_of("psycopg", "OperationalError", "FATAL:  sorry, too many clients already"), "EnvokeSyncError"),
        (error_of("MySQLdb", "OperationalError", 1045, "Access denied"), "EnvokeQueryError"),
        (error_of("MySQLdb", "OperationalError", 1049, "Unknown database"), "EnvokeQueryError"),
        (error_of("MySQLdb", "OperationalError", 2003, "Can't connect"), "EnvokeSyncError"),
        (error_of("oracledb.exceptions", "DatabaseError", "ORA-01017: invalid username"), "EnvokeQueryError"),
        (error_of("oracledb.exceptions", "DatabaseError", "ORA-12514: listener does not know"), "EnvokeSyncError"),
        (error_of("pyodbc", "InterfaceError", "28000", "[28000] Login failed (18456)"), "EnvokeQueryError"),
        (error_of("pyodbc", "OperationalError", "HYT00", "[HYT00] Login timeout"), "EnvokeSyncError"),
        (sqlite3.OperationalError("unable to open database file"), "EnvokeSyncError"),
        (ModuleNotFoundError("No module named 'oracledb'"), "EnvokeSyncError"),
    ],
    ids=repr,
)
def test_a_connection_that_cannot_be_opened_is_retried_unless_its_database_or_user_is_wrong(
    error: Exception, kind: str
) -> None:
    assert kind_of(error, count=None) == kind


def test_the_details_of_an_error_of_redshift_are_not_shown() -> None:
    text = {"S": "ERROR", "C": "42P01", "M": "relation does not exist", "D": VALUE}
    error = error_of("redshift_connector.error", "ProgrammingError", text)

    message = str(query_failed(error, "warehouse", ["SELECT 1"], None, 0))

    assert "relation does not exist" in message
    assert VALUE not in message
