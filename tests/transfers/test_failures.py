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
