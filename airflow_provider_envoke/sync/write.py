"""Writes one row, and turns the service's answer into the row's outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.consent import replaced_by
from airflow_provider_envoke.envoke.fields import id_of
from airflow_provider_envoke.envoke.messages import Violation
from airflow_provider_envoke.envoke.requests import create_missing, find_contacts, update_contact
from airflow_provider_envoke.exceptions import EnvokeNotFoundError, EnvokeRejectedError
from airflow_provider_envoke.sync.compare import Decision, reject
from airflow_provider_envoke.sync.guards import (
    CONSENT_WITHDRAWN,
    LAST_LOOK_FIELDS,
    consent_filters,
    guard_consent,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.client.bulk import BulkClient
    from airflow_provider_envoke.envoke.requests import Request
    from airflow_provider_envoke.sync.compare import DesiredContact
    from airflow_provider_envoke.sync.options import SyncOptions


async def write(
    client: BulkClient,
    desired: DesiredContact,
    decision: Decision,
    options: SyncOptions,
    in_doubt: Callable[[bool], None],
) -> Decision:
    """
    Send an update or a creation, and return the row's outcome.

    :param in_doubt: is told whether the service may have the write; see :meth:`BulkClient.send`.
    :raises EnvokeNotFoundError: if the contact to update does not exist.
    :raises EnvokeAuthError: if the credentials are rejected.
    :raises EnvokeTransientError: if there is no usable answer after all retries.
    """
    try:
        if options.consent_guard:
            decision = await _look_again(client, desired, decision, options)
            if not decision.writes:
                return decision
        await client.send(request_of(desired, decision, options), in_doubt)
    except EnvokeRejectedError as error:
        return reject(Violation("", "refused", str(error)), decision.current)
    except EnvokeNotFoundError as error:
        if decision.action == "create":
            return reject(Violation("", "refused", str(error)), decision.current)
        if decision.held_back and options.on_missing == "create":  # a new contact would have the consent again
            return reject(CONSENT_WITHDRAWN, decision.current)
        raise
    return decision


async def _look_again(
    client: BulkClient, desired: DesiredContact, decision: Decision, options: SyncOptions
) -> Decision:
    """
    Return what is left of a decision if the person has withdrawn consent since the contact was read or looked up.

    That may be a while ago: a request waits for a slot, and if ``$in`` is refused the account is read once, when
    the run begins. The API has no conditional update, so the moment between this request and the write remains.
    """
    keyfield = "email" if decision.action == "create" else options.keyfield
    contacts: list[dict[str, Any]] = []
    for filters in consent_filters(decision.changes, (keyfield, desired.payload[keyfield]), decision.current):
        contacts += await client.send(find_contacts(filters, fields=LAST_LOOK_FIELDS))
    if decision.action == "create":
        return _update_if_withdrawn(decision, contacts, options)
    return guard_consent(decision, decision.changes, contacts, options.on_withdrawn)


def _update_if_withdrawn(decision: Decision, contacts: list[dict[str, Any]], options: SyncOptions) -> Decision:
    """
    Return a creation, or what is left of it if a withdrawn contact has the address by now.

    By email, this is the row's contact: it is updated. By another key, the row would create a second one.
    """
    for contact in contacts:
        replaced = replaced_by(decision.changes, contact)
        is_the_rows = options.keyfield == "email"
        if replaced and is_the_rows and id_of(contact) is not None:
            update = Decision("update", changes=decision.changes, current=contact)
            return guard_consent(update, decision.changes, [contact], options.on_withdrawn)
        if "consent_status" in replaced or (replaced and is_the_rows):
            return reject(CONSENT_WITHDRAWN)
    return decision


def request_of(desired: DesiredContact, decision: Decision, options: SyncOptions) -> Request:
    """Return the request that writes a row: the update of its contact, or the creation."""
    keyfield = options.keyfield
    if decision.action == "create":
        return create_missing(desired.payload, keyfield)
    if decision.current is not None:
        # The contact that was compared is the one that is written, even if somebody changes its key meanwhile.
        return update_contact(decision.changes, contact_id=decision.current["id"])
    key: dict[str, Any] = {keyfield: desired.payload[keyfield]}
    return update_contact({**decision.changes, **key}, keyfield=keyfield)
