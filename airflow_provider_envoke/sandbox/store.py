"""The sandbox's contacts, and how a write changes them (article 1697226)."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Mapping
from hashlib import md5
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.sandbox.changes import Changes
from airflow_provider_envoke.sandbox.documented import (
    MAX_CONTACT_ID,
    READ_ONLY_FIELDS,
    TAG_FIELDS,
    TEXT_FIELDS,
    documented_status,
    find_consent_errors,
    find_shape_errors,
    parse_contact_id,
)
from airflow_provider_envoke.sandbox.times import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_envoke.sandbox.strict import AccountFields

Contact = dict[str, Any]

_INDEXED_FIELDS = ("email", "remote_id")


class ContactStore:
    """
    The contacts of one account by id, with indexes by email address and remote id.

    Its state: the contacts, in the order of their ids, the two indexes, the highest id so far, and the changes.

    :param contacts: the account's contacts; ``id`` is optional.
    :param duplicate_check: whether two contacts may not share an email address. Envoke's support switches this
        check off for accounts that use ``remote_id`` as the key (article 1697196).
    :param strict: the custom fields and tags that the account has; ``None`` accepts any.
    :param clock: returns the Unix time, in seconds: when a contact is created or changed.
    """

    def __init__(
        self,
        contacts: Iterable[Mapping[str, Any]] = (),
        *,
        duplicate_check: bool = True,
        strict: AccountFields | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.duplicate_check = duplicate_check
        self.strict = strict
        self.clock = clock
        self.changes = Changes(clock)
        self.contacts: dict[int, Contact] = {}
        self._index: dict[str, dict[str, list[int]]] = {}
        self._last_id = 0
        self.replace(contacts)

    def replace(self, contacts: Iterable[Mapping[str, Any]]) -> None:
        """
        Replace all contacts. Consent rules and duplicates are not checked: a real account may already break them.

        :raises ValueError: if two contacts have the same id, or a value is invalid. Nothing is replaced then.
        """
        before = self.contacts, self._index, self._last_id
        self.contacts, self._index, self._last_id = {}, {name: {} for name in _INDEXED_FIELDS}, 0
        try:
            for position, contact in enumerate(contacts, start=1):
                self._add(_check_seed_contact(contact, position))
        except BaseException:
            self.contacts, self._index, self._last_id = before
            raise
        self.contacts = dict(sorted(self.contacts.items()))
        self.changes.clear()

    def find(self, keyfield: str, value: object) -> Contact | None:
        """Return the contact with this key; if several have it, the one with the lowest id [assumed]."""
        ids = self.ids(keyfield, [str(value)])
        return self.contacts[min(ids)] if ids else None

    def ids(self, field: str, values: Iterable[str]) -> set[int]:
        """Return the ids of the contacts whose ``id``, ``email`` or ``remote_id`` is one of these values."""
        if field == "id":
            return {number for value in values if (number := parse_contact_id(value)) in self.contacts}
        index = self._index[field]
        return {number for value in values for number in index.get(_index_key(field, value), ())}

    def create(self, fields: Mapping[str, Any]) -> Contact:
        """Add a contact with the next id."""
        given = {name: value for name, value in fields.items() if name not in READ_ONLY_FIELDS}
        contact = self._add({**given, "date_created": format_time(self.clock())})
        self.changes.record(contact["id"], None)
        return contact

    def update(self, contact: Contact, fields: Mapping[str, Any]) -> None:
        """Set the given fields; custom fields and tags are merged into the contact's own."""
        before = dict(contact)
        self._set(contact, fields)
        if contact != before:
            self.changes.record(contact["id"], before)

    def delete(self, contact: Contact) -> None:
        """Delete a contact; its id is not used again."""
        for name in _INDEXED_FIELDS:
            self._remove_from_index(contact, name)
        del self.contacts[contact["id"]]
        self.changes.record(contact["id"], contact)

    def find_errors(self, fields: Mapping[str, Any], contact: Contact | None) -> list[str]:
        """Return the rules that a write breaks; ``contact`` is the one to update, ``None`` for a new one."""
        return [
            *find_shape_errors(fields),
            *(self.strict.find_errors(fields) if self.strict is not None else ()),
            *find_consent_errors(fields, contact),
            *self._find_email_errors(fields, contact),
        ]

    def _find_email_errors(self, fields: Mapping[str, Any], contact: Contact | None) -> list[str]:
        email = str(fields.get("email") or "")
        if contact is None and not email:
            return ["'email' is required"]
        # It is assumed that the duplicate check also refuses updates, unless they keep the contact's own address.
        is_kept = contact is not None and _index_key("email", contact["email"]) == _index_key("email", email)
        if self.duplicate_check and email and not is_kept and self.ids("email", [email]):
            return [f"Contact with email '{email}' already exists"]
        return []

    def _set(self, contact: Contact, fields: Mapping[str, Any]) -> None:
        for name, value in fields.items():
            if name in READ_ONLY_FIELDS:
                continue
            if name in _INDEXED_FIELDS:
                self._remove_from_index(contact, name)
            contact[name] = _merge(name, contact.get(name), value)
            if name in _INDEXED_FIELDS:
                self._add_to_index(contact, name)

    def _add(self, fields: Mapping[str, Any]) -> Contact:
        number = int(fields.get("id") or self._last_id + 1)
        if number in self.contacts:
            raise ValueError(f"two contacts have the id {number}")
        self._last_id = max(self._last_id, number)
        contact: Contact = {
            "id": number,
            "external_id": fields.get("external_id") or md5(b"%d" % number, usedforsecurity=False).hexdigest(),
            "date_created": fields.get("date_created") or "2026-01-01 00:00:00",
        }
        # Fields without a value are read as empty strings [assumed].
        contact |= dict.fromkeys(TEXT_FIELDS, "") | {"custom_fields": {}} | {name: [] for name in TAG_FIELDS}
        contact["consent_status"] = "Not Provided"
        self.contacts[number] = contact
        self._set(contact, fields)
        return contact

    def _add_to_index(self, contact: Contact, name: str) -> None:
        if contact[name]:
            self._index[name].setdefault(_index_key(name, contact[name]), []).append(contact["id"])

    def _remove_from_index(self, contact: Contact, name: str) -> None:
        key = _index_key(name, contact[name])
        ids = self._index[name].get(key, [])
        if contact["id"] in ids:
            ids.remove(contact["id"])
            if not ids:
                del self._index[name][key]


