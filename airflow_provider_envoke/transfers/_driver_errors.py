"""
What a database driver's error is: its SQLSTATE or number, and whether the query itself is at fault.

What is not surely permanent counts as temporary, so that Airflow retries it.
"""

from __future__ import annotations

import re

from airflow_provider_envoke.transfers._drivers import MYSQL, drivers_of

_SQLSTATE = re.compile(r"[0-9A-Z]{5}")
_SQLSTATE_IN_TEXT = re.compile(r"SQLSTATE: ([0-9A-Z]{5})\b")  # Databricks

#: Classes of SQLSTATE: wrong number of parameters, unsupported, several rows for one value, value, login, unknown
#: database or schema, statement. A wrong login is permanent, as Envoke's own is: it does not become right, and
#: databases lock an account that tries it often.
_PERMANENT_STATES = ("07", "0A", "21", "22", "28", "3D", "3F", "42")
#: PostgreSQL: a prepared statement is missing, or there already, as behind PgBouncer. A new connection helps.
_PREPARED_STATES = ("26000", "42P05")
#: Connection, rollback (deadlock), resources, locks, intervention (cancelled, shutdown), system, internal; and
#: what may be different the next time: a key that is taken, and what a function of the user raises.
_TEMPORARY_STATES = ("08", "40", "53", "55", "57", "58", "XX", "23", "45", "P0")
#: Those of a connection that cannot be opened: login, unknown database.
_LOGIN_STATES = ("28", "3D")

#: MySQL: access denied (database, user), unknown database.
_MYSQL_LOGIN = frozenset({1044, 1045, 1049})
#: MySQL: names, syntax, placeholders and permissions of a statement.
_MYSQL_PERMANENT = _MYSQL_LOGIN | {1052, 1054, 1064, 1066, 1109, 1142, 1143, 1146, 1210, 1305, 1318, 1370}
#: MySQL: too many connections or queries, disk full, shutdown, lock wait, deadlock, interrupted, too long. Some of
#: them have the SQLSTATE of a wrong statement. From 2000 on they are the client's, such as a lost connection.
_MYSQL_TEMPORARY = frozenset(
    {1021, 1040, 1053, 1114, 1203, 1205, 1213, 1226, 1317, 1969, 3024, *range(2000, 3000)}
)

#: SQL Server: syntax, names, permissions, values and conversions. Its other errors are retried: many that are
#: temporary, such as those of Azure, have the SQLSTATE and the class of a wrong statement.
_SQL_SERVER_LOGIN = frozenset({18456})
_SQL_SERVER_PERMANENT = _SQL_SERVER_LOGIN | frozenset(
    {102, 105, 156, 170, 207, 208, 209, 213, 229, 230, 241, 242, 245, 911, 916, 2812, 4104, 8114, 8115, 8120, 8134}
)
_SQL_SERVER_NUMBER = re.compile(r"\((\d{1,5})\) \(SQL")  # as ODBC's driver writes it

#: Trino: errors of the user's class that a retry can help.
_TRINO_TEMPORARY = frozenset(
    {"ABANDONED_QUERY", "ADMINISTRATIVELY_KILLED", "ADMINISTRATIVELY_PREEMPTED", "GENERIC_USER_ERROR"}
    | {"TRANSACTION_CONFLICT", "USER_CANCELED"}
)
#: BigQuery: reasons of a 400, 403 or 404 that a retry cannot help.
_BIGQUERY_PERMANENT = frozenset({"accessDenied", "invalid", "invalidQuery", "notFound", "parseError"})
_BIGQUERY_CLASSES = frozenset({"BadRequest", "Forbidden", "NotFound"})

#: Classes of DB-API. Not IntegrityError: a key that is taken may be one that another run has just written.
_PERMANENT_CLASSES = frozenset({"ProgrammingError", "DataError", "NotSupportedError"})

