"""Both clients with the same methods, so that one test covers both, and what such tests send."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.client.bulk import BulkClient
from airflow_provider_envoke.client.single import EnvokeClient
from airflow_provider_envoke.envoke.requests import Request
from tests.support.leak_markers import EMAIL, leaks, texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_envoke.envoke.config import EnvokeConfig
    from tests.support.faulty_server import Exchange, Step

_PATH = "/v1/contacts"
_PERSON: dict[str, Any] = {"params": (("filter[email]", EMAIL),), "body": {"email": EMAIL}}

#: Two requests with a person in the query and in the body: one may be carried out twice, one must not.
IDEMPOTENT = Request("PATCH", _PATH, _PATH, **_PERSON)
NOT_IDEMPOTENT = Request("POST", _PATH, _PATH, idempotent=False, **_PERSON)


def check_nothing_is_shown(error: BaseException) -> None:
    """Check that neither an exception nor what it is chained to holds credentials or a person's data."""
    assert (error.__cause__, error.__context__) == (None, None)
    assert [leaks(text) for text in texts_of(error) if leaks(text)] == []


class Sleeps(list[float]):
    """Records how long a client would have waited, and does not wait."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)

    async def asynchronously(self, seconds: float) -> None:
        self.append(seconds)
        await asyncio.sleep(0)


class UnderWay:
    """
    Answers as another step does, and counts how many requests are under way at once.

    :param enough: an answer is sent once so many are under way, or after ``longest_s``.
    """

    def __init__(self, step: Step, *, enough: float = math.inf, longest_s: float = 0.02) -> None:
        self._step = step
        self._enough = enough
        self._longest_s = longest_s
        self._changed = threading.Condition()
        self._under_way = 0
        self.most = 0

    def __call__(self, exchange: Exchange) -> bool:
        with self._changed:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.most >= self._enough or exchange.stopped.is_set(), self._longest_s)
            self._under_way -= 1
        return self._step(exchange)


class _Single:
    """The client on ``requests``."""

    def __init__(self, config: EnvokeConfig, sleeps: Sleeps) -> None:
        self.client = EnvokeClient(config, sleep=sleeps)
        self.send = self.client.send
        self.close = self.client.close

    def find(self, filters: Mapping[str, Any], **more: Any) -> list[dict[str, Any]]:
        """Return the contacts of all pages."""
        return list(self.client.find_contacts(filters, **more))


class _Bulk:
    """The client on ``aiohttp``, with an event loop of its own."""

    def __init__(self, config: EnvokeConfig, sleeps: Sleeps) -> None:
        self.client = BulkClient(config, sleep=sleeps.asynchronously)
        self._runner = asyncio.Runner()
        self._runner.run(self.client.__aenter__())

    def send(self, request: Request) -> Any:
        async def send() -> Any:
            await asyncio.sleep(0.001)  # a loop that runs all the time knows which connections were closed
            return await self.client.send(request)

        return self._runner.run(send())

    def find(self, filters: Mapping[str, Any], **more: Any) -> list[dict[str, Any]]:
        async def find() -> list[dict[str, Any]]:
            return [contact async for page in self.client.find_contacts(filters, **more) for contact in page]

        return self._runner.run(find())

    def close(self) -> None:
        with self._runner:
            self._runner.run(self.client.__aexit__())


Client = _Single | _Bulk
Connect = Callable[..., Client]

#: Both clients, by the name of the library that they use.
CLIENTS: dict[str, type[Client]] = {"requests": _Single, "aiohttp": _Bulk}
