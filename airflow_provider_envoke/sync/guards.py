"""
Every reason not to write a row, and what has to be read to find out.

The run and the operator of one contact call the same functions here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.consent import (
    CONSENT_RECORD,
    allows_sending,
    is_withdrawn,
    may_replace_withdrawal,
    replaced_by,
)
from airflow_provider_envoke.envoke.fields import match_key
from airflow_provider_envoke.envoke.filters import key_filters
from airflow_provider_envoke.envoke.messages import Violation
from airflow_provider_envoke.sync.compare import Decision, hold_back, reject
from airflow_provider_envoke.sync.duplicates import FirstSeen, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_envoke.envoke.fields import Keyfield
    from airflow_provider_envoke.envoke.filters import Filters
    from airflow_provider_envoke.sync.compare import DesiredContact
    from airflow_provider_envoke.sync.options import OnWithdrawn, SyncOptions
    from airflow_provider_envoke.sync.rows import TableScan

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
    "consent_withdrawn": "the person has revoked consent or reported spam, so the row's consent is not written",
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
    "the person has revoked consent or reported spam in Envoke, which is never replaced; if the person has opted "
    "in again, record that in Envoke; otherwise correct the row",
)

_UNCERTAIN_EMAIL = Violation(
    "email", "no_answer", "Envoke did not say which of several rows would get this address; run again"
)

#: The fields that the consent guard reads of every contact.
CONSENT_FIELDS = ("id", "consent_status")

#: The fields that it reads right before a write.
LAST_LOOK_FIELDS = ("id", "email", *CONSENT_RECORD)


def guard_consent(
    decision: Decision,
    payload: Mapping[str, Any],
    contacts: Iterable[Mapping[str, Any]],
    on_withdrawn: OnWithdrawn,
) -> Decision:
    """
    Return a decision without the consent that would replace that of a withdrawn contact, or its rejection.

    A description without a status is always held back: it would replace what was recorded about the withdrawal.

    :param contacts: the contacts with the key of the row.
    """
    replaced = {name for contact in contacts for name in replaced_by(payload, contact)}
    if "consent_status" in replaced and on_withdrawn == "reject":
        return reject(CONSENT_WITHDRAWN, decision.current)
    return hold_back(decision, (_withdrawn(name) for name in CONSENT_RECORD if name in replaced))


def guard_consent_of_holders(
    decision: Decision, payload: Mapping[str, Any], on_withdrawn: OnWithdrawn
) -> Decision:
    """
    Return a decision about an address that belongs to a person who has withdrawn consent, with another contact.

    Consent belongs to the person. Without the consent the row is harmless, unless its contact would be a second
    one of that person, or may get messages already.
    """
    if not allows_sending(payload.get("consent_status")):
        return decision
    sends_already = allows_sending((decision.current or {}).get("consent_status")) and bool(_new_email(decision))
    if on_withdrawn == "reject" or decision.action == "create" or sends_already:
        return reject(CONSENT_WITHDRAWN, decision.current)
    return hold_back(decision, map(_withdrawn, CONSENT_RECORD))


def consent_filters(
    payload: Mapping[str, Any], key: tuple[Keyfield, Any], current: Mapping[str, Any] | None = None
) -> list[Filters]:
    """
    Return the filters of the contact whose consent must be read right before a write; ``[]`` if it need not.

    :param key: field and value that find the contact.
    :param current: the contact, if it was read: then its id finds it.
    """
    if not may_replace_withdrawal(payload):
        return []
    return [{"id": current["id"]}] if current is not None else key_filters(*key)


def address_of_consent(decision: Decision, payload: Mapping[str, Any]) -> str:
    """Return the address that a decision would allow sending to, whose holders must be read; or ``""``."""
    if not (decision.writes and allows_sending(payload.get("consent_status"))):
        return ""
    if not (_new_email(decision) or allows_sending(decision.changes.get("consent_status"))):
        return ""
    return str(decision.changes.get("email") or (decision.current or {}).get("email") or "")


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
        return (self._options.consent_guard and may_replace_withdrawal(payload)) or (
            self._watches_email and bool(payload.get("email"))
        )

    def emails_to_check(self, decisions: Iterable[tuple[DesiredContact, Decision]]) -> list[str]:
        """Return the addresses of contacts, or those that they are to get, whose holders must be read."""
        return [email for each in decisions if (email := self._email_to_check(*each))]

    def _email_to_check(self, desired: DesiredContact, decision: Decision) -> str:
        if not self._watches_email:
            return ""
        email = _new_email(decision) if self._shared_email else ""
        return email or (address_of_consent(decision, desired.payload) if self._options.consent_guard else "")

    def check_contact(
        self, desired: DesiredContact, decision: Decision, matches: Sequence[Mapping[str, Any]]
    ) -> Decision:
        """Return what the contacts that have its key leave of the decision about a row."""
        if len(matches) > 1 and self._options.ambiguous_guard:
            message = f"{len(matches)} contacts have this key; merge them in Envoke, or use keyfield='id'"
            return reject(Violation(self._options.keyfield, "ambiguous_match", message))
        if not self._options.consent_guard:
            return decision
        return guard_consent(decision, desired.payload, matches, self._options.on_withdrawn)

    def check_email(
        self, desired: DesiredContact, decision: Decision, holders: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> Decision:
        """Return what the contacts that have its address leave of the decision about a row."""
        new = _new_email(decision) if self._watches_email else ""
        email = match_key("email", new or self._email_to_check(desired, decision))
        if not email:
            return decision
        current = decision.current or {}
        own_id = str(current.get("id", ""))
        others = [contact for contact in holders.get(email, ()) if str(contact["id"]) != own_id]
        given_up = self._given_up.get(email)
        taken = given_up is not None and given_up.digest != digest_of(own_id)
        withdrawn = any(is_withdrawn(other.get("consent_status")) for other in others)
        if not self._shared_email:  # then only addresses of withdrawn contacts are kept as given up
            withdrawn = withdrawn or taken
        if self._options.consent_guard and withdrawn:
            decision = guard_consent_of_holders(decision, desired.payload, self._options.on_withdrawn)
        if not _new_email(decision):
            return decision
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


def _withdrawn(name: str) -> Violation:
    return CONSENT_WITHDRAWN._replace(field=name)


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
