"""What JSON cannot represent, named for a message without its values."""

from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING

from airflow_provider_envoke.envoke.messages import shown_name
from airflow_provider_envoke.envoke.values import is_unicode

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_NAMED = 5
_MAX_DEPTH = 20
_MAX_SHOWN_CHARS = 160


def describe_not_json(value: object) -> str:
    """
    Name the first things in a dict that JSON cannot represent: ``custom_fields.joined: date; feedback: bytes``.

    :return: ``""`` if nothing is found.
    """
    return "; ".join(islice(_found_in(value, ()), _MAX_NAMED))


def _found_in(value: object, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, dict | list | tuple):
        yield from _found_in_members(value, path)
        return
    problem = _problem_with(value)
    if problem:
        yield f"{_shown(path)}: {problem}"


def _found_in_members(
    group: dict[object, object] | list[object] | tuple[object, ...], path: tuple[str, ...]
) -> Iterator[str]:
    if len(path) == _MAX_DEPTH:
        yield f"{_shown(path[:1])}: it contains itself or is nested too deeply"
        return
    for name, member in group.items() if isinstance(group, dict) else enumerate(group):
        if not isinstance(name, str | int | float | None):  # what it is made of may be a value
            yield f"{_shown(path) or 'the payload'}: a name of type {type(name).__name__}"
            continue
        inner = (*path, shown_name(name))
        if isinstance(name, str) and not is_unicode(name):
            yield f"{_shown(inner)}: a name with a lone surrogate"
        yield from _found_in(member, inner)


def _problem_with(value: object) -> str:
    if isinstance(value, str):
        return "" if is_unicode(value) else "text with a lone surrogate"
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN or infinite"
    return "" if isinstance(value, int | float | None) else type(value).__name__


def _shown(path: tuple[str, ...]) -> str:
    return ".".join(path)[:_MAX_SHOWN_CHARS]
