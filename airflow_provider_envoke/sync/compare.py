"""What differs between a row and its contact, by meaning, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_envoke.envoke.consent import allows_sending, canonical_consent
from airflow_provider_envoke.envoke.fields import CONTACT_FIELDS
from airflow_provider_envoke.envoke.interests import differing_tags
from airflow_provider_envoke.envoke.messages import Violation
from airflow_provider_envoke.envoke.values import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_envoke.envoke.fields import Keyfield
    from airflow_provider_envoke.sync.options import SyncOptions

Action = Literal["update", "create", "unchanged", "skip", "reject"]

_TAG_GROUPS = frozenset(name for name, contact_field in CONTACT_FIELDS.items() if contact_field.kind == "tags")


@dataclass(frozen=True, slots=True)
class DesiredContact:
    """
    One row, as the contact it asks for.

    :param row: its number, from 1.
    :param key: value of the key field, as :func:`~airflow_provider_envoke.envoke.fields.match_key` returns it.
    :param spelled_key: the key with the space around it, if the row has any: a contact may have it too.
    :param reference: column -> value of the columns that identify the row for people.
    """

    row: int
    key: str
    payload: Mapping[str, Any]
    spelled_key: str = ""
    reference: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"DesiredContact(row={self.row})"


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What to do with one row, or what was done.

    :param changes: the fields to send, without the key.
    :param reason: a stable code, for rows that are skipped or rejected.
    :param message: what happened and what to do, without values.
    :param current: the contact as it was read, if there is one.
    :param held_back: the fields of the row that are not sent although the others may be, and why.
    """

    action: Action
    changes: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    field: str = ""
    message: str = ""
    current: Mapping[str, Any] | None = None
    held_back: tuple[Violation, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether something is to be sent."""
        return self.action in ("update", "create")

    def __repr__(self) -> str:
        return f"Decision({self.action}{', ' + self.reason if self.reason else ''})"


def reject(violation: Violation, current: Mapping[str, Any] | None = None) -> Decision:
    """Return the decision not to write a row, for one reason."""
    name, reason, message = violation
    return Decision("reject", reason=reason, field=name, message=message, current=current)


def hold_back(decision: Decision, violations: Iterable[Violation]) -> Decision:
    """Return a decision without the fields that break a rule; if none is left, nothing is to be sent."""
    held = tuple(violation for violation in violations if violation.field in decision.changes)
    if not held:
        return decision
    names = {violation.field for violation in held}
    changes = {name: value for name, value in decision.changes.items() if name not in names}
    action = decision.action if changes else "unchanged"
    return replace(decision, action=action, changes=changes, held_back=(*decision.held_back, *held))


def compare(
    desired: DesiredContact, matches: Sequence[Mapping[str, Any]] | None, options: SyncOptions
) -> Decision:
    """
    Compare one row with the contacts that have its key.

    :param matches: the contacts with its key: none, one, or several, of which the first counts; ``None`` if they
        were not read: then all fields are sent.
    """
    if matches is None:
        return Decision("update", changes=all_fields(desired, options.keyfield))
    if not matches:
        return missing_contact(desired, options)
    current = matches[0]
    if options.strategy == "all":
        changes = all_fields(desired, options.keyfield)
    else:
        changes = differing_fields(desired.payload, current, options.keyfield)
    return Decision("update" if changes else "unchanged", changes=changes, current=current)


def all_fields(desired: DesiredContact, keyfield: Keyfield) -> dict[str, Any]:
    """Return all fields of a row but its key."""
    return {name: value for name, value in desired.payload.items() if name not in (keyfield, "id")}


def missing_contact(desired: DesiredContact, options: SyncOptions) -> Decision:
    """Decide about a row whose contact does not exist, as ``on_missing`` says."""
    if options.on_missing == "skip":
        return Decision("skip", reason="not_found", message="no contact has this key")
    if options.on_missing == "reject":
        message = "no contact has this key; create it in Envoke, or set on_missing='create' or 'skip'"
        return reject(Violation(options.keyfield, "not_found", message))
    if options.keyfield == "id":
        message = "Envoke assigns the ids of new contacts; use keyfield 'email' or 'remote_id' to create them"
        return reject(Violation("id", "cannot_create", message))
    if not desired.payload.get("email"):
        message = "a contact cannot be created without an email address; fill email in the query"
        return reject(Violation("email", "cannot_create", message))
    return Decision("create", changes=all_fields(desired, options.keyfield))


def differing_fields(
    payload: Mapping[str, Any], current: Mapping[str, Any], keyfield: Keyfield | None = None
) -> dict[str, Any]:
    """
    Return the part of a payload that differs from the contact, by meaning.

    Email addresses and consent statuses are compared without regard to case, tags as sets, custom fields one by
    one; an empty text equals a missing one.
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
        # The service requires the description in the same request, even if the contact has it already.
        changes["consent_description"] = payload["consent_description"]
    return changes


def _compared(name: str, value: object) -> str | None:
    try:
        text = as_text(value) or ""
    except ValueError:  # the service returned something that is not text: no row asks for that
        return None
    if name == "email":
        return text.lower()
    if name == "consent_status":
        return canonical_consent(text) or text
    return text


def _differing_members(group: str, desired: Mapping[str, str], current: Any) -> dict[str, str]:
    if group in _TAG_GROUPS:
        return differing_tags(desired, current)
    members = current if isinstance(current, dict) else {}
    return {
        name: value
        for name, value in desired.items()
        if value != members.get(name) and _compared("", value) != _compared("", members.get(name))
    }
