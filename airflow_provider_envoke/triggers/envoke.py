"""The trigger that waits for contacts: behind the sensor, and behind asset watchers on Airflow 3."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_envoke.envoke.filters import check_search
from airflow_provider_envoke.envoke.lookup import contact_ids
from airflow_provider_envoke.envoke.messages import shown_name
from airflow_provider_envoke.envoke.requests import find_contacts
from airflow_provider_envoke.exceptions import (
    EnvokeConfigError,
    EnvokeDataError,
    EnvokeError,
    EnvokeTransientError,
)
from airflow_provider_envoke.hooks.envoke import EnvokeHook

try:
    from airflow.triggers.base import BaseEventTrigger
except ImportError:  # Airflow 2 has no asset watchers
    from airflow.triggers.base import BaseTrigger as BaseEventTrigger  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping

    from airflow_provider_envoke.client.bulk import BulkClient

#: Most ids in one event or result.
MAX_IDS = 1_000

_LONGEST_PAUSE_S = 3_600.0


class EnvokeContactTrigger(BaseEventTrigger):
    """
    Wait for contacts by asking Envoke at intervals.

    With ``min_count``, it fires once, when so many contacts match the filters: so
    :class:`~airflow_provider_envoke.sensors.envoke.EnvokeContactSensor` uses it. Without, it fires for new
    contacts, again and again, as an ``AssetWatcher`` of Airflow 3 needs it. New contacts have a higher id than all
    before; a contact that matches only later, because it was changed, is not new. Envoke does not tell Airflow of
    new contacts: it is asked.

    The payload of an event is ``{"ids": [the lowest 1,000], "count": how many these are, "more": whether there are
    others}``, without personal data. Further new contacts follow at once in the next event.

    A watcher keeps what it has seen in memory. When the triggerer restarts, it begins again: at the highest id in
    the account, so contacts that were created meanwhile are missed; or at ``after_id``, so all contacts after it
    are reported again. A sensor misses nothing.

    Failures that may be temporary are logged, and Envoke is asked again. Others end a sensor. A watcher logs them
    and asks again too, less and less often, up to once an hour: Airflow would start it again at once if it ended.

    The filters are stored in Airflow's database, encrypted if Airflow has a Fernet key. Credentials are not: the
    connection is read when Envoke is asked.

    :param envoke_conn_id: the Airflow connection.
    :param filters: as those of :meth:`~airflow_provider_envoke.hooks.envoke.EnvokeHook.find_contacts`; by default
        every contact. A watcher's filters cannot contain the id.
    :param min_count: how many contacts to wait for; ``None`` for a watcher.
    :param after_id: of a watcher: the id after which contacts are new; by default the highest at the start.
    :param poll_interval: how many seconds to wait before Envoke is asked again.
    :param extra_fields: names of fields in the filters that Envoke's documentation does not list yet.
    :raises EnvokeConfigError: if an argument is invalid.
    """

    def __init__(
        self,
        *,
        envoke_conn_id: str = EnvokeHook.default_conn_name,
        filters: Mapping[str, Any] | None = None,
        min_count: int | None = None,
        after_id: int | None = None,
        poll_interval: float = 60.0,
        extra_fields: Collection[str] = (),
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.envoke_conn_id = envoke_conn_id
        self.filters = dict(filters or {})
        self.min_count = min_count
        self.after_id = after_id
        self.poll_interval = poll_interval
        self.extra_fields = list(extra_fields)
        self._check()

    def _check(self) -> None:
        if not self.poll_interval > 0:
            raise EnvokeConfigError("poll_interval must be greater than 0 seconds.")
        check_whole("min_count", self.min_count, 1)
        check_whole("after_id", self.after_id, 0)
        if self.min_count is not None and self.after_id is not None:
            raise EnvokeConfigError("after_id cannot be combined with min_count. Use a filter on the id instead.")
        if self.min_count is None and "id" in self.filters:
            raise EnvokeConfigError("filters cannot contain id without min_count. Use after_id instead.")
        check_search(self.filters, extra_fields=self.extra_fields)
        find_contacts(self.filters)  # raises if they cannot be sent

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments, from which the triggerer creates it again."""
        names = ("envoke_conn_id", "filters", "min_count", "after_id", "poll_interval", "extra_fields")
        return f"{__name__}.{type(self).__name__}", {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        filtered = ", ".join(shown_name(name) for name in self.filters)  # not the values, which may be addresses
        return f"<{type(self).__name__} {self.envoke_conn_id} by {filtered or 'nothing'}>"

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event with ``min_count``; without, an event whenever there are new contacts."""
        if self.min_count is not None:
            yield _event(await self._wait(self.min_count))
            return
        async for event in self._watch():
            yield event

    async def _wait(self, min_count: int) -> dict[str, Any]:
        """Return the contacts, once there are enough, or ``{"error": …}`` if waiting cannot help."""
        limit = max(MAX_IDS, min_count)
        while True:
            try:
                ids = await self._find(self.filters, limit)
            except EnvokeTransientError as error:
                self._warn(error)
            except EnvokeError as error:
                return {"error": str(error)}
            else:
                if len(ids) >= min_count:
                    return found(ids, limit)
            await asyncio.sleep(self.poll_interval)

    async def _watch(self) -> AsyncIterator[TriggerEvent]:
        last, pause_s = self.after_id, self.poll_interval
        while True:
            ids: list[int] = []
            try:
                if last is None:
                    last = await self._highest_id()
                ids = await self._find_new(last)
            except EnvokeTransientError as error:
                pause_s = self.poll_interval
                self._warn(error)
            except EnvokeError as error:
                pause_s = min(2 * pause_s, max(_LONGEST_PAUSE_S, self.poll_interval))
                self.log.error("Envoke cannot be watched; trying again in %g s: %s", pause_s, error)
            else:
                pause_s = self.poll_interval
            if ids:
                new = found(ids, MAX_IDS)
                last = new["ids"][-1]
                yield _event(new)
                if new["more"]:
                    continue
            await asyncio.sleep(pause_s)

    async def _find(self, filters: Mapping[str, Any], limit: int) -> list[int]:
        """Return the ids of the contacts that match, and no more pages than ``limit`` needs."""
        ids: list[int] = []
        async with (
            await self._connect() as client,
            aclosing(client.find_contacts(filters, fields=["id"])) as pages,
        ):
            async for page in pages:
                ids = list(dict.fromkeys([*ids, *contact_ids(page)]))  # pages may overlap
                if len(ids) > limit:
                    break
        return ids

    async def _find_new(self, last: int) -> list[int]:
        ids = sorted(set(await self._find({**self.filters, "id": {"$gt": last}}, MAX_IDS)))
        if ids and ids[0] <= last:
            raise EnvokeDataError(
                "Envoke ignores the filter on the id, so new contacts cannot be told from others."
            )
        return ids

    async def _highest_id(self) -> int:
        """Return the highest id of the account, 0 if it has no contacts."""
        async with await self._connect() as client:
            page = await client.send(find_contacts({}, fields=["id"], sort={"id": "DESC"}, limit=2))
        ids = contact_ids(page)
        if ids != sorted(ids, reverse=True):
            raise EnvokeDataError("Envoke ignores the order by id, so the highest id is not known. Set after_id.")
        return ids[0] if ids else 0

    async def _connect(self) -> BulkClient:
        """Read the connection and load the certificates in a thread: the event loop belongs to all triggers."""
        from asgiref.sync import sync_to_async  # noqa: PLC0415 - only in the triggerer

        try:
            return await sync_to_async(self._open)()
        except EnvokeError:
            raise
        except Exception as error:  # whatever a secrets backend raises
            name = type(error).__name__
        raise EnvokeTransientError(f"The connection could not be read ({name}).")

    def _open(self) -> BulkClient:
        from airflow_provider_envoke.client.bulk import BulkClient  # noqa: PLC0415 - imports aiohttp

        return BulkClient(EnvokeHook(self.envoke_conn_id).get_conn(), concurrency=1)

    def _warn(self, error: EnvokeTransientError) -> None:
        self.log.warning("Envoke could not be asked; asking again in %g s: %s", self.poll_interval, error)


def _event(payload: dict[str, Any]) -> TriggerEvent:
    return TriggerEvent(payload)  # type: ignore[no-untyped-call]


def found(ids: list[int], limit: int) -> dict[str, Any]:
    """Return what an event or a result says of contacts."""
    shown = ids[:limit]
    return {"ids": shown, "count": len(shown), "more": len(ids) > limit}


def check_whole(argument: str, value: object, least: int) -> None:
    """Raise EnvokeConfigError if an argument is neither ``None`` nor a whole number from ``least`` on."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
        raise EnvokeConfigError(f"{argument} must be a whole number, {least} or more.")
