"""Reads the current contacts of a batch: by a filter, or where that is refused from one reading of all pages."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.core import protocol
from airflow_provider_envoke.core.payload import as_contact_id
from airflow_provider_envoke.core.plan import match_key
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeRejectedError, EnvokeTransientError
from airflow_provider_envoke.sync.seen import digest_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

    from airflow_provider_envoke.clients.bulk import BulkClient
    from airflow_provider_envoke.core.protocol import Keyfield, Request

log = logging.getLogger(__name__)

Contacts = dict[str, list[dict[str, Any]]]


class ContactReader:
    """
    Finds contacts by many keys at once.

    Its state: for each field of which ``$in`` is refused, a private temporary file with the account's contacts as
    they were when they were read.

    :param client: what the requests go through.
    """

    def __init__(self, client: BulkClient) -> None:
        self._client = client
        self._snapshots: dict[str, sqlite3.Connection] = {}
        self._loading = asyncio.Lock()
        self.read_by = "nothing"

    def close(self) -> None:
        """Drop the temporary files."""
        for snapshot in self._snapshots.values():
            snapshot.close()

    async def read(
        self, field: Keyfield, keys: Iterable[str], fields: Sequence[str], *, fresh: bool = False
    ) -> Contacts:
        """
        Return key -> the contacts that have it; keys without contacts are left out.

        The keys of the result are spelt as :func:`airflow_provider_envoke.core.plan.match_key` does.

        :param field: the field that the keys are values of.
        :param keys: the keys, as the rows spell them: whether the service minds the case is not documented.
        :param fields: names of the fields to return.
        :param fresh: whether a snapshot would be too old, because this run has written these contacts.
        :raises EnvokeError: if the service refuses or cannot be reached.
        """
        wanted = list(keys)
        if field not in self._snapshots:
            try:
                return await self._read_filtered(field, wanted, fields)
            except EnvokeRejectedError as error:
                await self._load_snapshot(field, error)
        if fresh:
            return await self._read_one_by_one(field, wanted, fields)
        return self._look_up(field, wanted)

    async def _read_filtered(self, field: Keyfield, keys: list[str], fields: Sequence[str]) -> Contacts:
        pages = await asyncio.gather(
            *(self._pages({field: {"$in": chunk}}, fields) for chunk in _chunks(field, keys, fields))
        )
        if self.read_by == "nothing":
            self.read_by = "filter"
        return _grouped(field, (contact for page in pages for contact in page))

    async def _read_one_by_one(self, field: Keyfield, keys: list[str], fields: Sequence[str]) -> Contacts:
        pages = await asyncio.gather(*(self._pages({field: key}, fields) for key in keys))
        return _grouped(field, (contact for page in pages for contact in page))

    async def _pages(self, filters: dict[str, Any], fields: Sequence[str]) -> list[dict[str, Any]]:
        contacts: list[dict[str, Any]] = []
        while True:
            page = await self._read_page(protocol.find_contacts(filters, fields=fields, skip=len(contacts)))
            contacts += page
            if len(page) < protocol.PAGE_SIZE:
                return contacts

    async def _read_page(self, request: Request) -> list[dict[str, Any]]:
        page: list[dict[str, Any]] = await self._client.send(request)
        if not all(_has_id(contact) for contact in page):
            raise EnvokeTransientError(
                f"Envoke's answer to {request.method} {request.path_template} cannot be used: it holds a contact "
                "without an id. Nothing was written because of it; run the task again.",
                status=200,
                method=request.method,
                path=request.path_template,
            )
        return page

    async def _load_snapshot(self, field: Keyfield, refusal: EnvokeRejectedError) -> None:
        async with self._loading:
            if field in self._snapshots:
                return
            log.warning("%s The whole account is read page by page instead, once.", refusal)
            snapshot = sqlite3.connect("", isolation_level=None)
            snapshot.execute("PRAGMA journal_mode=OFF")
            snapshot.execute("PRAGMA cache_size=-2048")  # KiB
            snapshot.execute("CREATE TABLE contacts (key BLOB, id INTEGER, body TEXT, PRIMARY KEY (key, id))")
            async for page in self._every_page():
                rows = [
                    (digest_of(match_key(field, item.get(field))), int(item["id"]), json.dumps(item))
                    for item in page
                ]
                snapshot.executemany("INSERT OR REPLACE INTO contacts VALUES (?, ?, ?)", rows)
            self._snapshots[field] = snapshot
            self.read_by = "pages"

    async def _every_page(self) -> AsyncIterator[list[dict[str, Any]]]:
        """
        Yield the account's contacts by their ids, some of them more than once.

        Each page begins with the last contact of the one before. If it does not, contacts were deleted meanwhile
        and others have moved up: then the reading steps back until the pages meet again.
        """
        skip = last_id = 0
        while True:
            page = await self._read_page(protocol.find_contacts({}, skip=skip))
            first_id = int(page[0]["id"]) if page else None
            if skip and (first_id is None or first_id > last_id):
                skip = max(0, skip - protocol.PAGE_SIZE)
                continue
            yield page
            if len(page) < protocol.PAGE_SIZE:
                return
            last_id = int(page[-1]["id"])
            skip += len(page) - 1

    def _look_up(self, field: Keyfield, keys: list[str]) -> Contacts:
        found: Contacts = {}
        for key in (match_key(field, key) for key in keys):
            rows = self._snapshots[field].execute(
                "SELECT body FROM contacts WHERE key = ? ORDER BY id", (digest_of(key),)
            )
            contacts = [json.loads(body) for (body,) in rows]
            if contacts:
                found[key] = contacts
        return found


def _has_id(contact: dict[str, Any]) -> bool:
    try:
        return as_contact_id(contact.get("id")) is not None
    except ValueError:
        return False


def _grouped(field: Keyfield, contacts: Iterable[dict[str, Any]]) -> Contacts:
    groups: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for contact in contacts:
        groups[match_key(field, contact.get(field))].append(contact)
    return groups


def _chunks(field: Keyfield, keys: list[str], fields: Sequence[str]) -> Iterator[list[str]]:
    """Split keys so that each URL stays within the limit."""
    queue = [keys] if keys else []
    while queue:
        chunk = queue.pop()
        try:
            protocol.find_contacts({field: {"$in": chunk}}, fields=fields)
        except EnvokeConfigError:
            if len(chunk) == 1:
                raise
            middle = len(chunk) // 2
            queue += [chunk[:middle], chunk[middle:]]
        else:
            yield chunk
