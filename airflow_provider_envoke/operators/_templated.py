"""Turns what templates and XComs render to into dicts and rows."""

from __future__ import annotations

import ast
from typing import Any

from airflow_provider_envoke.envoke.messages import Violation, describe
from airflow_provider_envoke.envoke.values import read_json_object
from airflow_provider_envoke.exceptions import EnvokeDataError

_MAX_DOTS = 5  # packages above a class, in a message

_INSTEAD = {
    "payload": "payload=query.output for one row, or .expand(payload=query.output) for many",
    "rows": "rows=query.output",
}
_NO_COLUMN_NAMES = (
    "Rows that are tuples have no column names: give the query's task handler=rows_as_dicts "
    "(from airflow_provider_envoke.operators.envoke)."
)

# What templates render a missing value to. It must not be written into a contact.
_RENDERED_NULLS = frozenset({"None", "nan", "NaN", "NaT", "<NA>"})


def read_payload(value: object) -> dict[str, Any]:
    """
    Return the dict that an operator's ``payload`` argument stands for.

    It may be a dict (an ``XComArg`` arrives as one), a JSON object, or the ``repr`` of a Python dict, which is
    what Jinja renders ``"{{ ti.xcom_pull(task_ids='query')[0] }}"`` to.

    :raises EnvokeDataError: if it is anything else; the message says what to write instead, without values.
    """
    if isinstance(value, str):
        value = _parse("payload", value)
    if isinstance(value, list | tuple):
        raise EnvokeDataError(
            f"payload is a list of {len(value)}, not one row: take one ({{{{ ti.xcom_pull(…)[0] }}}}), or map the "
            f"task over the rows with .expand(payload=…). {_NO_COLUMN_NAMES}"
        )
    if value is None:
        raise EnvokeDataError("payload is None: the upstream task returned no row, or the task id is wrong.")
    if not isinstance(value, dict):
        raise EnvokeDataError(f"payload must be one row as a dict, not {type(value).__name__}.")
    return value


def read_rows(value: object) -> list[dict[str, Any]]:
    """Return the list of dicts that an operator's ``rows`` argument stands for; see :func:`read_payload`."""
    if isinstance(value, str):
        value = _parse("rows", value)
    if not isinstance(value, list | tuple):
        raise EnvokeDataError(f"rows must be a list of dicts, not {type(value).__name__}.")
    for number, row in enumerate(value, start=1):
        if not isinstance(row, dict):
            raise EnvokeDataError(
                f"rows must be a list of dicts, but row {number} is {type(row).__name__}. {_NO_COLUMN_NAMES}"
            )
    return list(value)


def check_rendered_nulls(payload: dict[str, Any]) -> None:
    """
    Refuse the texts that templates render missing values to, before "Hello None" is sent.

    :raises EnvokeDataError: naming each field that holds one.
    """
    flat = {
        f"{name}.{member}" if member else str(name): text
        for name, value in payload.items()
        for member, text in (value.items() if isinstance(value, dict) else ((None, value),))
    }
    message = "a template rendered a missing value to a text such as None; pass the row itself instead"
    violations = [
        Violation(name, "rendered_null", message)
        for name, text in flat.items()
        if isinstance(text, str) and text.strip() in _RENDERED_NULLS
    ]
    if violations:
        raise EnvokeDataError(describe(violations), tuple(violations))


def _parse(argument: str, text: str) -> Any:
    if not text.strip():
        raise EnvokeDataError(f"{argument} rendered to an empty text: check the template and its XCom.")
    value = read_json_object(text)
    if value is text:
        value = _read_repr(text)
    if value is text:
        raise EnvokeDataError(_unreadable(argument, text))
    return value


def _read_repr(text: str) -> Any:
    """Return the value of a repr of Python literals, or the text itself if it is not one."""
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):  # TypeError: a dict as a key, {{…}}
        return text


def _unreadable(argument: str, text: str) -> str:
    """Name what a literal cannot hold, such as ``datetime.date(…)``, and nothing else of the text."""
    found = _not_literal(text)
    problem = "a text that is neither JSON nor the repr of a Python value"
    if found:
        problem = f"the repr of a Python value with {found}, which a template cannot carry"
    return (
        f"{argument} is {problem}. Pass the value itself instead of a template, as an XComArg "
        f"({_INSTEAD[argument]}), or convert the value to text in the SQL (CAST … AS VARCHAR)."
    )


def _not_literal(text: str) -> str:
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ""
    calls = sorted({_dotted(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)})
    names = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & {"nan", "inf", "NaT"})
    return ", ".join([f"{name}(…)" for name in calls] + names)


def _dotted(node: ast.expr) -> str:
    names: list[str] = []
    while isinstance(node, ast.Attribute) and len(names) < _MAX_DOTS:
        names.append(node.attr)
        node = node.value
    names.append(node.id if isinstance(node, ast.Name) else "…")
    return ".".join(reversed(names))