def read_contacts(content: str | bytes) -> list[Any]:
    """
    Return the contacts of a JSON list. Each of them is checked later, by the store.

    :raises ValueError: if the content is not a JSON list.
    """
    try:
        contacts = json.loads(content, parse_constant=reject_constant)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    if not isinstance(contacts, list):
        raise ValueError("the JSON is not a list")
    return contacts


def reject_constant(name: str) -> None:
    """Raise for ``NaN`` and ``Infinity``, which Python's JSON parser accepts although they are not JSON."""
    raise ValueError(f"{name} is not JSON")


def _check_seed_contact(contact: object, position: int) -> Mapping[str, Any]:
    """Return a given contact; groups that are ``null`` or ``[]`` (how PHP prints an empty object) become empty."""
    if not isinstance(contact, Mapping):
        raise ValueError(f"contact {position} is not an object")
    number, status = contact.get("id"), contact.get("consent_status")
    if number is not None and (isinstance(number, bool) or not parse_contact_id(str(number))):
        raise ValueError(f"contact {position}: the id is not an integer from 1 to {MAX_CONTACT_ID}")
    if status and documented_status(str(status)) is None:
        raise ValueError(f"contact {position}: the consent status is not one of Envoke's")
    types: dict[str, Any] = {"custom_fields": Mapping, **dict.fromkeys(TAG_FIELDS, (Mapping, list, tuple))}
    groups = {name: contact.get(name) or {} for name in types if name in contact}
    for name, value in groups.items():
        if not isinstance(value, types[name]):
            raise ValueError(f"contact {position}: '{name}' has the wrong type")
    return {**contact, **groups}


def _index_key(field: str, value: object) -> str:
    return str(value).lower() if field == "email" else str(value)


def _merge(name: str, current: Any, value: Any) -> Any:
    """Return the value of a field after a write."""
    if name == "custom_fields":
        return {**current, **value}
    if name in TAG_FIELDS:
        names = dict.fromkeys(current)
        states = value if isinstance(value, Mapping) else dict.fromkeys(value, "Set")
        for tag, state in states.items():
            if str(state).lower() == "set":
                names[tag] = None
            else:
                names.pop(tag, None)
        return list(names)
    if name == "consent_status":
        return documented_status(str(value)) or value
    return copy.copy(value) if isinstance(value, dict | list) else value
