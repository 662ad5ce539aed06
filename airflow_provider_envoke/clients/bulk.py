"""Many requests at once on one event loop, over ``aiohttp``: bounded, rate-limited, retried."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp  # noqa: TID253 - this module is imported when a run begins, not before
import yarl

from airflow_provider_envoke import __version__
from airflow_provider_envoke.clients.failures import broken_answer, certificate_refused, no_answer
from airflow_provider_envoke.clients.throttle import Throttle
from airflow_provider_envoke.clients.tls import open_tls
from airflow_provider_envoke.core.answers import MAX_ANSWER_BYTES, read_answer
from airflow_provider_envoke.core.credentials import basic_credentials
from airflow_provider_envoke.core.retry import should_retry, wait_s
from airflow_provider_envoke.exceptions import EnvokeAPIError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow_provider_envoke.clients.failures import Cause
    from airflow_provider_envoke.core.config import EnvokeConfig
    from airflow_provider_envoke.core.protocol import Request
    from airflow_provider_envoke.exceptions import EnvokeError

log = logging.getLogger(__name__)

#: So often may a request be refused with 429 or 503 while others succeed, before its retries count as any other's.
MAX_REFUSALS = 20

# So often do all requests pause for one that is refused.
_SHARED_REFUSALS = 5


class BulkClient:
    """
    Sends requests side by side; every method belongs to one event loop.

    Its state: the open session, the throttle, whether the credentials have worked (a 401 after that may pass, and
    each request's first one), and counts of what was sent and of what succeeded.

    :param config: account, host and limits.
    :param concurrency: how many requests may be under way.
    :param requests_per_second: how many may start in a second; by default as the connection says.
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
        self._authenticated = False
        self.successes = 0
        self._proxy = _proxy_for(config)
        self.throttle = Throttle(concurrency, requests_per_second or config.requests_per_second, sleep=sleep)
        self.requests: Counter[str] = Counter()

    async def __aenter__(self) -> BulkClient:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self.throttle.concurrency, ssl=open_tls(self._config)),
            headers={
                "Accept": "application/json",
                "Authorization": f"Basic {basic_credentials(self._config)}",
                "Content-Type": "application/json",
                "User-Agent": f"airflow-provider-envoke/{__version__}",
            },
            timeout=aiohttp.ClientTimeout(total=self._config.timeout_s),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def send(self, request: Request) -> Any:
        """
        Send one request, again if need be, and return what the service answered.

        A request that was refused with 429 or 503 makes all of them pause, and waits its turn while others
        succeed. Refused again and again, it is the one at fault: the others go on, and it is given up in the end.

        :raises EnvokeError: see :func:`airflow_provider_envoke.core.answers.read_answer`.
        """
        attempt, refusals = 1, 0
        while True:
            successes = self.successes
            failure = await self._try(request)
            if not isinstance(failure, EnvokeAPIError):
                return failure
            throttled, others_succeed = failure.status in (429, 503), self.successes > successes
            refusals += throttled
            if throttled and others_succeed and refusals <= MAX_REFUSALS and self._config.max_retries:
                attempt = 0  # it does not count
            # A 401 may pass also where it comes first: a whole run is not given up before it was asked twice.
            authenticated = self._authenticated or attempt <= 1
            retry = should_retry(failure, idempotent=request.idempotent, authenticated=authenticated)
            if not retry or attempt > self._config.max_retries:
                raise failure
            everybody = throttled and not (others_succeed and refusals > _SHARED_REFUSALS)
            await self._back_off(failure, attempt, everybody=everybody)
            attempt += 1

    async def _back_off(self, failure: EnvokeAPIError, attempt: int, *, everybody: bool) -> None:
        pause = wait_s(failure, max(1, attempt))
        self.requests["retry"] += 1
        # The first one tells whoever watches that the service is unwell; the report counts them all.
        level = logging.WARNING if self.requests["retry"] == 1 else logging.DEBUG
        log.log(level, "A request has failed, and is sent again in %.1f s: %s", pause, failure)
        if everybody:
            self.throttle.slow_down(pause)
        else:
            await self._sleep(pause)

    async def _try(self, request: Request) -> Any:
        """Return the answer or, as a value, the failure of the service."""
        await self.throttle.acquire()
        try:
            self.requests["read" if request.method == "GET" else "write"] += 1
            answer = await self._send_once(request)
        except EnvokeAPIError as failure:
            return failure
        finally:
            self.throttle.release()
        self._authenticated = True
        self.successes += 1
        self.throttle.speed_up()
        return answer

    async def _send_once(self, request: Request) -> Any:
        failure: EnvokeError
        try:
            async with self._session.request(
                request.method,
                yarl.URL(self._config.base_url + request.target, encoded=True),
                data=request.content(),
                proxy=self._proxy,
                allow_redirects=False,
            ) as response:
                content = await _read(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = _failure(request, error, self._config)
        else:
            return read_answer(request, response.status, response.headers, content)
        # Raised out here so that no chain leads to an exception of aiohttp, which quotes the URL.
        raise failure


def _proxy_for(config: EnvokeConfig) -> str | None:
    """Return the environment's proxy; aiohttp's own way (``trust_env``) would send .netrc's credentials."""
    parts = urlsplit(config.base_url)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Read the body, at most so much of it; the session's total timeout bounds the time."""
    length = response.content_length
    if length is not None and length <= MAX_ANSWER_BYTES and "Content-Encoding" not in response.headers:
        return await response.read()
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise aiohttp.ClientPayloadError("larger than any answer can be")
    return bytes(content)


def _failure(request: Request, error: Exception, config: EnvokeConfig) -> EnvokeError:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "not valid")
        return certificate_refused(config, reason)
    if isinstance(error, aiohttp.ClientPayloadError):
        return broken_answer(request, error)
    causes = [cause for kinds, cause in _CAUSES if isinstance(error, kinds)]
    return no_answer(request, config, causes[0] if causes else "broken")


# In this order: the later ones are the base classes of the earlier.
_CAUSES: tuple[tuple[tuple[type[Exception], ...], Cause], ...] = (
    ((aiohttp.InvalidURL,), "address"),
    ((aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError), "proxy"),
    ((aiohttp.ClientConnectorDNSError,), "dns"),
    ((aiohttp.ClientConnectorSSLError,), "tls"),
    ((aiohttp.ClientConnectorError,), "refused"),
    ((aiohttp.ConnectionTimeoutError,), "connect_timeout"),
    ((TimeoutError,), "timeout"),
)
