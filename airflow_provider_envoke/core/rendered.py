"""What templates, XComs and JSON columns leave behind becomes a dict."""

from __future__ import annotations

import ast
import json
from collections import Counter
from decimal import Decimal
from typing import Any

from airflow_provider_envoke.core.fields import Violation, describe
from airflow_provider_envoke.core.masking import shown_name
from airflow_provider_envoke.exceptions import EnvokeDataError

#: A class is rarely further down in its packages.
_MAX_DOTS = 5
_MAX_SHOWN = 300

_INSTEAD = (
    "Pass the value itself instead of a template: an XComArg such as payload=query.output, or "
    ".expand(payload=query.output) for many rows; or turn the value into text in the SQL (CAST … AS VARCHAR)"
)


def read_payload(value: object) -> dict[str, Any]:
    """
    Return the dict that an operator's ``payload`` argument stands for.

    Taken are a dict (an ``XComArg`` arrives as one), a JSON object, and the ``repr`` of a Python dict, which is
    what Jinja makes of ``"{{ ti.xcom_pull(task_ids='query')[0] }}"``.

    :raises EnvokeDataError: if it is anything else; the message says what to write instead, without values.
    """
    if isinstance(value, str):
        value = _parse("payload", value)
    if isinstance(value, list | tuple):
        raise EnvokeDataError(
            f"payload is a list of {len(value)}, not one row: take one ({{{{ ti.xcom_pull(…)[0] }}}}), or map the "
            "task over the rows with .expand(payload=…). Rows that came as tuples lack their column names: give "
            "the query's task handler=rows_as_dicts (airflow_provider_envoke.core.rows)."
        )
    if value is None:
        raise EnvokeDataError("payload is None: the upstream task returned no row, or another task id was meant.")
    if not isinstance(value, dict):
        raise EnvokeDataError(f"payload has to be one row as a dict, not {type(value).__name__}.")
    return value


def read_rows(value: object) -> list[dict[str, Any]]:
    """
    Return the list of dicts that an operator's ``rows`` argument stands for; see :func:`read_payload`.

    :raises EnvokeDataError: if it is anything else; the message says what to write instead, without values.
    """
    if isinstance(value, str):
        value = _parse("rows", value)
    if not isinstance(value, list | tuple):
        raise EnvokeDataError(f"rows has to be a list of dicts, not {type(value).__name__}.")
    wrong = next((number for number, row in enumerate(value, start=1) if not isinstance(row, dict)), None)
    if wrong is not None:
        raise EnvokeDataError(
            f"rows has to be a list of dicts, but row {wrong} is {type(value[wrong - 1]).__name__}. Rows that "
            "came as tuples lack their column names: give the query's task handler=rows_as_dicts "
            "(airflow_provider_envoke.core.rows)."
        )
    return list(value)


def read_json_object(text: str) -> Any:
    """Return what a JSON text says, numbers with their places kept; the text itself if it is not JSON."""
    try:
        return json.loads(text, parse_float=Decimal, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = ", ".join(shown_name(name) for name, count in counts.items() if count > 1)
        raise EnvokeDataError(f"The JSON text names a field twice ({twice[:_MAX_SHOWN]}): give it one value.")
    return members


def _parse(argument: str, text: str) -> Any:
    if not text.strip():
        raise EnvokeDataError(f"{argument} rendered to nothing: check the template and what its XCom holds.")
    value = read_json_object(text)
    if value is text:
        value = _read_repr(text)
    if value is text:
        raise EnvokeDataError(_unreadable(argument, text))
    return value


def _read_repr(text: str) -> Any:
    """Return what the repr of Python literals says; the text itself if it is none."""
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):  # TypeError: a dict as a key, {{…}}
        return text


def _unreadable(argument: str, text: str) -> str:
    """Name the construct that a literal cannot hold, such as ``datetime.date(…)``; nothing else of the text."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return f"{argument} is a text that is neither JSON nor the repr of a Python value. {_INSTEAD}."
    calls = sorted({_dotted(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)})
    names = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & {"nan", "inf", "NaT"})
    found = ", ".join([f"{name}(…)" for name in calls] + names)
    if not found:
        return f"{argument} is a text that is neither JSON nor the repr of a Python value. {_INSTEAD}."
    return (
        f"{argument} is the repr of a Python value that holds {found}, which a template cannot carry. {_INSTEAD}."
    )


def _dotted(node: ast.expr) -> str:
    names: list[str] = []
    while isinstance(node, ast.Attribute) and len(names) < _MAX_DOTS:
        names.append(node.attr)
        node = node.value
    names.append(node.id if isinstance(node, ast.Name) else "…")
    return ".".join(reversed(names))


#: What templates make of a missing value: nobody's name, and not to be written into anybody's contact.
_RENDERED_NULLS = frozenset({"None", "nan", "NaN", "NaT", "<NA>"})


def check_rendered_nulls(payload: dict[str, Any]) -> None:
    """
    Refuse the texts that templates make of missing values, before "Hello None" goes out.

    :raises EnvokeDataError: naming each field that holds one.
    """
    flat = {
        f"{name}.{member}" if member else str(name): text
        for name, value in payload.items()
        for member, text in (value.items() if isinstance(value, dict) else ((None, value),))
    }
    violations = [
        Violation(
            name, "rendered_null", "the text that a template makes of a missing value; pass the row itself instead"
        )
        for name, text in flat.items()
        if isinstance(text, str) and text.strip() in _RENDERED_NULLS
    ]
    if violations:
        raise EnvokeDataError(describe(violations), violations)
