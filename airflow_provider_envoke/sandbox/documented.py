"""
What Envoke documents about contacts (support article 1697226), written down for the sandbox alone.

The sandbox does not use the provider's tables: if it did, a mistake in them would stay hidden in every test. Where
the documentation does not state a rule, the sandbox does not enforce one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Contact ids are integers from 1 to this one.
MAX_CONTACT_ID = 4_294_967_295

#: Text field -> maximum length in characters, or ``None`` if no maximum is documented. What the service does with
#: a longer value is not documented, so the sandbox stores it.
TEXT_FIELDS: dict[str, int | None] = {
    "email": 60,
    "remote_id": 60,
    "first_name": 20,
    "last_name": 20,
    "title": 50,
    "company": 50,
    "phone": 25,
    "address_1": 100,
    "address_2": 100,
    "city": 20,
    "province": 50,
    "country": 50,
    "postal_code": 15,
    "website": 255,
    "language": 2,
    "feedback": None,
    "consent_status": None,
    "consent_description": 65_535,
}

#: Fields that are written as an object of ``"Set"`` and ``"Unset"``, and read as a list of names.
TAG_FIELDS = ("interests", "autoresponders")

#: Fields that only the service sets.
READ_ONLY_FIELDS = frozenset({"id", "external_id", "date_created"})

#: Consent statuses that allow sending. They require a ``consent_description``.
SENDING_STATUSES = ("Express", "Implied - Inquiry", "Implied - Transaction", "Implied - No Expiry")

#: Consent statuses of people who do not want mail any more.
WITHDRAWN_STATUSES = ("Revoked", "External Spam Reported", "Envoke Spam Reported")

#: Consent statuses that do not allow sending.
OTHER_STATUSES = (
    "Expired",
    "Not Provided",
    *WITHDRAWN_STATUSES,
)

_CUSTOM_FIELD_NAME = re.compile(r"[A-Za-z0-9_]+")


def is_custom_field_name(name: str) -> bool:
    """Whether a custom field can have this name."""
    return _CUSTOM_FIELD_NAME.fullmatch(name) is not None


def parse_contact_id(text: str) -> int:
    """Return the contact id that a text holds, or 0, which is never a contact's id."""
    number = int(text) if text.isdecimal() and len(text) <= len(str(MAX_CONTACT_ID)) else 0
    return number if number <= MAX_CONTACT_ID else 0


def _consent_key(status: str) -> str:
    """Return the same key for spellings that differ in case, or in ``-`` and ``:``."""
    return " ".join(status.lower().replace(":", "-").replace("-", " - ").split())


_STATUS_BY_KEY = {_consent_key(status): status for status in (*SENDING_STATUSES, *OTHER_STATUSES)}


def documented_status(status: str) -> str | None:
    """Return the documented spelling of a consent status, or ``None`` if it is not documented."""
    return _STATUS_BY_KEY.get(_consent_key(status))


def allows_sending(status: str) -> bool:
    """Whether messages may be sent to a contact with this consent status."""
    return documented_status(status) in SENDING_STATUSES


def find_shape_errors(fields: Mapping[str, Any]) -> list[str]:
    """Return an error for each group of fields, such as ``interests``, that does not have its documented shape."""
    errors = []
    custom_fields = fields.get("custom_fields", {})
    if not isinstance(custom_fields, dict):
        errors.append("'custom_fields' must be an object")
    else:
        invalid = [name for name in custom_fields if not is_custom_field_name(name)]
        errors += [f"Invalid custom field name '{name}'" for name in invalid]
    for group in TAG_FIELDS:
        tags = fields.get(group, {})
        if not isinstance(tags, dict):
            errors.append(f"'{group}' must be an object")
        elif any(str(state).lower() not in ("set", "unset") for state in tags.values()):
            errors.append(f"Values of '{group}' must be 'Set' or 'Unset'")
    return errors


def find_consent_errors(fields: Mapping[str, Any], contact: Mapping[str, Any] | None) -> list[str]:
    """Return the consent rules that a write breaks; ``contact`` is the one to update, ``None`` for a new one."""
    errors = []
    status = fields.get("consent_status")
    if status is not None:
        documented = documented_status(str(status))
        if documented is None:
            errors.append(f"Invalid 'consent_status': '{status}'")
        elif documented in SENDING_STATUSES and not str(fields.get("consent_description") or "").strip():
            errors.append(f"'consent_description' is required with the consent status '{documented}'")
    autoresponders = fields.get("autoresponders")
    sets_one = isinstance(autoresponders, dict) and any(
        str(state).lower() == "set" for state in autoresponders.values()
    )
    if sets_one and not allows_sending(str(status or (contact or {}).get("consent_status"))):
        errors.append("'autoresponders' need a consent status that allows sending")
    return errors
