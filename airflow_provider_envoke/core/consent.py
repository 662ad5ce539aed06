"""Canada's anti-spam law (CASL): who has said no is not to be written to by a slip in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.core.fields import Violation, allows_sending, describe, is_withdrawn
from airflow_provider_envoke.exceptions import EnvokeDataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CONSENT_WITHDRAWN = Violation(
    "consent_status",
    "consent_withdrawn",
    "the contact has revoked consent or reported spam in Envoke, and this would write over that; leave "
    "consent_status out, or set consent_guard=False if the person has agreed anew",
)


def may_undo_withdrawal(payload: Mapping[str, Any]) -> bool:
    """Whether a payload sets a consent status that is none of a person who has said no."""
    status = payload.get("consent_status")
    return bool(status) and not is_withdrawn(status)


def undoes_withdrawal(payload: Mapping[str, Any], current: Mapping[str, Any]) -> bool:
    """
    Whether a payload would write another consent status over that of a contact who has said no.

    Also one that does not allow sending: with the no gone, the next run could not know of it.
    """
    return may_undo_withdrawal(payload) and is_withdrawn(current.get("consent_status"))


def raises_withdrawn_consent(payload: Mapping[str, Any], current: Mapping[str, Any]) -> bool:
    """Whether a payload would allow sending to a contact who has said no."""
    return allows_sending(payload.get("consent_status")) and is_withdrawn(current.get("consent_status"))


def check_consent(payload: Mapping[str, Any], current: Iterable[Mapping[str, Any]]) -> None:
    """
    Refuse to write over a withdrawn consent.

    :param payload: what is to be written.
    :param current: the contacts as they are in Envoke.
    :raises EnvokeDataError: if one of them has said no and the payload says otherwise.
    """
    if any(undoes_withdrawal(payload, contact) for contact in current):
        raise EnvokeDataError(describe([CONSENT_WITHDRAWN]), [CONSENT_WITHDRAWN])
