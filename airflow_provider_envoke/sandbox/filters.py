"""``filter[email][$in][]=…``: PHP's nested query parameters, and MongoDB's operators (article 1674395)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.sandbox.store import contact_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_provider_envoke.sandbox.store import Contact, ContactStore

    Test = Callable[[Contact], bool]

_NESTED = re.compile(r"\[([^\]]*)\]")


class FilterError(ValueError):
    """A filter that the service refuses; the text is the service's message."""


def read_nested(prefix: str, query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return ``prefix[a][b]=c`` as ``{"a": {"b": "c"}}``; ``[]`` counts upwards, as in PHP."""
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
    Return the contacts that match all filters, in the order of their ids.

    :raises FilterError: if an operator does not exist or a value is not valid.
    """
    tests = [_test(name, condition) for name, condition in filters.items()]
    contacts: Iterable[Contact] = store.contacts.values()
    for field in ("id", "email", "remote_id"):
        values = _values(filters.get(field))
        if values is not None:
            contacts = [store.contacts[number] for number in sorted(store.ids(field, values))]
            break
    return [contact for contact in contacts if all(test(contact) for test in tests)] if tests else contacts


def _values(condition: Any) -> list[str] | None:
    """Return the values of an equality or an ``$in``, which an index can answer."""
    if isinstance(condition, str):
        return [condition]
    if isinstance(condition, dict) and isinstance(condition.get("$in"), dict):
        return list(condition["$in"].values())
    return None


def _test(name: str, condition: Any) -> Test:
    if name in ("$and", "$or"):
        if not isinstance(condition, dict) or not all(isinstance(branch, dict) for branch in condition.values()):
            raise FilterError(f"'{name}' takes a list of filters")
        branches = [[_test(field, inner) for field, inner in branch.items()] for branch in condition.values()]
        combine = all if name == "$and" else any
        return lambda contact: combine(all(test(contact) for test in branch) for branch in branches)
    if isinstance(condition, str):
        return _compare(name, "$in", {_plain(name, condition)})
    tests = [_compare(name, operator, _operand(name, operator, value)) for operator, value in condition.items()]
    return lambda contact: all(test(contact) for test in tests)


def _operand(name: str, operator: str, value: Any) -> Any:
    if operator == "$in":
        if not isinstance(value, dict) or not all(isinstance(member, str) for member in value.values()):
            raise FilterError("'$in' takes a list of values")
        return {_plain(name, member) for member in value.values()}
    if not isinstance(value, str):
        raise FilterError(f"'{operator}' takes one value")
    if operator == "$regex":
        try:
            return re.compile(value, re.IGNORECASE)
        except (re.error, OverflowError):
            raise FilterError("'$regex' is not a valid expression") from None
    return _plain(name, value)


def _compare(name: str, operator: str, operand: Any) -> Test:
    tests: dict[str, Callable[[Any], bool]] = {
        "$in": lambda value: value in operand,
        "$ne": lambda value: value != operand,
        "$regex": lambda value: operand.search(str(value)) is not None,
        "$gt": lambda value: value > operand,
        "$lt": lambda value: value < operand,
        "$gte": lambda value: value >= operand,
        "$lte": lambda value: value <= operand,
    }
    if operator not in tests:
        raise FilterError(f"Operator '{operator}' is not supported for '{name}'")
    test = tests[operator]
    # In MongoDB a list is "not equal" to a value if none of its members is equal.
    combine = all if operator == "$ne" else any
    return lambda contact: combine(test(_plain(name, value)) for value in _field(contact, name))


def _field(contact: Contact, name: str) -> list[Any]:
    """Return a field's values: several for tags."""
    group, _, member = name.partition(".")
    value = contact.get(group)
    if member and isinstance(value, dict):
        value = value.get(member)
    return value if isinstance(value, list) else [value]


def _plain(name: str, value: Any) -> Any:
    """Make values comparable: ids as numbers, addresses and consent without case, everything else as text."""
    text = "" if value is None else str(value)
    if name == "id":
        return contact_id(text)
    return text.lower() if name in ("email", "consent_status") else text
