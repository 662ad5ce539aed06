"""Reading contacts: filters, order and pages (article 1697197)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.sandbox.filters import FilterError, read_nested, select

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_envoke.sandbox.store import Contact, ContactStore

_MAX_LIMIT = 100
_MAX_DIGITS = 18  # any such number fits into 64 bits


def list_contacts(store: ContactStore, query: Sequence[tuple[str, str]]) -> list[Contact]:
    """
    Return the page of contacts that a query asks for.

    :raises FilterError: if the query is invalid.
    """
    plain = dict(query)
    limit, skip = _number(plain, "limit", 10), _number(plain, "skip", 0)
    if limit > _MAX_LIMIT:
        raise FilterError(f"'limit' may not be greater than {_MAX_LIMIT}")
    try:
        found = select(store, read_nested("filter", query))
    except RecursionError:
        raise FilterError("The filters are nested too deeply") from None
    contacts = _sorted(found, read_nested("sort", query))
    page = itertools.islice(contacts, skip, skip + limit)
    fields = [name for name in plain.get("fields", "").split(",") if name]
    return [{name: contact.get(name) for name in fields} for contact in page] if fields else list(page)


def _sorted(contacts: Iterable[Contact], orders: Mapping[str, Any]) -> Iterable[Contact]:
    """Sort contacts, which are given in the order of their ids."""
    if list(orders.items()) == [("id", "ASC")]:
        return contacts
    # Sorting is stable, so sorting by the first field last makes it the most important one.
    for name, order in reversed(list(orders.items())):
        contacts = sorted(contacts, key=_sort_key(name), reverse=str(order).upper() == "DESC")
    return contacts


def _sort_key(name: str) -> Any:
    if name == "id":
        return lambda contact: contact["id"]
    return lambda contact: "" if contact.get(name) is None else str(contact[name]).lower()


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal() or len(text) > _MAX_DIGITS:
        raise FilterError(f"'{name}' must be a number")
    return int(text)
