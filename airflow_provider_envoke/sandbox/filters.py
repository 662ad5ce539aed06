"""Filters such as ``filter[email][$in][]=…``: nested as in PHP, operators as in MongoDB (article 1674395)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.sandbox.documented import parse_contact_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_provider_envoke.sandbox.store import Contact, ContactStore

    Predicate = Callable[[Contact], bool]

_NESTED = re.compile(r"\[([^\]]*)\]")


class FilterError(ValueError):
    """A query that the service rejects; the text is the service's message."""


def read_nested(prefix: str, query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return ``prefix[a][b]=c`` as ``{"a": {"b": "c"}}``; empty brackets are numbered from 0, as in PHP."""
    tree: dict[str, Any] = {}
    for name, value in query:
        if not name.startswith(f"{prefix}["):
            continue
        keys = _NESTED.findall(name)
        if not keys:
            raise FilterError(f"Invalid parameter '{name}'")
        branch = tree
        for key in keys[:-1]:
            branch = branch.setdefault(key or str(len(branch)), {})
            if not isinstance(branch, dict):
                raise FilterError(f"Invalid parameter '{name}'")
        branch[keys[-1] or str(len(branch))] = value
    return tree


def select(store: ContactStore, filters: Mapping[str, Any]) -> Iterable[Contact]:
    """
    Return the contacts that match all filters, ordered by id.

    :raises FilterError: if an operator is not supported or a value is invalid.
    """
    predicates = [_predicate(name, condition) for name, condition in filters.items()]
    contacts: Iterable[Contact] = store.contacts.values()
    for field in ("id", "email", "remote_id"):
        values = _exact_values(filters.get(field))
        if values is not None:
            contacts = [store.contacts[number] for number in sorted(store.ids(field, values))]
            break
    if not predicates:
        return contacts
    return [contact for contact in contacts if all(matches(contact) for matches in predicates)]


def _exact_values(condition: Any) -> list[str] | None:
    """Return the values of an equality or an ``$in``, which an index can find; ``None`` for other conditions."""
    if isinstance(condition, str):
        return [condition]
    if isinstance(condition, dict) and isinstance(condition.get("$in"), dict):
        return list(condition["$in"].values())
    return None


def _predicate(name: str, condition: Any) -> Predicate:
    if name in ("$and", "$or"):
        if not isinstance(condition, dict) or not all(isinstance(branch, dict) for branch in condition.values()):
            raise FilterError(f"'{name}' takes a list of filters")
        branches = [[_predicate(field, inner) for field, inner in branch.items()] for branch in condition.values()]
        combine = all if name == "$and" else any
        return lambda contact: combine(all(matches(contact) for matches in branch) for branch in branches)
    if isinstance(condition, str):
        return _compare(name, "$in", {_comparable(name, condition)})
    predicates = [
        _compare(name, operator, _operand(name, operator, value)) for operator, value in condition.items()
    ]
    return lambda contact: all(matches(contact) for matches in predicates)


def _operand(name: str, operator: str, value: Any) -> Any:
    if operator == "$in":
        if not isinstance(value, dict) or not all(isinstance(member, str) for member in value.values()):
            raise FilterError("'$in' takes a list of values")
        return {_comparable(name, member) for member in value.values()}
    if not isinstance(value, str):
        raise FilterError(f"'{operator}' takes one value")
    if operator == "$regex":
        try:
            return re.compile(value, re.IGNORECASE)
        except (re.error, OverflowError):
            raise FilterError("'$regex' is not a valid expression") from None
    return _comparable(name, value)


def _compare(name: str, operator: str, operand: Any) -> Predicate:
    comparisons: dict[str, Callable[[Any], bool]] = {
        "$in": lambda value: value in operand,
        "$ne": lambda value: value != operand,
        "$regex": lambda value: operand.search(str(value)) is not None,
        "$gt": lambda value: value > operand,
        "$lt": lambda value: value < operand,
        "$gte": lambda value: value >= operand,
        "$lte": lambda value: value <= operand,
    }
    if operator not in comparisons:
        raise FilterError(f"Operator '{operator}' is not supported for '{name}'")
    compare = comparisons[operator]
    # As in MongoDB, a list is "not equal" to a value if no member is equal to it.
    combine = all if operator == "$ne" else any
    return lambda contact: combine(compare(_comparable(name, value)) for value in _field_values(contact, name))


def _field_values(contact: Contact, name: str) -> list[Any]:
    """Return the values of a field: one for each tag, a single one for most fields."""
    group, _, member = name.partition(".")
    value = contact.get(group)
    if member and isinstance(value, dict):
        value = value.get(member)
    return value if isinstance(value, list) else [value]


def _comparable(name: str, value: Any) -> Any:
    """Return a value in the form that is compared: ids as numbers, email and consent status in lower case."""
    text = "" if value is None else str(value)
    if name == "id":
        return parse_contact_id(text)
    return text.lower() if name in ("email", "consent_status") else text
