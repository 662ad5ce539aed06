"""Wanted against current: what has to be sent for one row, if anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_envoke.core.consent import CONSENT_WITHDRAWN, undoes_withdrawal
from airflow_provider_envoke.core.fields import CONTACT_FIELDS, Violation, allows_sending, canonical_consent
from airflow_provider_envoke.core.values import as_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_envoke.core.protocol import Keyfield

Action = Literal["update", "create", "unchanged", "skip", "reject"]

_TAGS = frozenset(name for name, contact_field in CONTACT_FIELDS.items() if contact_field.kind == "tags")


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    One row, ready to be compared.

    :param row: its number, from 1.
    :param key: value of the key field.
    :param payload: what :func:`airflow_provider_envoke.core.payload.build_payload` made of it, key included.
    """

    row: int
    key: str
    payload: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Wanted(row={self.row})"


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What becomes of one row.

    :param changes: the fields to send, without the key.
    :param reason: a stable code, for rows that are skipped or rejected.
    :param message: what happened and what to do, without values.
    :param current: the contact as it is, if there is one.
    """

    action: Action
    changes: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    field: str = ""
    message: str = ""
    current: Mapping[str, Any] | None = None

    def __repr__(self) -> str:
        return f"Decision({self.action}{', ' + self.reason if self.reason else ''})"


def reject(violation: Violation, current: Mapping[str, Any] | None = None) -> Decision:
    """Return the decision not to write a row, for one reason."""
    name, reason, message = violation
    return Decision("reject", reason=reason, field=name, message=message, current=current)


def match_key(keyfield: Keyfield, value: object) -> str:
    """
    Return a key as it is compared: without surrounding space, e-mail addresses without regard to case.

    What is no key, such as a list in the place of a text, is an empty one.
    """
    try:
        text = (as_text(value) or "").strip()
    except ValueError:
        text = ""
    return text.lower() if keyfield == "email" else text


def decide(
    wanted: Wanted,
    matches: Sequence[Mapping[str, Any]],
    *,
    keyfield: Keyfield,
    consent_guard: bool = True,
    ambiguous_guard: bool = True,
) -> Decision:
    """
    Compare one row with the contacts that have its key.

    :param wanted: the row.
    :param matches: the contacts found by the key: none, one, or several.
    :param keyfield: the key's field, which is not sent as a change.
    :param consent_guard: whether to refuse to write over a withdrawn consent.
    :param ambiguous_guard: whether to refuse a key that several contacts have; otherwise the first one is meant.
    :return: ``create`` if there is no contact: what is done about that is the caller's choice.
    """
    if not matches:
        return Decision("create")
    if len(matches) > 1 and ambiguous_guard:
        message = f"{len(matches)} contacts have this key; merge them in Envoke, or find them by id"
        return reject(Violation(keyfield, "ambiguous_match", message))
    current = matches[0]
    if consent_guard and any(undoes_withdrawal(wanted.payload, contact) for contact in matches):
        return reject(CONSENT_WITHDRAWN, current)
    changes = differing_fields(wanted.payload, current, keyfield)
    return Decision("update" if changes else "unchanged", changes=changes, current=current)


def differing_fields(
    payload: Mapping[str, Any], current: Mapping[str, Any], keyfield: Keyfield | None = None
) -> dict[str, Any]:
    """
    Return what of a payload differs from the contact, by meaning.

    Addresses and consent names are compared without regard to case, tags as sets, custom fields one by one;
    an empty text is the same as none.
    """
    changes: dict[str, Any] = {}
    for name, value in payload.items():
        if name in (keyfield, "id"):
            continue
        if isinstance(value, dict):
            members = _differing_members(name, value, current.get(name))
            if members:
                changes[name] = members
        elif value != current.get(name) and _compared(name, value) != _compared(name, current.get(name)):
            changes[name] = value
    if allows_sending(changes.get("consent_status")):
        # The service wants the description in the same request, also where it is there already.
        changes["consent_description"] = payload["consent_description"]
    return changes


def _compared(name: str, value: object) -> str | None:
    try:
        text = as_text(value) or ""
    except ValueError:  # what the service answered is no text: no row wants it so
        return None
    if name == "email":
        return text.lower()
    if name == "consent_status":
        return canonical_consent(text) or text
    return text


def _differing_members(group: str, wanted: Mapping[str, str], current: Any) -> dict[str, str]:
    if group in _TAGS:
        # Read as a list of names; PHP prints an empty object as an empty list, and a sparse list as an object.
        listed = current.values() if isinstance(current, dict) else current
        names = {str(name) for name in listed} if isinstance(listed, Iterable) else set()
        # Whether the service minds the case of a tag's name is not documented: rather unset one tag too many.
        lower = {name.lower() for name in names}
        return {
            name: state
            for name, state in wanted.items()
            if (name not in names if state == "Set" else name.lower() in lower)
        }
    members = current if isinstance(current, dict) else {}
    return {
        name: value
        for name, value in wanted.items()
        if value != members.get(name) and _compared("", value) != _compared("", members.get(name))
    }
