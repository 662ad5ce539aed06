"""Who is in Envoke now: contacts by many keys, read with a filter, or if that is refused from all pages, once."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.fields import id_of, match_key
from airflow_provider_envoke.envoke.requests import CONTACTS_PATH, PAGE_SIZE, find_contacts
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeRejectedError, EnvokeTransientError
from airflow_provider_envoke.sync.duplicates import digest_of, temporary_database
from airflow_provider_envoke.sync.guards import CONSENT_FIELDS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

    from airflow_provider_envoke.client.bulk import BulkClient
    from airflow_provider_envoke.envoke.fields import Keyfield
    from airflow_provider_envoke.sync.compare import DesiredContact

log = logging.getLogger(__name__)

Contacts = dict[str, list[dict[str, Any]]]


class ContactReader:
    """
    Finds contacts by many keys at once.

    Its state: how contacts were found, and for each field whose ``$in`` filter is refused, a private temporary
    file with the account's contacts as they were when they were read.
    """

    def __init__(self, client: BulkClient) -> None:
        self._client = client
        self._snapshots: dict[str, sqlite3.Connection] = {}
        self._loading = asyncio.Lock()
        self.read_by = "nothing"

    def close(self) -> None:
        """Delete the temporary files."""
        for snapshot in self._snapshots.values():
            snapshot.close()

    async def read_rows(self, rows: Sequence[DesiredContact], keyfield: Keyfield, *, fresh: bool) -> Contacts:
        """
        Return the contacts of these rows, with the fields that the rows are compared by.

        :param fresh: whether a snapshot would be outdated, because this run has written these contacts.
        """
        if not rows:
            return {}
        names = {name for desired in rows for name in desired.payload}
        fields = sorted(names | {"email", keyfield, *CONSENT_FIELDS})
        keys = [str(desired.payload[keyfield]) for desired in rows]
        keys += [desired.spelled_key for desired in rows if desired.spelled_key]
        return await self._read(keyfield, keys, fields, fresh=fresh)

    async def read_holders(self, emails: Sequence[str]) -> Contacts:
        """Return email address -> the contacts that have it, with what the guards look at."""
        return await self._read("email", emails, ["email", *CONSENT_FIELDS]) if emails else {}

    async def _read(
        self, field: Keyfield, keys: Sequence[str], fields: Sequence[str], *, fresh: bool = False
    ) -> Contacts:
        """Return key, as :func:`match_key` returns it -> the contacts that have it."""
        if field not in self._snapshots:
            try:
                return await self._read_filtered(field, keys, fields)
            except EnvokeRejectedError as error:
                with self._client.throttle.unfinished_work():
                    await self._load_snapshot(field, error)
        if fresh:
            return await self._read_one_by_one(field, keys, fields)
        return self._look_up(field, keys)

    async def _read_filtered(self, field: Keyfield, keys: Sequence[str], fields: Sequence[str]) -> Contacts:
        found = await asyncio.gather(
            *(self._find({field: {"$in": chunk}}, fields) for chunk in _chunks(field, list(keys), fields))
        )
        if self.read_by == "nothing":
            self.read_by = "filter"
        return _by_key(field, (contact for contacts in found for contact in contacts))

    async def _read_one_by_one(self, field: Keyfield, keys: Sequence[str], fields: Sequence[str]) -> Contacts:
        found = await asyncio.gather(*(self._find({field: key}, fields) for key in keys))
        return _by_key(field, (contact for contacts in found for contact in contacts))

    async def _find(self, filters: dict[str, Any], fields: Sequence[str]) -> list[dict[str, Any]]:
        contacts: list[dict[str, Any]] = []
        async for page in self._client.find_contacts(filters, fields=fields):
            contacts += _checked(page)
        return contacts

    async def _load_snapshot(self, field: Keyfield, refusal: EnvokeRejectedError) -> None:
        async with self._loading:
            if field in self._snapshots:
                return
            log.warning("%s Reading all contacts of the account instead.", refusal)
            snapshot = temporary_database(
                "CREATE TABLE contacts (key BLOB, id INTEGER, body TEXT, PRIMARY KEY (key, id))"
            )
            try:
                async for page in self._every_page():
                    rows = [
                        (digest_of(match_key(field, item.get(field))), int(item["id"]), json.dumps(item))
                        for item in page
                    ]
                    snapshot.executemany("INSERT OR REPLACE INTO contacts VALUES (?, ?, ?)", rows)
            except BaseException:
                snapshot.close()
                raise
            self._snapshots[field] = snapshot
            self.read_by = "pages"

    async def _every_page(self) -> AsyncIterator[list[dict[str, Any]]]:
        """
        Yield the account's contacts by id, some of them more than once.

        Each page begins with the last contact of the page before. If it does not, contacts were deleted meanwhile
        and others have moved up: then the reader steps back until the pages meet again.
        """
        skip = last_id = 0
        while True:
            page = _checked(await self._client.send(find_contacts({}, skip=skip)))
            first_id = int(page[0]["id"]) if page else None
            if skip and (first_id is None or first_id > last_id):
                skip = max(0, skip - PAGE_SIZE)
                continue
            yield page
            if len(page) < PAGE_SIZE:
                return
            last_id = int(page[-1]["id"])
            skip += len(page) - 1

    def _look_up(self, field: Keyfield, keys: Iterable[str]) -> Contacts:
        found: Contacts = {}
        for key in (match_key(field, key) for key in keys):
            rows = self._snapshots[field].execute(
                "SELECT body FROM contacts WHERE key = ? ORDER BY id", (digest_of(key),)
            )
            contacts = [json.loads(body) for (body,) in rows]
            if contacts:
                found[key] = contacts
        return found


def _checked(page: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the page, if every contact has an id: without one it cannot be written."""
    if all(id_of(contact) is not None for contact in page):
        return page
    raise EnvokeTransientError(
        f"Envoke's response to GET {CONTACTS_PATH} cannot be used: a contact in it has no id. Its rows were not "
        "written. Retry the task.",
        status=200,
        method="GET",
        path=CONTACTS_PATH,
    )


def _by_key(field: Keyfield, contacts: Iterable[dict[str, Any]]) -> Contacts:
    groups: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for contact in contacts:
        groups[match_key(field, contact.get(field))].append(contact)
    return groups


def _chunks(field: Keyfield, keys: list[str], fields: Sequence[str]) -> Iterator[list[str]]:
    """Split keys so that each URL stays within the limit."""
    queue = [keys]
    while queue:
        chunk = queue.pop()
        try:
            find_contacts({field: {"$in": chunk}}, fields=fields)
        except EnvokeConfigError:
            if len(chunk) == 1:
                raise
            middle = len(chunk) // 2
            queue += [chunk[:middle], chunk[middle:]]
        else:
            yield chunk
