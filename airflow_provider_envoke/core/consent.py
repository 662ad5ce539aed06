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
    "the contact has revoked consent or reported spam in Envoke, and this would allow sending again; leave "
    "consent_status out, or set consent_guard=False if the person has agreed anew",
)


def raises_withdrawn_consent(payload: Mapping[str, Any], current: Mapping[str, Any]) -> bool:
    """Whether a payload would allow sending to a contact who has said no."""
    return allows_sending(payload.get("consent_status")) and is_withdrawn(current.get("consent_status"))


def check_consent(payload: Mapping[str, Any], current: Iterable[Mapping[str, Any]]) -> None:
    """
    Refuse to raise a withdrawn consent.

    :param payload: what is to be written.
    :param current: the contacts as they are in Envoke.
    :raises EnvokeDataError: if one of them has said no and the payload would allow sending.
    """
    if any(raises_withdrawn_consent(payload, contact) for contact in current):
        raise EnvokeDataError(describe([CONSENT_WITHDRAWN]), [CONSENT_WITHDRAWN])
