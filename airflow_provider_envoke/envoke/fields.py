"""
The contact fields that Envoke documents (support article 1697226), and which of them identifies a contact.

Other fields are rejected unless the caller lists them in ``extra_fields``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_envoke.envoke.messages import check_choice, shown_name
from airflow_provider_envoke.envoke.values import as_integer, as_text
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

Keyfield = Literal["id", "email", "remote_id"]
_KEYFIELDS = get_args(Keyfield)

Kind = Literal["id", "email", "text", "consent", "custom_fields", "tags"]

#: Contact ids are unsigned 32-bit integers (article 1697226).
MAX_CONTACT_ID = 4_294_967_295

# How alike two names must be for one to be suggested instead of the other, 0 to 1. The time that it takes grows
# with the square of their length.
_ALIKE = 0.7
_MAX_COMPARED_CHARS = 80


@dataclass(frozen=True, slots=True)
class ContactField:
    """
    One documented field.

    :param max_length: maximum length in characters, or ``None`` if none is documented.
    :param truncatable: whether ``on_overlong="truncate"`` may shorten it. A shortened key would be the key of
        another contact, a shortened language code another language, a shortened consent text no evidence.
    :param form: what its values look like, for the message of one that is too long.
    """

    kind: Kind
    max_length: int | None = None
    truncatable: bool = True
    form: str = ""


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
    "language": ContactField("text", 2, truncatable=False, form="a two-letter code, such as fr or en"),
    "feedback": ContactField("text"),
    "consent_status": ContactField("consent"),
    "consent_description": ContactField("text", 65_535, truncatable=False),
    "custom_fields": ContactField("custom_fields"),
    "interests": ContactField("tags"),
    "autoresponders": ContactField("tags"),
}

#: Fields with members, which may be written as ``custom_fields.plan``.
GROUPS = tuple(name for name, field in CONTACT_FIELDS.items() if field.kind in ("custom_fields", "tags"))

READ_ONLY_FIELDS = frozenset({"external_id", "date_created"})


def is_known_field(name: str, extra_fields: Collection[str] = ()) -> bool:
    """Whether a field, such as ``city`` or ``custom_fields.plan``, can be written; ``extra_fields`` can too."""
    group, dot, member = name.partition(".")
    if dot and group in GROUPS:
        return bool(member.strip())
    return name in CONTACT_FIELDS or (name in extra_fields and name not in READ_ONLY_FIELDS)


def describe_unknown_field(name: object, extra_fields: Collection[str] = ()) -> str:
    """Explain why a field name is not accepted and what to write instead; ``extra_fields`` may be meant too."""
    lower = name.strip().lower() if isinstance(name, str) else ""
    if name in READ_ONLY_FIELDS:
        return "read-only in Envoke; remove it"
    if lower in CONTACT_FIELDS:
        return (
            f"not a contact field; the field is named {lower}: use that name, or map a column to it with field_map"
        )
    nearest = nearest_field(name, extra_fields)
    if nearest:
        return f"not a contact field; did you mean {shown_name(nearest)}?"
    return (
        "not a documented contact field (write a custom field as custom_fields.NAME; list a field that is newer "
        "than this provider in extra_fields)"
    )


def nearest_field(name: object, extra_fields: Collection[str] = ()) -> str:
    """Return the field that a misspelled name is nearest to, or ``""`` if none is near."""
    if not isinstance(name, str):
        return ""
    group, dot, member = name.partition(".")
    if not dot:
        return nearest_name(name, (*CONTACT_FIELDS, *extra_fields))
    nearest = nearest_name(group, GROUPS) if member.strip() else ""
    return f"{nearest}.{member}" if nearest else ""


def nearest_name(name: str, names: Iterable[str]) -> str:
    """Return the name that another one is nearest to without regard to case, or ``""`` if none is near."""
    return _nearest_name(name[: _MAX_COMPARED_CHARS + 1].strip().lower(), tuple(names))


@lru_cache(maxsize=256)  # the rows of a table have the same columns
def _nearest_name(name: str, names: tuple[str, ...]) -> str:
    if len(name) > _MAX_COMPARED_CHARS:
        return ""
    by_lower_case = {each.lower(): each for each in names if len(each) <= _MAX_COMPARED_CHARS}
    found = get_close_matches(name, by_lower_case, n=1, cutoff=_ALIKE)
    return by_lower_case[found[0]] if found else ""


def id_of(contact: Mapping[str, Any]) -> int | None:
    """Return the id of a contact as the service returned it, or ``None`` if it has none that can be used."""
    try:
        return as_contact_id(contact.get("id"))
    except ValueError:
        return None


def as_contact_id(value: object) -> int | None:
    """
    Return a value as a contact id from 1 to 4294967295 (article 1697226), or ``None`` for a null.

    :raises ValueError: if the value is not a contact id. Ids become part of a URL, so nothing else is accepted.
    """
    try:
        number = as_integer(value)
    except ValueError:
        number = 0
    if number is not None and not 1 <= number <= MAX_CONTACT_ID:
        raise ValueError(f"must be a whole number from 1 to {MAX_CONTACT_ID}")
    return number


def resolve_key(
    payload: Mapping[str, Any], contact_id: object = None, keyfield: str | None = None
) -> tuple[Keyfield, Any]:
    """
    Return the field that identifies the contact, and its value.

    This is ``keyfield`` if given, otherwise the id, otherwise the email address (article 1697196).

    :param contact_id: id of the contact, if it is not in the payload.
    :raises EnvokeConfigError: if ``keyfield`` is unknown or contradicts ``contact_id``.
    :raises EnvokeDataError: if the key is missing or empty, or ``contact_id`` differs from the payload's id.
    """
    check_object("payload", payload)
    if keyfield is not None:
        check_choice("keyfield", keyfield, _KEYFIELDS)
    if contact_id is not None and keyfield not in (None, "id"):
        raise EnvokeConfigError(f"contact_id cannot be combined with keyfield={keyfield!r}. Use one of them.")
    number = _resolve_id(payload, contact_id)
    if keyfield == "id" or (keyfield is None and number is not None):
        if number is None:
            raise EnvokeDataError(
                "keyfield is 'id', but neither contact_id nor the payload's id is set. Set one of them."
            )
        return "id", number
    if keyfield is None and not is_filled(payload, "email"):
        hint = ", or set keyfield='remote_id'" if is_filled(payload, "remote_id") else ""
        raise EnvokeDataError(
            f"The payload has no id and no email to identify the contact. Add one of them{hint}."
        )
    key: Keyfield = "remote_id" if keyfield == "remote_id" else "email"
    if not is_filled(payload, key):
        raise EnvokeDataError(
            f"keyfield is {key!r}, but the payload's {key} is missing or empty. Add it, or use another keyfield."
        )
    check_key(key, payload[key])
    return key, payload[key]


def match_key(keyfield: Keyfield, value: object) -> str:
    """
    Return a key in the form in which keys are compared: trimmed, email addresses in lower case.

    A value that cannot be a key, such as a list, becomes an empty key.
    """
    try:
        text = (as_text(value) or "").strip()
    except ValueError:
        text = ""
    return text.lower() if keyfield == "email" else text


def check_key(name: str, value: object) -> None:
    """Accept only plain values: an object could be read as a filter and match another contact."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise EnvokeDataError(f"The payload's {name} must be text, not {type(value).__name__}.")


def check_object(argument: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise EnvokeDataError(f"{argument} must be a dict, field -> value, not {type(value).__name__}.")


def _resolve_id(payload: Mapping[str, Any], contact_id: object) -> int | None:
    given = _read_id("contact_id", contact_id)
    payload_id = _read_id("The payload's id", payload.get("id"))
    if contact_id is not None and given is None:
        raise EnvokeDataError("contact_id is null. Check the template and the XCom that it reads.")
    if given is not None and payload_id is not None and given != payload_id:
        raise EnvokeDataError("contact_id and the payload's id are different. Use one of them.")
    return given if given is not None else payload_id


def _read_id(name: str, value: object) -> int | None:
    try:
        return as_contact_id(value)
    except ValueError as error:
        raise EnvokeDataError(f"{name} {error}.") from None


def is_filled(payload: Mapping[str, Any], name: str) -> bool:
    return bool(str(payload.get(name) or "").strip())
