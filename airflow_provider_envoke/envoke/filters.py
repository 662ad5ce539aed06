"""Search filters (articles 1697197 and 1674395): their names, and how they are written in a query."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.fields import CONTACT_FIELDS, GROUPS, READ_ONLY_FIELDS, Keyfield, nearest_name
from airflow_provider_envoke.envoke.messages import quoted
from airflow_provider_envoke.envoke.values import as_text
from airflow_provider_envoke.exceptions import EnvokeConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Filters = dict[str, Any]

_MAX_FILTER_DEPTH = 10
_FILTER_NAME = re.compile(r"\$?[A-Za-z0-9_.]+")

#: Every field that a contact is read with.
_READ_FIELDS = (*CONTACT_FIELDS, *sorted(READ_ONLY_FIELDS), "consent_effective_date", "consent_expiry")


def key_filters(field: Keyfield, value: Any) -> list[Filters]:
    """
    Return the filters that find the contacts with a key: none if it is empty.

    An email address is asked for as it is spelled and in lower case: it is not documented whether a filter minds
    the case.
    """
    if value in (None, ""):
        return []
    spelled = (value, value.lower()) if field == "email" and isinstance(value, str) else (value,)
    return [{field: each} for each in dict.fromkeys(spelled)]


def check_search(
    filters: object,
    fields: Iterable[str] | None = None,
    sort: object = None,
    extra_fields: Collection[str] = (),
) -> None:
    """
    Refuse names of fields that Envoke does not document: a filter on such a field matches nothing.

    What is wrong in another way is left to :func:`airflow_provider_envoke.envoke.requests.find_contacts`.

    :param extra_fields: names that are accepted too.
    :raises EnvokeConfigError: if a name is unknown; the message has the nearest one.
    """
    if isinstance(extra_fields, str):
        raise EnvokeConfigError("extra_fields must be a list of names.")
    for name in _filtered_fields(filters):
        _check_field(name, "filters", extra_fields)
    if fields is not None:
        for name in field_names(fields):
            _check_field(name, "fields", extra_fields)
    if isinstance(sort, Mapping):
        for name in sort:
            _check_field(name, "sort", extra_fields)


def _filtered_fields(filters: object, depth: int = 0) -> Iterator[object]:
    """Yield the names of the fields of filters, also of those below ``$and`` and ``$or``."""
    if depth > _MAX_FILTER_DEPTH:
        return
    if isinstance(filters, list | tuple):
        for each in filters:
            yield from _filtered_fields(each, depth + 1)
    elif isinstance(filters, Mapping):
        for name, value in filters.items():
            # A list may also be written as PHP has it, with the position as the name.
            if isinstance(name, str) and (name.startswith("$") or (depth and name.isdigit())):
                yield from _filtered_fields(value, depth + 1)
            else:
                yield name


def _check_field(name: object, argument: str, extra_fields: Collection[str]) -> None:
    text = field_name(name)
    group, dot, member = text.partition(".")
    filtered_group = argument == "filters" and group == "custom_fields"
    if text in extra_fields or (filtered_group and member) or (text in _READ_FIELDS and not filtered_group):
        return
    if filtered_group:
        hint = "Write the name of the custom field too: custom_fields.NAME."
    elif dot and group in GROUPS:
        by_tag = f', such as {{"{group}": "NAME OF A TAG"}}' if argument == "filters" else ""
        hint = f"Use {group}{by_tag}."
    else:
        nearest = nearest_name(text, (*_READ_FIELDS, *extra_fields))
        meant = f"Did you mean {nearest}? " if nearest else ""
        hint = f"{meant}Correct it, or list a field that is newer than this provider in extra_fields."
    raise EnvokeConfigError(f"{argument}: {quoted(text)} is not a field that Envoke documents for this. {hint}")


def field_names(names: object) -> list[str]:
    """Return the names of fields if they are valid."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise EnvokeConfigError(f"fields must be a list of field names, not {type(names).__name__}.")
    return [field_name(name) for name in names]


def field_name(name: object) -> str:
    """Return the name of a field or operator if it is valid."""
    if not isinstance(name, str) or not _FILTER_NAME.fullmatch(name):
        raise EnvokeConfigError(
            f"{quoted(name)} is not a valid name of a field or operator. Use ASCII letters, digits, _ and . only."
        )
    return name


def filter_params(prefix: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield the query parameters of a filter, nested in the form that PHP reads."""
    if prefix.count("[") > _MAX_FILTER_DEPTH:
        raise EnvokeConfigError("The filters are nested too deeply. Use field -> {operator: value}.")
    if isinstance(value, dict | list | tuple) and not value:
        # It would not appear in the URL, so every contact of the account would match.
        raise EnvokeConfigError(f"{prefix} is empty, which would match every contact. Remove it or add a value.")
    if isinstance(value, dict):
        for name, member in value.items():
            yield from filter_params(f"{prefix}[{field_name(name)}]", member)
    elif isinstance(value, list | tuple):
        for index, member in enumerate(value):
            suffix = f"[{index}]" if isinstance(member, dict) else "[]"
            yield from filter_params(f"{prefix}{suffix}", member)
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield prefix, _filter_text(prefix, value)
    else:
        raise EnvokeConfigError(
            f"The value of {prefix} must be text or a whole number, not {type(value).__name__}."
        )


def _filter_text(prefix: str, value: str | int) -> str:
    try:
        return as_text(value) or ""
    except ValueError as error:
        raise EnvokeConfigError(f"The value of {prefix} is invalid: {error}.") from None
