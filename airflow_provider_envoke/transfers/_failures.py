"""
What a message says about a query that failed: the driver's words without values of rows, and where to look first.

Drivers quote values and names alike. So a message ends at the first quotation mark, unless what failed shows that
the quoted words are names of the statement or of the connection.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.messages import mask_emails, quoted
from airflow_provider_envoke.exceptions import EnvokeQueryError, EnvokeSyncError
from airflow_provider_envoke.transfers._driver_errors import (
    class_names,
    is_permanent,
    is_wrong_login,
    number_of,
    packages_of,
    state_of,
)
from airflow_provider_envoke.transfers._drivers import MYSQL, POSTGRESQL

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_DRIVER_CHARS = 500

# From the first quotation mark to the end: a value may contain marks, or go on in the next line.
_QUOTED = re.compile(r"""(?<!\w)\w?['"«„“].*|\(.*\)=\(.*\)""")

#: Classes of SQLSTATE: connection, login, unknown database or schema, statement, and the server's interventions.
_NAMING_STATES = ("08", "28", "3D", "3F", "42", "57")
#: MySQL's error numbers for the same, which some drivers have instead; from 2000 on they are the client's.
_NAMING_NUMBERS = {1044, 1045, 1049, 1054, 1064, 1142, 1143, 1146, 1305, 1370, *range(2_000, 3_000)}
_NAMING_CLASSES_OF_DUCKDB = frozenset({"CatalogException", "BinderException", "ParserException", "IOException"})
#: Driver -> classes of the same, for errors without a SQLSTATE.
_NAMING_CLASSES = {
    **dict.fromkeys((*POSTGRESQL, *MYSQL, "sqlite3"), frozenset({"ProgrammingError"})),
    **dict.fromkeys(("duckdb", "_duckdb"), _NAMING_CLASSES_OF_DUCKDB),
}
_NAMING_TEXTS_OF_SQLITE = re.compile(
    r'no such |ambiguous column|near ".*": syntax error$|unrecognized token|unable to open|file is not a database'
)

#: What a function of the user raises: classes of SQLSTATE, MySQL's number, and others by their text.
_RAISED_STATES = ("P0", "45")
_RAISED_NUMBER = 1644
_RAISED_BY_POSTGRESQL = ("exec_stmt_raise", "exec_stmt_assert")
_RAISED_TEXTS = re.compile(r"ORA-20\d{3}|USER_RAISED_EXCEPTION|\(5\d{4}\) \(SQL")  # Oracle, Databricks, SQL Server

_SYNTAX_ERROR_CODES = (1064, "42601", "42000")  # MySQL's number, PostgreSQL's SQLSTATE and that of others
_SYNTAX_ERROR = re.compile(r"syntax|(one|multiple) (sql )?(statement|command)", re.IGNORECASE)
_PLACEHOLDERS = re.compile(r"placeholder|parameter|binding|argument|string formatting|format character")
_SELECT = re.compile(r"(\s|--[^\n]*\n|/\*.*?\*/)*(\(|(select|values|with|table)\b)", re.IGNORECASE | re.DOTALL)


def query_failed(
    error: BaseException, conn_id: str, statements: Sequence[str], parameters: Any, count: int | None
) -> EnvokeSyncError:
    """
    Return the error to raise: an EnvokeQueryError if the query itself is at fault.

    It is not to be chained to the driver's, which may quote a row.

    :param count: how many rows were read; ``None`` if the connection could not be opened.
    """
    when = f"after {count} rows" if count else "before its first row"
    is_of_parameters = bool(parameters) and count == 0 and _is_about_placeholders(error)
    shows_names = _shows_names(error) or (is_of_parameters and packages_of(error) == {"builtins"})
    hints = _hints(error, statements, is_of_parameters=is_of_parameters)
    permanent = is_permanent(error) or (is_of_parameters and packages_of(error) == {"builtins"})
    if count is None:  # no statement ran
        shows_names, hints, permanent = True, [], is_wrong_login(error)
    kind = EnvokeQueryError if permanent else EnvokeSyncError
    advice = "Fix the query or the database" if permanent else "This may be temporary. Check the database"
    return kind(
        f"The query failed {when} with {type(error).__name__}"
        f"{_text_without_values(error, shows_names=shows_names)}. The connection is {quoted(conn_id)} "
        "(sql_conn_id). Nothing was sent to Envoke. " + " ".join([f"{advice} and run again.", *hints])
    )


def _text_without_values(error: BaseException, *, shows_names: bool) -> str:
    """Return the first line of a driver's message. The lines after it are details, which quote rows."""
    text = _text(error)
    if _is_raised(error, text):
        return ", whose text may be a value of a row"
    first = next(iter(text.splitlines()), "no message")
    if not shows_names:
        first = _QUOTED.sub("…", first)
    line = "".join(char if char.isprintable() else " " for char in first)
    return ": " + mask_emails(line)[:_MAX_DRIVER_CHARS].rstrip(".")


def _text(error: BaseException) -> str:
    """Return a driver's message; of MySQL's and ODBC's it is the last one of several arguments."""
    if error.args and isinstance(error.args[0], dict):  # of redshift_connector; its details quote rows
        return str(error.args[0].get("M", "")).strip()
    text = str(error)
    return (": ".join(map(str, error.args)) if text == str(error.args) else text).strip()


def _is_raised(error: BaseException, text: str) -> bool:
    """Whether the text is one of the user's, which may contain values that are not quoted."""
    function = getattr(getattr(error, "diag", None), "source_function", None)
    return (
        state_of(error).startswith(_RAISED_STATES)
        or number_of(error) == _RAISED_NUMBER
        or function in _RAISED_BY_POSTGRESQL
        or getattr(error, "sqlite_errorname", None) == "SQLITE_CONSTRAINT_TRIGGER"
        or type(error).__name__ == "InvalidInputException"  # DuckDB's error() has no other sign
        or bool(_RAISED_TEXTS.search(text))
    )


def _shows_names(error: BaseException) -> bool:
    """Whether the statement or the connection is at fault, so that quoted words are names."""
    state, drivers = state_of(error), packages_of(error)
    if state.startswith(_NAMING_STATES) or number_of(error) in _NAMING_NUMBERS:
        return True
    classes = class_names(error)
    if not state and any(classes & _NAMING_CLASSES.get(driver, frozenset()) for driver in drivers):
        return True
    return "sqlite3" in drivers and bool(_NAMING_TEXTS_OF_SQLITE.match(str(error)))


# What to look at first


def _is_about_placeholders(error: BaseException) -> bool:
    # A placeholder of another style, such as ?, is a syntax error.
    if isinstance(error, KeyError | TypeError | IndexError) or _is_syntax_error(error):
        return True
    classes = class_names(error)
    return bool(classes & {"ProgrammingError", "OperationalError", "ValueError"}) and bool(
        _PLACEHOLDERS.search(str(error))
    )


def _is_syntax_error(error: BaseException) -> bool:
    code = number_of(error) or state_of(error)
    return code in _SYNTAX_ERROR_CODES if code else bool(_SYNTAX_ERROR.search(str(error)))


def _hints(error: BaseException, statements: Sequence[str], *, is_of_parameters: bool) -> list[str]:
    hints = []
    if is_of_parameters:
        hints.append(
            "Compare parameters with the placeholders of the query, which must be in the style of the driver; "
            "if that is %s, write every other % sign as %%."
        )
    if not _is_syntax_error(error):
        return hints
    if any(";" in statement.strip().rstrip("; \n") for statement in statements):
        hints.append("If sql has several statements, set split_statements=True.")
    if packages_of(error) & POSTGRESQL and not _SELECT.match(statements[-1]):
        hints.append("On PostgreSQL the query must be SELECT, VALUES or WITH; other statements can run before it.")
    return hints
