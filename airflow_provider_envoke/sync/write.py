"""Writes one row, and turns the service's answer into the row's outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.messages import Violation
from airflow_provider_envoke.envoke.requests import create_missing, find_contacts, update_contact
from airflow_provider_envoke.exceptions import EnvokeNotFoundError, EnvokeRejectedError
from airflow_provider_envoke.sync.compare import Decision, reject
from airflow_provider_envoke.sync.guards import CONSENT_FIELDS, CONSENT_WITHDRAWN, check_consent, consent_filters

if TYPE_CHECKING:
    from airflow_provider_envoke.client.bulk import BulkClient
    from airflow_provider_envoke.envoke.requests import Request
    from airflow_provider_envoke.sync.compare import DesiredContact
    from airflow_provider_envoke.sync.options import SyncOptions


async def write(client: BulkClient, desired: DesiredContact, decision: Decision, options: SyncOptions) -> Decision:
    """
    Send an update or a creation, and return the row's outcome.

    :raises EnvokeNotFoundError: if the contact to update does not exist.
    :raises EnvokeAuthError: if the credentials are rejected.
    :raises EnvokeTransientError: if there is no usable answer after all retries.
    """
    try:
        if options.consent_guard and await _is_withdrawn_now(client, desired, decision, options):
            return reject(CONSENT_WITHDRAWN, decision.current)
        await client.send(request_of(desired, decision, options))
    except EnvokeRejectedError as error:
        return reject(Violation("", "refused", str(error)), decision.current)
    except EnvokeNotFoundError as error:
        if decision.action == "create":
            return reject(Violation("", "refused", str(error)), decision.current)
        raise
    return decision


async def _is_withdrawn_now(
    client: BulkClient, desired: DesiredContact, decision: Decision, options: SyncOptions
) -> bool:
    """
    Return whether the person has withdrawn consent since the contact was compared or looked up.

    That may be a while ago: a request waits for a slot, and if ``$in`` is refused the account is read once, when
    the run begins. The API has no conditional update, so the moment between this request and the write remains.
    """
    keyfield = "email" if decision.action == "create" else options.keyfield
    key = (keyfield, desired.payload[keyfield])
    for filters in consent_filters(decision.changes, key, current=decision.current):
        contacts = await client.send(find_contacts(filters, fields=CONSENT_FIELDS))
        if check_consent(decision.changes, contacts):
            return True
    return False


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
