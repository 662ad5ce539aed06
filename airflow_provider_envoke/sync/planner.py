"""Decides what becomes of a batch's rows: reads the contacts, compares, and applies the guards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_envoke.core.consent import CONSENT_WITHDRAWN, may_undo_withdrawal, raises_withdrawn_consent
from airflow_provider_envoke.core.fields import Violation, allows_sending
from airflow_provider_envoke.core.plan import Decision, Wanted, decide, match_key, reject
from airflow_provider_envoke.sync.intake import shared_email
from airflow_provider_envoke.sync.seen import Claims, digest_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_envoke.core.options import SyncOptions
    from airflow_provider_envoke.sync.intake import Batch
    from airflow_provider_envoke.sync.reader import ContactReader, Contacts

Decisions = list[tuple[Wanted, Decision]]


class Draft(NamedTuple):
    """
    A batch's decisions before its addresses were watched.

    :param decisions: the rows and what is to be done about them.
    :param holders: address -> the contacts that have it now.
    """

    decisions: Decisions
    holders: Contacts


class Planner:
    """
    Plans batches: :meth:`draft` may run for many batches at once, :meth:`settle` goes in the order of the rows.

    Its state: the addresses that contacts have given up in this run, and which contact it was. They are not free
    for others until the next run, so that the result does not depend on which request came first.

    :param reader: finds the current contacts.
    :param options: the choices of the run.
    """

    def __init__(self, reader: ContactReader, options: SyncOptions) -> None:
        self._reader = reader
        self._options = options
        self._released = Claims()

    def close(self) -> None:
        """Drop the temporary file."""
        self._released.close()

    async def draft(self, batch: Batch) -> Draft:
        """
        Read the contacts and decide about each row by itself.

        :raises EnvokeError: if the contacts cannot be read.
        """
        looked_at = [wanted for wanted in batch.wanted if self._needs_look(wanted)]
        matches: Contacts = {}
        if looked_at:
            keyfield = self._options.keyfield
            keys = [str(wanted.payload[keyfield]) for wanted in looked_at]
            fields = _fields_to_read(looked_at, keyfield)
            matches = await self._reader.read(keyfield, keys, fields, fresh=batch.after_all)
        seen = {wanted.row for wanted in looked_at}
        decisions = [
            (
                wanted,
                self._decide(wanted, matches.get(wanted.key, ()))
                if wanted.row in seen
                else Decision("update", changes=self._all_fields(wanted)),
            )
            for wanted in batch.wanted
        ]
        return Draft(decisions, await self._read_holders(decisions))

    def settle(self, draft: Draft) -> Decisions:
        """Apply the guards that look at other contacts with an address, and note which addresses become free."""
        if not self._watches_email:
            return draft.decisions
        return [
            (wanted, self._watch_email(wanted, decision, draft.holders)) for wanted, decision in draft.decisions
        ]

    @property
    def _watches_email(self) -> bool:
        """With the address as the key, addresses do not change."""
        return self._options.keyfield != "email" and (
            self._options.shared_email_guard or self._options.consent_guard
        )

    def _needs_look(self, wanted: Wanted) -> bool:
        options, payload = self._options, wanted.payload
        return (
            options.strategy == "changed"
            or not self._all_fields(wanted)
            or (options.consent_guard and may_undo_withdrawal(payload))
            or (options.guards_shared_email and bool(payload.get("email")))
        )

    def _decide(self, wanted: Wanted, matches: Sequence[dict[str, Any]]) -> Decision:
        options = self._options
        decision = decide(
            wanted,
            matches,
            keyfield=options.keyfield,
            consent_guard=options.consent_guard,
            ambiguous_guard=options.ambiguous_guard,
        )
        if decision.action == "create":
            return resolve_missing(wanted, options)
        changes = self._all_fields(wanted)
        if options.strategy == "all" and changes and decision.action in ("update", "unchanged"):
            return Decision("update", changes=changes, current=decision.current)
        return decision

    def _all_fields(self, wanted: Wanted) -> dict[str, Any]:
        return {
            name: value for name, value in wanted.payload.items() if name not in (self._options.keyfield, "id")
        }

    async def _read_holders(self, decisions: Decisions) -> Contacts:
        """Read who has the addresses that contacts are to get, as far as a guard has to know."""
        emails = [
            email
            for wanted, decision in decisions
            if (email := _new_email(decision))
            and (self._options.guards_shared_email or allows_sending(wanted.payload.get("consent_status")))
        ]
        if not (self._watches_email and emails):
            return {}
        return await self._reader.read("email", emails, ["id", "email", "consent_status"])

    def _watch_email(self, wanted: Wanted, decision: Decision, holders: Contacts) -> Decision:
        email = match_key("email", _new_email(decision))
        if not email:
            return decision
        own_id = str((decision.current or {}).get("id", ""))
        others = [contact for contact in holders.get(email, ()) if str(contact["id"]) != own_id]
        if self._options.consent_guard and any(
            raises_withdrawn_consent(wanted.payload, other) for other in others
        ):
            return reject(CONSENT_WITHDRAWN, decision.current)
        if self._options.guards_shared_email:
            released = self._released.get(email)
            if others:
                return reject(shared_email("another contact has this address"), decision.current)
            if released is not None and released.digest != digest_of(own_id):
                return reject(
                    shared_email("another contact had this address when the run began"), decision.current
                )
            old = match_key("email", (decision.current or {}).get("email"))
            if old:
                self._released.claim(old, 0, digest_of(own_id))
        return decision


def resolve_missing(wanted: Wanted, options: SyncOptions) -> Decision:
    """Decide about a row whose contact does not exist, as ``on_missing`` says."""
    if options.on_missing == "skip":
        return Decision("skip", reason="not_found", message="no contact has this key")
    if options.on_missing == "reject":
        message = "no contact has this key; create it in Envoke, or say on_missing='create' or 'skip'"
        return reject(Violation(options.keyfield, "not_found", message))
    if options.keyfield == "id":
        message = "contacts get their ids from Envoke, so none can be created by id"
        return reject(Violation("id", "cannot_create", message))
    if not wanted.payload.get("email"):
        return reject(Violation("email", "cannot_create", "a contact cannot be created without an email"))
    changes = {name: value for name, value in wanted.payload.items() if name not in (options.keyfield, "id")}
    return Decision("create", changes=changes)


def _new_email(decision: Decision) -> str:
    """Return the address that a decision gives to a contact that has another one, or ``""``."""
    if decision.action not in ("update", "create"):
        return ""
    new = str(decision.changes.get("email") or "")
    same = match_key("email", new) == match_key("email", (decision.current or {}).get("email"))
    return "" if same else new


def _fields_to_read(rows: Sequence[Wanted], keyfield: str) -> list[str]:
    """Return the names of the fields that these rows are compared by: less to read is less to wait for."""
    names = {name for wanted in rows for name in wanted.payload}
    return sorted(names | {"id", "email", "consent_status", keyfield})
