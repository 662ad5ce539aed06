"""The sandbox's contacts, and the rules by which the service changes them (article 1697226)."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from hashlib import md5
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.core.fields import CONTACT_FIELDS, MAX_CONTACT_ID, allows_sending, canonical_consent

if TYPE_CHECKING:
    from collections.abc import Iterable

Contact = dict[str, Any]

_TEXT_FIELDS = tuple(name for name, field in CONTACT_FIELDS.items() if field.kind in ("email", "text", "consent"))
_TAG_FIELDS = ("interests", "autoresponders")
_READ_ONLY = frozenset({"id", "external_id", "date_created"})
_CUSTOM_FIELD_NAME = re.compile(r"[A-Za-z0-9_]+")
_INDEXED = ("email", "remote_id")


class ContactStore:
    """
    Contacts by id, with indexes by e-mail address and remote id.

    Its state: the contacts, in the order of their ids, and the two indexes.

    :param contacts: the account's contacts; ``id`` may be left out.
    :param duplicate_check: whether two contacts may not have one address; Envoke's support switches it off for
        accounts that use ``remote_id`` as the key (article 1697196).
    """

    def __init__(self, contacts: Iterable[Mapping[str, Any]] = (), *, duplicate_check: bool = True) -> None:
        self.duplicate_check = duplicate_check
        self.contacts: dict[int, Contact] = {}
        self._index: dict[str, dict[str, list[int]]] = {}
        self._last_id = 0
        self.replace(contacts)

    def replace(self, contacts: Iterable[Mapping[str, Any]]) -> None:
        """
        Make these the account's contacts. An account may hold anything, so consent is not checked.

        :raises ValueError: if one has an id that is taken, or a value that no contact can have; the account is
            then as it was.
        """
        before = self.contacts, self._index, self._last_id
        self.contacts, self._index, self._last_id = {}, {name: {} for name in _INDEXED}, 0
        try:
            for position, contact in enumerate(contacts, start=1):
                self._add(_checked_seed(contact, position))
        except BaseException:
            self.contacts, self._index, self._last_id = before
            raise
        self.contacts = dict(sorted(self.contacts.items()))

    def find(self, keyfield: str, value: object) -> Contact | None:
        """Return the contact that has a key; of several the one with the lowest id [assumed]."""
        ids = self.ids(keyfield, [str(value)])
        return self.contacts[min(ids)] if ids else None

    def ids(self, field: str, values: Iterable[str]) -> set[int]:
        """Return the ids of the contacts whose ``id``, ``email`` or ``remote_id`` is one of these."""
        if field == "id":
            return {number for value in values if (number := contact_id(value)) in self.contacts}
        index = self._index[field]
        return {number for value in values for number in index.get(_index_key(field, value), ())}

    def create(self, fields: Mapping[str, Any]) -> Contact:
        """Add a contact with the next id."""
        return self._add({name: value for name, value in fields.items() if name not in _READ_ONLY})

    def update(self, contact: Contact, fields: Mapping[str, Any]) -> None:
        """Change the fields that are given; custom fields and tags are merged into what is there."""
        for name, value in fields.items():
            if name in _READ_ONLY:
                continue
            if name in _INDEXED:
                self._forget(contact, name)
            contact[name] = _merged(name, contact.get(name), value)
            if name in _INDEXED:
                self._remember(contact, name)

    def delete(self, contact: Contact) -> None:
        """Remove a contact; its id is not used again."""
        for name in _INDEXED:
            self._forget(contact, name)
        del self.contacts[contact["id"]]

    def errors(self, fields: Mapping[str, Any], contact: Contact | None) -> list[str]:
        """Return what the service finds wrong with a write; ``contact`` is the one to change, or ``None``."""
        return [
            *_shape_errors(fields),
            *_consent_errors(fields, contact),
            *self._email_errors(fields, contact),
        ]

    def _email_errors(self, fields: Mapping[str, Any], contact: Contact | None) -> list[str]:
        email = str(fields.get("email") or "")
        if contact is None and not email:
            return ["'email' is required"]
        # That the check also refuses an update is assumed: otherwise it would check nothing. An address that
        # stays as it is comes to be shared by nobody.
        stays = contact is not None and _index_key("email", contact["email"]) == _index_key("email", email)
        if self.duplicate_check and email and not stays and self.ids("email", [email]):
            return [f"Contact with email '{email}' already exists"]
        return []

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
        # Fields without a value are read as empty texts [assumed].
        contact |= dict.fromkeys(_TEXT_FIELDS, "") | {"custom_fields": {}} | {name: [] for name in _TAG_FIELDS}
        contact["consent_status"] = "Not Provided"
        self.contacts[number] = contact
        self.update(contact, fields)
        return contact

    def _remember(self, contact: Contact, name: str) -> None:
        if contact[name]:
            self._index[name].setdefault(_index_key(name, contact[name]), []).append(contact["id"])

    def _forget(self, contact: Contact, name: str) -> None:
        key = _index_key(name, contact[name])
        ids = self._index[name].get(key, [])
        if contact["id"] in ids:
            ids.remove(contact["id"])
            if not ids:
                del self._index[name][key]


def read_contacts(content: str | bytes) -> list[Any]:
    """
    Return the JSON list that a seed is; its members are checked when a store takes them.

    :raises ValueError: if it is not a JSON list.
    """
    try:
        contacts = json.loads(content, parse_constant=refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(contacts, list):
        raise ValueError("it is not a list")
    return contacts


def refuse_constant(name: str) -> None:
    """Refuse ``NaN`` and ``Infinity``, which Python reads and JSON does not know."""
    raise ValueError(f"{name} is not JSON")


def contact_id(text: str) -> int:
    """Return the id that a text is, or 0, which no contact has."""
    number = int(text) if text.isdecimal() and len(text) <= len(str(MAX_CONTACT_ID)) else 0
    return number if number <= MAX_CONTACT_ID else 0


def _checked_seed(contact: object, position: int) -> Mapping[str, Any]:
    """Return a contact of a seed, with empty groups for those that are null or (PHP's empty object) ``[]``."""
    if not isinstance(contact, Mapping):
        raise ValueError(f"contact no. {position} is not an object")
    number, status = contact.get("id"), contact.get("consent_status")
    if number is not None and (isinstance(number, bool) or not contact_id(str(number))):
        raise ValueError(f"contact no. {position} has an id that is not one of 1 to {MAX_CONTACT_ID}")
    if status and canonical_consent(str(status)) is None:
        raise ValueError(f"contact no. {position} has a consent status that does not exist")
    kinds: dict[str, Any] = {"custom_fields": Mapping, **dict.fromkeys(_TAG_FIELDS, (Mapping, list, tuple))}
    groups = {name: contact.get(name) or {} for name in kinds if name in contact}
    for name, value in groups.items():
        if not isinstance(value, kinds[name]):
            raise ValueError(f"contact no. {position} has '{name}' of the wrong kind")
    return {**contact, **groups}


def _index_key(field: str, value: object) -> str:
    return str(value).lower() if field == "email" else str(value)


def _merged(name: str, current: Any, value: Any) -> Any:
    if name == "custom_fields":
        return {**current, **value}
    if name in _TAG_FIELDS:
        names = dict.fromkeys(current)
        states = value if isinstance(value, Mapping) else dict.fromkeys(value, "Set")
        for tag, state in states.items():
            if str(state).lower() == "set":
                names[tag] = None
            else:
                names.pop(tag, None)
        return list(names)
    if name == "consent_status":
        return canonical_consent(str(value)) or value
    return copy.copy(value) if isinstance(value, dict | list) else value


def _shape_errors(fields: Mapping[str, Any]) -> list[str]:
    """The shapes that are documented; over-long values and unknown names are not refused: nothing says so."""
    errors = []
    custom_fields = fields.get("custom_fields", {})
    if not isinstance(custom_fields, dict):
        errors.append("'custom_fields' must be an object")
    else:
        wrong = [name for name in custom_fields if not _CUSTOM_FIELD_NAME.fullmatch(name)]
        errors += [f"Invalid custom field name '{name}'" for name in wrong]
    for group in _TAG_FIELDS:
        tags = fields.get(group, {})
        if not isinstance(tags, dict):
            errors.append(f"'{group}' must be an object")
        elif any(str(state).lower() not in ("set", "unset") for state in tags.values()):
            errors.append(f"Values of '{group}' must be 'Set' or 'Unset'")
    return errors


def _consent_errors(fields: Mapping[str, Any], contact: Contact | None) -> list[str]:
    errors = []
    status = fields.get("consent_status")
    if status is not None:
        canonical = canonical_consent(str(status))
        if canonical is None:
            errors.append(f"Invalid 'consent_status': '{status}'")
        elif allows_sending(canonical) and not str(fields.get("consent_description") or "").strip():
            errors.append(f"'consent_description' is required with the consent status '{canonical}'")
    sets = isinstance(fields.get("autoresponders"), dict) and any(
        str(state).lower() == "set" for state in fields["autoresponders"].values()
    )
    if sets and not allows_sending(str(status or (contact or {}).get("consent_status"))):
        errors.append("'autoresponders' need a consent status that allows sending")
    return errors