_SQLITE_TEXTS = re.compile(
    r'no such |ambiguous column|near ".*": syntax error|unrecognized token|incomplete input|wrong number of arg'
    r"|misuse of |You can only execute one statement|Could not decode to UTF-8|.*binding parameter"
)
_ORACLE_LOGIN = re.compile(r"ORA-01017\b")
#: Syntax and names, placeholders, permissions, subqueries, numbers, dates, PL/SQL.
_ORACLE_PERMANENT = re.compile(r"ORA-(009\d\d|01008|01017|01031|01036|01427|01476|01722|018[3-6]\d|06550|06553)\b")
_POSTGRESQL_LOGIN = re.compile(r'FATAL: +((database|role) ".*" does not exist|password authentication failed)')


def state_of(error: BaseException) -> str:
    """Return the SQLSTATE, or ``""`` if the error has none. Errors of ODBC have it as their first argument."""
    first = error.args[0] if error.args else None
    if isinstance(first, dict):  # of redshift_connector and pg8000
        first = first.get("C")
    found = (getattr(error, "sqlstate", None), getattr(error, "pgcode", None), first)
    return next((each for each in found if isinstance(each, str) and _SQLSTATE.fullmatch(each)), "")


def number_of(error: BaseException) -> int | None:
    """Return MySQL's error number."""
    number = error.args[0] if packages_of(error) & MYSQL and error.args else None
    return number if isinstance(number, int) else None


def packages_of(error: BaseException) -> set[str]:
    """Return the packages of an error's classes; of Python's own errors only ``builtins``."""
    return (drivers_of(error) - {"builtins"}) or {"builtins"}


def class_names(error: BaseException) -> set[str]:
    """Return the names of an error's classes."""
    return {kind.__name__ for kind in type(error).__mro__}


def is_wrong_login(error: BaseException) -> bool:
    """Whether a connection cannot be opened because the database does not know the user, or does not exist."""
    text = str(error)
    return (
        state_of(error).startswith(_LOGIN_STATES)
        or number_of(error) in _MYSQL_LOGIN
        or _sql_server_number(error) in _SQL_SERVER_LOGIN
        or bool(_POSTGRESQL_LOGIN.search(text) or _ORACLE_LOGIN.search(text))
    )


def is_permanent(error: BaseException) -> bool:
    """Whether a statement fails in the same way when it runs again: the statement or a value in it is wrong."""
    if error.args and isinstance(error.args[0], Exception):  # as BigQuery's DB-API wraps the service's errors
        return is_permanent(error.args[0])
    found = _by_driver(error)
    if found is not None:
        return found
    in_text = _SQLSTATE_IN_TEXT.search(str(error))
    state = state_of(error) or (in_text[1] if in_text else "")
    if state.startswith((*_TEMPORARY_STATES, *_PREPARED_STATES)) or "cached plan must not change" in str(error):
        return False
    return state.startswith(_PERMANENT_STATES) or bool(class_names(error) & _PERMANENT_CLASSES)


def _by_driver(error: BaseException) -> bool | None:
    """Return what the numbers, names and texts of a driver say; ``None`` if they do not say it."""
    packages, names, text = packages_of(error), class_names(error), str(error)
    if "sqlite3" in packages and not names & _PERMANENT_CLASSES:
        return getattr(error, "sqlite_errorname", "") == "SQLITE_ERROR" or bool(_SQLITE_TEXTS.match(text))
    if "TrinoUserError" in names:
        return getattr(error, "error_name", None) not in _TRINO_TEMPORARY
    if "google" in packages and names & _BIGQUERY_CLASSES:
        reasons = {each.get("reason") for each in getattr(error, "errors", ()) if isinstance(each, dict)}
        return bool(reasons & _BIGQUERY_PERMANENT) if reasons else "Forbidden" not in names
    number = number_of(error)
    if number in _MYSQL_PERMANENT or number in _MYSQL_TEMPORARY:
        return number in _MYSQL_PERMANENT
    number = _sql_server_number(error)
    if number is not None:
        return number in _SQL_SERVER_PERMANENT
    return True if _ORACLE_PERMANENT.search(text) and "oracledb" in packages else None


def _sql_server_number(error: BaseException) -> int | None:
    """Return SQL Server's error number, which ODBC's driver writes into the text."""
    packages = packages_of(error)
    if "pymssql" in packages and error.args and isinstance(error.args[0], int):
        return error.args[0]
    found = _SQL_SERVER_NUMBER.search(str(error)) if "pyodbc" in packages else None
    return int(found[1]) if found else None
