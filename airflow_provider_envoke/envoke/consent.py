"""
Consent statuses (support article 1697226) and the rules that protect a withdrawn consent.

Canada's anti-spam law (CASL) forbids sending to people who have withdrawn their consent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Statuses that allow sending; the service requires ``consent_description`` with them.
SENDING_STATUSES = ("Express", "Implied - Inquiry", "Implied - Transaction", "Implied - No Expiry")

#: Statuses of people who have withdrawn their consent.
WITHDRAWN_STATUSES = ("Revoked", "External Spam Reported", "Envoke Spam Reported")

CONSENT_STATUSES = (*SENDING_STATUSES, "Expired", "Not Provided", *WITHDRAWN_STATUSES)

#: The fields of a consent: the status, and how, when and where it was given or withdrawn.
CONSENT_RECORD = ("consent_status", "consent_description")


def _consent_key(status: str) -> str:
    """Return the form in which statuses are compared: without case, and with ``-`` equal to ``:``."""
    return " ".join(status.lower().replace(":", " - ").replace("-", " - ").split())


_STATUS_BY_KEY = {_consent_key(status): status for status in CONSENT_STATUSES}


def canonical_consent(status: str) -> str | None:
    """Return the documented spelling of a consent status, or ``None`` if the status is unknown."""
    return _STATUS_BY_KEY.get(_consent_key(status))


def allows_sending(status: object) -> bool:
    """Whether messages may be sent to a contact with this consent status."""
    return isinstance(status, str) and canonical_consent(status) in SENDING_STATUSES


def is_withdrawn(status: object) -> bool:
    """
    Whether a contact with this consent status has withdrawn consent.

    An unknown status counts as withdrawn, because it may be one.
    """
    if not isinstance(status, str) or not status.strip():
        return False
    canonical = canonical_consent(status)
    return canonical is None or canonical in WITHDRAWN_STATUSES


def may_undo_withdrawal(payload: Mapping[str, Any]) -> bool:
    """Whether a payload sets a consent status other than a withdrawn one."""
    status = payload.get("consent_status")
    return bool(status) and not is_withdrawn(status)


def may_replace_withdrawal(payload: Mapping[str, Any]) -> bool:
    """Whether a payload may replace the status of a withdrawn consent, or what was recorded about it."""
    return may_undo_withdrawal(payload) or "consent_description" in payload


def replaced_by(payload: Mapping[str, Any], contact: Mapping[str, Any]) -> tuple[str, ...]:
    """
    Return the fields of a payload that would replace the withdrawn consent of a contact, or its description.

    This includes statuses that do not allow sending: they too would erase the record of the withdrawal. A
    description that was not read counts as another one.
    """
    if not is_withdrawn(contact.get("consent_status")):
        return ()
    if may_undo_withdrawal(payload):
        return tuple(name for name in CONSENT_RECORD if name in payload)
    description = payload.get("consent_description")
    return () if description in (None, contact.get("consent_description")) else ("consent_description",)
