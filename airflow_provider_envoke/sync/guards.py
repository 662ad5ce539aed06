"""
Every reason not to write a row, and what has to be read to find out.

The run and the operator of one contact call the same functions here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.consent import (
    allows_sending,
    is_withdrawn,
    may_undo_withdrawal,
    raises_withdrawn_consent,
    undoes_withdrawal,
)
from airflow_provider_envoke.envoke.messages import Violation
from airflow_provider_envoke.sync.compare import Decision, match_key, reject
from airflow_provider_envoke.sync.duplicates import FirstSeen, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_envoke.envoke.fields import Keyfield
    from airflow_provider_envoke.sync.compare import DesiredContact
    from airflow_provider_envoke.sync.options import SyncOptions
    from airflow_provider_envoke.sync.rows import TableScan

Filters = dict[str, Any]

#: Every reason why a row may be skipped or rejected, and what it means.
REASONS = {
    "unknown_field": "a column is not a documented contact field",
    "read_only_field": "the field is read-only in Envoke",
    "overlong": "a value is longer than Envoke documents",
    "invalid_value": "values of this type cannot be sent to Envoke",
    "invalid_email": "not a valid email address",
    "invalid_id": "the id is not a whole number from 1 to 4294967295",
    "invalid_consent_status": "not one of Envoke's consent statuses",
    "invalid_name": "the name of a custom field or tag is not valid",
    "invalid_tag": "a tag's value is neither Set nor Unset",
    "duplicate_field": "a field is given twice",
    "consent_description_missing": "a consent status that allows sending has no description",
    "consent_withdrawn": "the person has revoked consent or reported spam, and the row would replace that",
    "missing_key": "the row has no value in its key field",
    "missing_column": "the row lacks a column that field_map names",
    "duplicate_key": "another row has the same key",
    "duplicate_row": "an earlier row has the same key and the same values",
    "shared_email": "another row or contact has this email address",
    "ambiguous_match": "several contacts have this key",
    "not_found": "no contact has this key",
    "cannot_create": "a contact cannot be created from this row",
    "refused": "Envoke refused the request",
    "no_answer": "Envoke could not be reached or did not respond properly, after all retries",
    "stopped": "the row was being written when the run ended; it may have arrived",
}

#: The reasons for which the same row may be written when the task runs again. All others are permanent.
TEMPORARY_REASONS = frozenset({"no_answer", "stopped"})

CONSENT_WITHDRAWN = Violation(
    "consent_status",
    "consent_withdrawn",
    "the contact has revoked consent or reported spam in Envoke, and this would replace that; leave "
    "consent_status out; if the person has opted in again, record that in Envoke",
)

_UNCERTAIN_EMAIL = Violation(
    "email", "no_answer", "Envoke did not say which of several rows would get this address; run again"
)

#: The fields that the consent guard reads.
CONSENT_FIELDS = ("id", "consent_status")


def check_consent(payload: Mapping[str, Any], contacts: Iterable[Mapping[str, Any]]) -> Violation | None:
    """Return the violation if a payload would replace the withdrawn consent of one of the contacts."""
    undoes = any(undoes_withdrawal(payload, contact) for contact in contacts)
    return CONSENT_WITHDRAWN if undoes else None


def consent_filters(
    payload: Mapping[str, Any],
    key: tuple[Keyfield, Any],
    *,
    current: Mapping[str, Any] | None = None,
    email: object = None,
) -> list[Filters]:
    """
    Return the filters of the contacts whose consent must be read right before a write; ``[]`` if none must.

    An email address is asked for as it is spelled and in lower case: it is not documented whether a filter minds
    the case.

    :param key: field and value that find the contact.
    :param current: the contact, if it was read: then its id finds it.
    :param email: an address that is to be written: consent belongs to the person who has it.
    """
    if not may_undo_withdrawal(payload):
        return []
    filters = [{"id": current["id"]}] if current is not None else _spellings(*key)
    return filters + [each for each in _spellings("email", email) if each not in filters]


def _spellings(field: str, value: Any) -> list[Filters]:
    if value in (None, ""):
        return []
    spelled = (value, value.lower()) if field == "email" and isinstance(value, str) else (value,)
    return [{field: each} for each in dict.fromkeys(spelled)]


class Guards:
    """
    The guards of one run.

    Its state: the addresses that contacts have given up in this run, and which contact each was. They stay taken
    until the next run, so that the result does not depend on which request came first.

    :param scan: what all rows say together. It is told which rows would give an address to a contact.
    """

    def __init__(self, options: SyncOptions, scan: TableScan) -> None:
        self._options = options
        self._scan = scan
        self._shared_email = options.guards_shared_emails
        # With the email address as the key, addresses do not change.
        self._watches_email = self._shared_email or (options.consent_guard and options.keyfield != "email")
        self._given_up = FirstSeen()

    def close(self) -> None:
        """Delete the temporary file."""
        self._given_up.close()

    def must_read(self, desired: DesiredContact) -> bool:
        """Return whether a guard needs the contact of a row, whatever the strategy."""
        payload = desired.payload
        return (self._options.consent_guard and may_undo_withdrawal(payload)) or (
            self._watches_email and bool(payload.get("email"))
        )

    def emails_to_check(self, decisions: Iterable[tuple[DesiredContact, Decision]]) -> list[str]:
        """Return the addresses that contacts are to get, as far as their holders must be read."""
        if not self._watches_email:
            return []
        return [
            email
            for desired, decision in decisions
            if (email := _new_email(decision))
            and (self._shared_email or allows_sending(desired.payload.get("consent_status")))
        ]

    def check_contact(
        self, desired: DesiredContact, decision: Decision, matches: Sequence[Mapping[str, Any]]
    ) -> Decision:
        """Return the decision about a row, or its rejection because of the contacts that have its key."""
        if len(matches) > 1 and self._options.ambiguous_guard:
            message = f"{len(matches)} contacts have this key; merge them in Envoke, or use keyfield='id'"
            return reject(Violation(self._options.keyfield, "ambiguous_match", message))
        if matches and self._options.consent_guard and check_consent(desired.payload, matches):
            return reject(CONSENT_WITHDRAWN, decision.current)
        return decision

    def check_email(
        self, desired: DesiredContact, decision: Decision, holders: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> Decision:
        """Return the decision about a row, or its rejection because of the contacts that have its new address."""
        email = match_key("email", _new_email(decision)) if self._watches_email else ""
        if not email:
            return decision
        current = decision.current or {}
        own_id = str(current.get("id", ""))
        others = [contact for contact in holders.get(email, ()) if str(contact["id"]) != own_id]
        given_up = self._given_up.get(email)
        taken = given_up is not None and given_up.digest != digest_of(own_id)
        withdrawn = any(raises_withdrawn_consent(desired.payload, other) for other in others)
        if not self._shared_email:  # then only addresses of withdrawn contacts are kept as given up
            withdrawn = withdrawn or (taken and allows_sending(desired.payload.get("consent_status")))
        if self._options.consent_guard and withdrawn:
            return reject(CONSENT_WITHDRAWN, current)
        if self._shared_email and (others or taken):
            return reject(_shared_email("another contact has this address, or had it when the run began"), current)
        if self._scan.shares_email(desired):
            self._scan.claim_email(desired)
            other = self._scan.new_holders.other_row(email, desired.row)
            if other is not None and email in self._scan.uncertain_emails:
                return reject(_UNCERTAIN_EMAIL, current)
            if other is not None:
                return reject(_shared_email(f"row {other} would give its contact the same address"), current)
        old = match_key("email", current.get("email"))
        if old and (self._shared_email or is_withdrawn(current.get("consent_status"))):
            self._given_up.add(old, desired.row, digest_of(own_id))
        return decision


def _shared_email(who: str) -> Violation:
    return Violation(
        "email",
        "shared_email",
        f"{who}, and contacts that share an address get every message twice; correct the row",
    )


def _new_email(decision: Decision) -> str:
    """Return the address that a decision gives to a contact that has another one, or ``""``."""
    if not decision.writes:
        return ""
    new = str(decision.changes.get("email") or "")
    same = match_key("email", new) == match_key("email", (decision.current or {}).get("email"))
    return "" if same else new
