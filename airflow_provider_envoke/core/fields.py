"""
The contact fields and consent statuses that Envoke documents (support article 1697226).

A field that the documentation does not list is refused unless the caller names it in ``extra_fields``.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

Kind = Literal["id", "email", "text", "consent", "custom_fields", "tags"]

#: Contact ids are unsigned 32-bit integers (article 1697226); nothing else reaches a URL.
MAX_CONTACT_ID = 4_294_967_295


_MAX_DESCRIBED = 20


class Violation(NamedTuple):
    """One rule that one field breaks: ``reason`` is a stable code, ``message`` is for people."""

    field: str
    reason: str
    message: str


def describe(violations: Iterable[Violation]) -> str:
    """Say what is wrong with a row, field by field."""
    fields: defaultdict[str, list[str]] = defaultdict(list)
    for field, _, message in violations:
        fields[message].append(field)
    count = sum(map(len, fields.values()))
    listed = [f"{_some(names, ', ')}: {message}" for message, names in fields.items()]
    return f"The payload cannot be sent ({count} to mend): {_some(listed, '; ')}."


def _some(texts: list[str], separator: str) -> str:
    more = [f"and {len(texts) - _MAX_DESCRIBED} more"] if len(texts) > _MAX_DESCRIBED else []
    return separator.join(texts[:_MAX_DESCRIBED] + more)


@dataclass(frozen=True, slots=True)
class ContactField:
    """
    One documented field.

    :param max_length: longest value in characters, or ``None`` where none is documented.
    :param truncatable: whether ``on_overlong="truncate"`` may cut it. A cut key would be somebody
        else's key, a cut language code another language, a cut consent text no evidence.
    """

    kind: Kind
    max_length: int | None = None
    truncatable: bool = True


CONTACT_FIELDS: dict[str, ContactField] = {
    "id": ContactField("id"),
    "email": ContactField("email", 60, truncatable=False),
    "remote_id": ContactField("text", 60, truncatable=False),
    "first_name": ContactField("text", 20),
    "last_name": ContactField("text", 20),
    "title": ContactField("text", 50),
    "company": ContactField("text", 50),
    "phone": ContactField("text", 25),
    "address_1": ContactField("text", 100),
    "address_2": ContactField("text", 100),
    "city": ContactField("text", 20),
    "province": ContactField("text", 50),
    "country": ContactField("text", 50),
    "postal_code": ContactField("text", 15),
    "website": ContactField("text", 255),
    "language": ContactField("text", 2, truncatable=False),
    "feedback": ContactField("text"),
    "consent_status": ContactField("consent"),
    "consent_description": ContactField("text", 65_535, truncatable=False),
    "custom_fields": ContactField("custom_fields"),
    "interests": ContactField("tags"),
    "autoresponders": ContactField("tags"),
}

#: Fields that hold members, which may be named ``custom_fields.plan``.
GROUPS = tuple(name for name, each in CONTACT_FIELDS.items() if each.kind in ("custom_fields", "tags"))

READ_ONLY_FIELDS = frozenset({"external_id", "date_created"})

#: Statuses that allow sending; the service wants ``consent_description`` with them.
SENDING_STATUSES = ("Express", "Implied - Inquiry", "Implied - Transaction", "Implied - No Expiry")

#: Statuses by which a person has said no. Never to be overwritten by one that allows sending (CASL).
WITHDRAWN_STATUSES = ("Revoked", "External Spam Reported", "Envoke Spam Reported")

CONSENT_STATUSES = (*SENDING_STATUSES, "Expired", "Not Provided", *WITHDRAWN_STATUSES)


def _consent_key(status: str) -> str:
    """Statuses are equal whatever their case, and whether spelt with ``-`` or with ``:``."""
    return " ".join(status.lower().replace(":", " - ").replace("-", " - ").split())


_CONSENT_BY_KEY = {_consent_key(status): status for status in CONSENT_STATUSES}


def canonical_consent(status: str) -> str | None:
    """Return the documented spelling of a consent status, or ``None`` if there is no such status."""
    return _CONSENT_BY_KEY.get(_consent_key(status))


def allows_sending(status: object) -> bool:
    """Whether a contact with this consent status may be written to."""
    return isinstance(status, str) and canonical_consent(status) in SENDING_STATUSES


def is_withdrawn(status: object) -> bool:
    """
    Whether this consent status says that the person does not want to be written to.

    One that is not documented may say so: it is taken for a no.
    """
    if not isinstance(status, str) or not status.strip():
        return False
    canonical = canonical_consent(status)
    return canonical is None or canonical in WITHDRAWN_STATUSES


def is_known_field(name: str, extra_fields: Collection[str] = ()) -> bool:
    """Whether a name, such as ``city`` or ``custom_fields.plan``, is one of a field that can be written."""
    group, dot, member = name.partition(".")
    if dot and group in GROUPS:
        return bool(member.strip())
    return name in CONTACT_FIELDS or (name in extra_fields and name not in READ_ONLY_FIELDS)


def describe_unknown(name: object) -> str:
    """Say what is wrong with a field's name that is not documented."""
    lower = name.strip().lower() if isinstance(name, str) else ""
    if name in READ_ONLY_FIELDS:
        return "read-only in Envoke; leave it out"
    if lower in CONTACT_FIELDS:
        return f"not a contact field, but {lower} is one: names are in lower case (in a query: AS {lower})"
    return (
        "not a documented contact field (a custom field is custom_fields.NAME; a field that is newer than this "
        "provider goes into extra_fields)"
    )
