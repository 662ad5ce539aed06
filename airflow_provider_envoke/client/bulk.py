"""Many requests at once on one event loop, over ``aiohttp``."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import aiohttp  # noqa: TID253 - this module is imported when a run begins, not before
import yarl

from airflow_provider_envoke import __version__
from airflow_provider_envoke.client.failures import failure_of
from airflow_provider_envoke.client.login import Login
from airflow_provider_envoke.client.retry import THROTTLED_STATUSES, Attempts, cause
from airflow_provider_envoke.client.throttle import Throttle
from airflow_provider_envoke.client.transport import environment_proxy, open_tls
from airflow_provider_envoke.envoke.answers import MAX_ANSWER_BYTES, read_answer
from airflow_provider_envoke.envoke.requests import ContactPages
from airflow_provider_envoke.exceptions import (
    EnvokeAPIError,
    EnvokeAuthError,
    EnvokeError,
    EnvokeTransientError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

    from airflow_provider_envoke.envoke.config import EnvokeConfig
    from airflow_provider_envoke.envoke.requests import Request

log = logging.getLogger(__name__)

# How many 429/503 responses of one request, while others succeed, pause all requests; after that only itself.
_SHARED_PAUSES = 5

# While requests go one at a time, each attempt counts as a request without an answer, up to this many for each
# request: otherwise a run would take an hour to find out that the service is down.
_MOST_UNANSWERED = 5


class BulkClient:
    """
    Sends requests concurrently, with retries. Every method belongs to one event loop.

    Its state: the open session, the throttle, whether the credentials work, how many requests were sent and how
    many succeeded, and how many in a row got no answer.

    Until the credentials have worked, requests go one at a time.

    :param sleep: called with seconds; tests pass one that does not wait.
    """

    def __init__(
        self,
        config: EnvokeConfig,
        *,
        concurrency: int = 8,
        requests_per_second: float | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._config = config
        self._sleep = sleep
        self._login = Login()
        self._probing = asyncio.Lock()
        # aiohttp's own ``trust_env`` would also send .netrc's credentials.
        self._proxy = environment_proxy(config)
        self._tls = open_tls(config)
        self.throttle = Throttle(concurrency, requests_per_second or config.requests_per_second, sleep=sleep)
        self.requests: Counter[str] = Counter()
        self.successes = 0
        self.unanswered = 0

    async def __aenter__(self) -> BulkClient:
        self._session = aiohttp.ClientSession(
            # limit=0: the throttle bounds the connections too.
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "Accept": "application/json",
                "Authorization": f"Basic {self._config.basic_credentials}",
                "Content-Type": "application/json",
                "User-Agent": f"airflow-provider-envoke/{__version__}",
            },
            # Connecting has less time, so that it is known whether the request was sent before the time was up.
            # aiohttp would round both up to a whole second, perhaps to the same one.
            timeout=aiohttp.ClientTimeout(
                total=self._config.timeout_s, connect=0.9 * self._config.timeout_s, ceil_threshold=math.inf
            ),
            trace_configs=[_tracing()],
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def send(self, request: Request, in_doubt: Callable[[bool], None] = lambda _: None) -> Any:
        """
        Send one request, with retries, and return the service's answer, as :class:`EnvokeClient` does.

        :param in_doubt: called with true before the request is sent, and with false if it has failed and cannot
            have been carried out: a caller that cancels the request knows whether it may have arrived.

        After a 429 or 503 all requests pause. If the same request gets them again and again while others succeed,
        only that request pauses, and fails in the end.
        """
        with self.throttle.unfinished_work():
            if not self._login.worked:
                async with self._probing:  # one at a time: wrong credentials are tried only twice
                    if not self._login.worked:
                        return await self._probe(request, in_doubt)
            return await self._send_with_retries(request, in_doubt)

    async def _probe(self, request: Request, in_doubt: Callable[[bool], None]) -> Any:
        self._login.check()
        try:
            return await self._send_with_retries(request, in_doubt)
        except EnvokeAuthError as error:
            self._login.rejection = error
            raise

    async def _send_with_retries(self, request: Request, in_doubt: Callable[[bool], None]) -> Any:
        attempts = Attempts(request, self._config.max_retries)
        successes_before = self.successes
        while True:
            successes = self.successes
            try:
                return await self._send_in_slot(request, in_doubt)
            except EnvokeError as error:
                attempts.record(error)
                in_doubt(attempts.may_have_arrived)
                if not isinstance(error, EnvokeAPIError):
                    raise
                failure = error
            self._login.record(failure)
            if attempts.has_deleted(failure):
                return None
            others_succeed = self.successes > successes
            try:
                pause_s = attempts.pause_s(
                    failure, authenticated=self._login.trusted, others_succeed=others_succeed
                )
            except EnvokeAPIError:
                # A request that fails while others succeed is no sign of an outage.
                outage = isinstance(failure, EnvokeTransientError) and self.successes == successes_before
                weight = 1 if self._login.worked else min(attempts.counted, _MOST_UNANSWERED)
                self.unanswered = self.unanswered + weight if outage else 0
                raise
            alone = others_succeed and attempts.throttled > _SHARED_PAUSES
            await self._pause(pause_s, failure, alone=alone)

    async def find_contacts(
        self, filters: Mapping[str, Any], *, fields: Sequence[str] | None = None
    ) -> AsyncGenerator[list[dict[str, Any]], None]:
        """Yield the contacts that match, a page at a time."""
        pages = ContactPages(filters, fields=fields)
        while pages.request is not None:
            yield pages.take(await self.send(pages.request))

    async def _pause(self, pause_s: float, failure: EnvokeAPIError, *, alone: bool) -> None:
        self.requests["retry"] += 1
        # The first warning shows that the service has trouble; the report counts all retries.
        level = logging.WARNING if self.requests["retry"] == 1 else logging.DEBUG
        log.log(level, "A request failed (%s), next attempt in %.1f s.", cause(failure), pause_s)
        if failure.status in THROTTLED_STATUSES and not alone:
            self.throttle.slow_down(pause_s)
        else:
            await self._sleep(pause_s)

    async def _send_in_slot(self, request: Request, in_doubt: Callable[[bool], None]) -> Any:
        await self.throttle.acquire()
        try:
            self.requests["read" if request.method == "GET" else "write"] += 1
            answer = await self._send_once(request, in_doubt)
        finally:
            self.throttle.release()
        self._login.worked = True
        self.successes += 1
        self.unanswered = 0
        self.throttle.speed_up()
        return answer

    async def _send_once(self, request: Request, in_doubt: Callable[[bool], None]) -> Any:
        failure: EnvokeError
        try:
            async with self._session.request(
                request.method,
                yarl.URL(self._config.base_url + request.target, encoded=True),
                data=request.content(),
                proxy=self._proxy,
                allow_redirects=False,
                trace_request_ctx=in_doubt,
            ) as response:
                content = await _read(response)
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            failure = failure_of(request, self._config, error)
        else:
            return read_answer(request, response.status, response.headers, content)
        # Raised here, so that it is not chained to an exception of aiohttp, which quotes the URL.
        raise failure


def _tracing() -> aiohttp.TraceConfig:
    """Let ``in_doubt`` know when the connection is open and a request is about to be written to it."""

    async def begin(_: Any, context: Any, __: Any) -> None:
        context.trace_request_ctx(True)

    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(begin)
    return tracing


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Read the body, up to a size; the session's total timeout bounds the time."""
    length = response.content_length
    if length is not None and length <= MAX_ANSWER_BYTES and "Content-Encoding" not in response.headers:
        return await response.read()
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise aiohttp.ClientPayloadError("the response is too large")
    return bytes(content)
