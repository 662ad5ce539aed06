"""Turns what templates and XComs render to into dicts and rows."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.fields import GROUPS
from airflow_provider_envoke.envoke.messages import Violation, describe, shown_name
from airflow_provider_envoke.envoke.values import describe_json_error, read_json_object
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError
from airflow_provider_envoke.payload.columns import check_unique

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_DOTS = 5  # packages above a class, in a message

_INSTEAD = {
    "payload": "payload=query.output for one row, or .expand(payload=query.output) for many",
    "rows": "rows=query.output",
}
_NO_COLUMN_NAMES = (
    "Rows that are tuples have no column names: give the query's task handler=rows_as_dicts "
    "(from airflow_provider_envoke.operators.envoke)."
)

_SWITCHES = {"true": True, "false": False}

# What templates render a missing value to. It must not be written into a contact.
_RENDERED_NULLS = frozenset({"None", "nan", "NaN", "NaT", "<NA>"})
_NULLS_INSTEAD = "check the template and its XCom, or pass the value itself as an XComArg"


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
        raise EnvokeDataError(
            "payload is None: the upstream query returned no row, or the template reads another task. If no row "
            "is normal, skip this task then (for example with @task.short_circuit), or map it over the rows with "
            ".expand(payload=…), which makes no task of no rows."
        )
    if not isinstance(value, dict):
        raise EnvokeDataError(f"payload must be one row as a dict, not {type(value).__name__}.")
    return value


def read_rows(value: Any) -> Iterable[Any]:
    """
    Return the rows that an operator's ``rows`` argument stands for; they are not copied, and not checked.

    It may be any iterable, such as the lazy sequence that Airflow passes for the output of a mapped task, a pandas
    or polars ``DataFrame``, or a text, as in :func:`read_payload`.

    :raises EnvokeDataError: if it is anything else, or a data frame with two columns of one name.
    """
    if isinstance(value, str):
        value = _parse("rows", value)
    if value is None:
        raise EnvokeDataError("rows is None: the upstream task returned nothing, or the task id is wrong.")
    if callable(getattr(value, "to_dicts", None)):  # polars
        value = value.to_dicts()
    elif callable(getattr(value, "to_dict", None)) and hasattr(value, "columns"):  # pandas
        check_unique("The data frame has", value.columns, "(DataFrame.rename)")
        value = value.to_dict("records")
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping):
        raise EnvokeDataError(f"rows must be an iterable of dicts, such as a list, not {type(value).__name__}.")
    return value


def read_switch(argument: str, value: object) -> bool:
    """
    Return an argument that is on or off: a bool, or the text that a template renders one to.

    :raises EnvokeConfigError: if it is anything else, so that no misspelled text counts as off, or as on.
    """
    if isinstance(value, str):
        value = _SWITCHES.get(value.strip().lower())
    if not isinstance(value, bool):
        raise EnvokeConfigError(
            f"{argument} must be True or False. A template must render to one of these words: check its "
            "parameter, variable or XCom."
        )
    return value


def check_rendered_nulls(argument: str, value: object) -> None:
    """
    Refuse the texts that templates render missing values to, before "None" is sent as somebody's name.

    :param argument: the operator's argument, for the message.
    :param value: what it rendered to: a text, a list, or a dict of field -> value.
    :raises EnvokeDataError: naming each field that holds one.
    """
    if isinstance(value, list | tuple):
        value = {f"{argument}[{number}]": each for number, each in enumerate(value)}
    texts = _texts_in(value) if isinstance(value, Mapping) else [(argument, value)]
    message = f"a template in {argument} rendered a missing value to a text such as None; {_NULLS_INSTEAD}"
    violations = [
        Violation(name, "rendered_null", message)
        for name, text in texts
        if isinstance(text, str) and text.strip() in _RENDERED_NULLS
    ]
    if violations:
        raise EnvokeDataError(describe(violations), tuple(violations))


def check_rendered_rows(rows: Iterable[Any]) -> None:
    """Refuse rows that are written in a DAG and hold a rendered null; see :func:`check_rendered_nulls`."""
    for number, row in enumerate(rows, start=1):
        if isinstance(row, Mapping):
            check_rendered_nulls(f"row {number} of rows", row)


def check_rendered_arguments(task: Any) -> None:
    """
    Refuse the rendered nulls in what both sync operators share; see :func:`check_rendered_nulls`.

    The other templated arguments are refused as unknown words, numbers or connections.
    """
    check_rendered_nulls("static_fields", task.static_fields)
    check_rendered_nulls("rejects_path", task.rejects_path)
    if isinstance(task.field_map, Mapping):
        check_rendered_nulls("field_map", {str(target): "" for target in task.field_map.values()})


def _texts_in(fields: Mapping[Any, object]) -> Iterator[tuple[str, object]]:
    """Yield everything that could be a rendered null, with its field: values, and names and values of members."""
    for name, value in fields.items():
        yield shown_name(name), value
        group, dot, member = name.partition(".") if isinstance(name, str) else ("", "", "")
        if dot:
            yield shown_name(name), member
        elif group.lower() in GROUPS:
            yield from _texts_in_group(group, value)


def _texts_in_group(group: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, str):
        with suppress(EnvokeDataError):  # reported when the payload is built
            value = read_json_object(value)
    if isinstance(value, Mapping):
        for member, text in value.items():
            label = shown_name(f"{group}.{member}")
            yield label, member
            yield label, text
    elif isinstance(value, list | tuple | set | frozenset):
        for member in value:
            yield group, member


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
    breaks = describe_json_error(text)
    if breaks:
        return (
            f"{argument} is a JSON text that breaks at {breaks}. Correct the text. If a template fills in values, "
            f"let it write them as JSON ({{{{ … | tojson }}}}), or pass the value itself as an XComArg "
            f"({_INSTEAD[argument]})."
        )
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
