"""The update of one contact: the consent guard, the result, and the failure if the contact is unknown."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.consent import is_withdrawn
from airflow_provider_envoke.envoke.filters import key_filters
from airflow_provider_envoke.envoke.messages import Violation, describe
from airflow_provider_envoke.exceptions import EnvokeDataError
from airflow_provider_envoke.sync.compare import Decision

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_envoke.envoke.fields import Keyfield
    from airflow_provider_envoke.exceptions import EnvokeNotFoundError
    from airflow_provider_envoke.hooks.envoke import EnvokeHook
    from airflow_provider_envoke.sync.options import OnWithdrawn


def unguarded(payload: Mapping[str, Any], key: Keyfield) -> Decision:
    """Return the decision to send a whole payload."""
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
    )

    def find(filters: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        return [contact for each in filters for contact in hook.find_contacts(each, fields=LAST_LOOK_FIELDS)]

    decision = unguarded(payload, key)
    own = find(each for value in values for each in consent_filters(payload, (key, value)))
    decision = replace(decision, current=own[0] if own else None)
    decision = guard_consent(decision, payload, own, on_withdrawn)
    if key != "email":  # with the key email, these contacts were read above
        ids = {str(contact.get("id")) for contact in own}
        holders = find(key_filters("email", address_of_consent(decision, payload)))
        others = [contact for contact in holders if str(contact.get("id")) not in ids]
        if any(is_withdrawn(contact.get("consent_status")) for contact in others):
            decision = guard_consent_of_holders(decision, payload, on_withdrawn)
    if decision.action == "reject":
        raise rejection(Violation(decision.field, decision.reason, decision.message))
    return decision


def rejection(violation: Violation) -> EnvokeDataError:
    """Return the failure of a task whose payload may not be sent."""
    return EnvokeDataError(describe([violation]), (violation,))


def with_advice(missing: EnvokeNotFoundError) -> EnvokeNotFoundError:
    """Return the error of an unknown contact with what the operator can do instead of failing."""
    error = copy(missing)
    error.args = (f"{missing} Set on_missing='skip' to skip the task, or 'create' to create the contact.",)
    return error


def result_of(action: str, payload: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of a task: the id in the answer, and the names of the fields that were sent."""
    data = answer.get("result_data")
    contact_id = str(data.get("id") or "") if isinstance(data, dict) else ""
    return {
        "id": int(contact_id) if contact_id.isdecimal() else None,
        "action": action,
        "fields": _field_names(payload) if answer else [],
    }


def _field_names(payload: Mapping[str, Any]) -> list[str]:
    """Return the names of the fields; members of a group as ``custom_fields.plan``."""
    return sorted(
        f"{name}.{member}" if member else name
        for name, value in payload.items()
        for member in (value if isinstance(value, dict) else (None,))
        if name != "id"
    )
