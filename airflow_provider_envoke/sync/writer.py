"""Writes one row, and turns what the service says into the row's outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.core import protocol
from airflow_provider_envoke.core.consent import CONSENT_WITHDRAWN, may_undo_withdrawal, undoes_withdrawal
from airflow_provider_envoke.core.fields import Violation
from airflow_provider_envoke.core.plan import Decision, Wanted, reject
from airflow_provider_envoke.exceptions import EnvokeNotFoundError, EnvokeRejectedError, EnvokeTransientError
from airflow_provider_envoke.sync.planner import resolve_missing

if TYPE_CHECKING:
    from airflow_provider_envoke.clients.bulk import BulkClient
    from airflow_provider_envoke.core.options import SyncOptions
    from airflow_provider_envoke.core.protocol import Request

#: So many requests in a row without an answer, each after all its retries, and the service is taken for down.
MAX_UNANSWERED = 20


class Writer:
    """
    Sends updates and creations.

    Its state: how many requests in a row, each with all its retries, have had no answer, and how many requests had
    succeeded when the last of them failed.

    :param client: what the requests go through.
    :param options: the choices of the run.
    """

    def __init__(self, client: BulkClient, options: SyncOptions) -> None:
        self._client = client
        self._options = options
        self._unanswered = 0
        self._successes = 0

    async def write(self, wanted: Wanted, decision: Decision) -> Decision:
        """
        Do what was decided, and return what came of it.

        :raises EnvokeAuthError: if the credentials are refused: the run has to stop.
        :raises EnvokeTransientError: if the service is down: the run has to stop.
        """
        try:
            return await self._send(wanted, decision)
        except EnvokeNotFoundError:
            missing = resolve_missing(wanted, self._options)
        if missing.action != "create" or decision.action == "create":
            return missing
        return await self._send(wanted, missing)

    def note_unanswered(self, error: EnvokeTransientError) -> Decision:
        """
        Return the rejection of the rows of a request that had no answer.

        :raises EnvokeTransientError: after :data:`MAX_UNANSWERED` of them in a row.
        """
        if self._client.successes > self._successes:
            self._successes, self._unanswered = self._client.successes, 0
        self._unanswered += 1
        if self._unanswered >= MAX_UNANSWERED:
            raise error
        return reject(Violation("", "no_answer", str(error)))

    async def _send(self, wanted: Wanted, decision: Decision) -> Decision:
        try:
            if await self._was_withdrawn(wanted, decision):
                decision = reject(CONSENT_WITHDRAWN, decision.current)
            else:
                await self._client.send(self._request(wanted, decision))
        except EnvokeRejectedError as error:
            decision = reject(Violation("", "refused", str(error)), decision.current)
        except EnvokeTransientError as error:
            return self.note_unanswered(error)
        self._unanswered = 0
        return decision

    async def _was_withdrawn(self, wanted: Wanted, decision: Decision) -> bool:
        """
        Whether the person has said no since the contact was compared, or was not found.

        That can be long ago: a batch waits for its turn, and where ``$in`` is refused the account is read once,
        when the run begins. The API has no conditional update, so the moment from this look to the write remains.
        """
        if not (self._options.consent_guard and may_undo_withdrawal(decision.changes)):
            return False
        for filters in self._who_is_written_to(wanted, decision):
            request = protocol.find_contacts(filters, fields=["id", "consent_status"])
            if any(undoes_withdrawal(decision.changes, contact) for contact in await self._client.send(request)):
                return True
        return False

    def _who_is_written_to(self, wanted: Wanted, decision: Decision) -> list[dict[str, Any]]:
        if decision.current is not None:
            return [{"id": decision.current["id"]}]
        if decision.action == "create":
            # Whether the service minds the case of an address when it filters is not documented.
            email = str(wanted.payload["email"])
            return [{"email": spelt} for spelt in dict.fromkeys((email, email.lower()))]
        return [{self._options.keyfield: wanted.payload[self._options.keyfield]}]

    def _request(self, wanted: Wanted, decision: Decision) -> Request:
        keyfield = self._options.keyfield
        if decision.action == "create":
            # By e-mail the upsert can be sent twice without harm. By remote_id it could match another contact that
            # has the address, so there the service refuses a second contact with it.
            # Its id is left out: an upsert would update whoever has it.
            body = {name: value for name, value in wanted.payload.items() if name != "id"}
            return protocol.create_contact(body, upsert=keyfield == "email")
        if decision.current is not None:
            # What was compared is what is written, whoever changes the key in between.
            return protocol.update_contact(decision.changes, contact_id=decision.current["id"])
        key: dict[str, object] = {keyfield: wanted.payload[keyfield]}
        return protocol.update_contact({**decision.changes, **key}, keyfield=keyfield)
