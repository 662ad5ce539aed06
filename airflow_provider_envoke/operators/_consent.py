"""The consent guard of the operator of one contact: what it reads, and what it holds back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.consent import is_withdrawn
from airflow_provider_envoke.envoke.messages import Violation, describe
from airflow_provider_envoke.exceptions import EnvokeDataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_envoke.envoke.fields import Keyfield
    from airflow_provider_envoke.hooks.envoke import EnvokeHook
    from airflow_provider_envoke.sync.compare import Decision
    from airflow_provider_envoke.sync.options import OnWithdrawn


def unguarded(payload: Mapping[str, Any], key: Keyfield) -> Decision:
    """Return the decision to send a whole payload."""
    from airflow_provider_envoke.sync.compare import Decision  # noqa: PLC0415 - a step of a run; DAG files import this

    return Decision("update", changes={name: value for name, value in payload.items() if name not in (key, "id")})


def guarded(
    hook: EnvokeHook, payload: Mapping[str, Any], key: Keyfield, values: Iterable[Any], on_withdrawn: OnWithdrawn
) -> Decision:
    """
    Read the contact, and who else has its address, and return what may be sent: the guards of a sync decide.

    :param values: the spellings of the key.
    :raises EnvokeDataError: if nothing may be sent.
    """
    from airflow_provider_envoke.sync.guards import (  # noqa: PLC0415 - only when a consent is written
        LAST_LOOK_FIELDS,
        address_of_consent,
        consent_filters,
        guard_consent,
        guard_consent_of_holders,
        spellings,
    )

    def find(filters: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        return [contact for each in filters for contact in hook.find_contacts(each, fields=LAST_LOOK_FIELDS)]

    decision = unguarded(payload, key)
    own = find(each for value in values for each in consent_filters(payload, (key, value)))
    decision = replace(decision, current=own[0] if own else None)
    decision = guard_consent(decision, payload, own, on_withdrawn)
    if key != "email":  # by email, whoever has the address was found already
        ids = {str(contact.get("id")) for contact in own}
        holders = find(spellings("email", address_of_consent(decision, payload)))
        others = [contact for contact in holders if str(contact.get("id")) not in ids]
        if any(is_withdrawn(contact.get("consent_status")) for contact in others):
            decision = guard_consent_of_holders(decision, payload, on_withdrawn)
    if decision.action == "reject":
        raise rejection(Violation(decision.field, decision.reason, decision.message))
    return decision


def rejection(violation: Violation) -> EnvokeDataError:
    """Return the failure of a task whose payload may not be sent."""
    return EnvokeDataError(describe([violation]), (violation,))
