"""One request at a time, over one open session of ``requests``."""

from __future__ import annotations

import logging
import time
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import requests  # noqa: TID253 - this module is imported when a task uses the network, not before
import urllib3

from airflow_provider_envoke import __version__
from airflow_provider_envoke.client.deadline import DeadlineAdapter, deadline, is_under_way
from airflow_provider_envoke.client.failures import failure_of
from airflow_provider_envoke.client.login import Login
from airflow_provider_envoke.client.retry import Attempts, cause
from airflow_provider_envoke.client.throttle import Pace
from airflow_provider_envoke.client.transport import ca_file, environment_proxy
from airflow_provider_envoke.envoke.answers import MAX_ANSWER_BYTES, read_answer
from airflow_provider_envoke.envoke.messages import mask_emails
from airflow_provider_envoke.envoke.requests import ContactPages
from airflow_provider_envoke.exceptions import EnvokeAPIError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_provider_envoke.envoke.config import EnvokeConfig
    from airflow_provider_envoke.envoke.requests import Request
    from airflow_provider_envoke.exceptions import EnvokeError

log = logging.getLogger(__name__)

_CHUNK_BYTES = 65_536


class EnvokeClient:
    """
    Sends requests one by one, with retries. It is not made for several threads.

    Its state: the open session, whether the credentials work, and when the next request may start. Once they are
    known to be wrong, nothing is sent any more.

    :param config: account, host and limits.
    :param sleep: called with seconds; tests pass one that does not wait.
    """

    def __init__(self, config: EnvokeConfig, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._config = config
        self._sleep = sleep
        self._login = Login()
        self._pace = Pace(config.requests_per_second)
        self._authorities = ca_file(config)
        self._session = _open_session(config)

    def close(self) -> None:
        """Close the session's connections."""
        self._session.close()

    def send(self, request: Request) -> Any:
        """
        Send one request, with retries, and return the service's answer.

        :raises EnvokeError: see :func:`airflow_provider_envoke.envoke.answers.read_answer`.
        """
        self._login.check()
        attempts = Attempts(request, self._config.max_retries)
        while True:
            try:
                return self._send_once(request)
            except EnvokeAPIError as error:
                failure = error
            self._login.record(failure)
            attempts.record(failure)
            if attempts.has_deleted(failure):
                return None
            pause_s = attempts.pause_s(failure, authenticated=self._login.trusted)
            log.warning(
                "%s %s: attempt %d of %d failed (%s), next in %.1f s.",
                request.method,
                request.path_template,
                attempts.counted,
                self._config.max_retries + 1,
                cause(failure),
                pause_s,
            )
            self._sleep(pause_s)

    def find_contacts(
        self,
        filters: Mapping[str, Any],
        *,
        fields: Sequence[str] | None = None,
        sort: Mapping[str, str] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the contacts that match, requesting a page when the previous one is used up."""
        pages = ContactPages(filters, fields=fields, sort=sort)
        while pages.request is not None:
            yield from pages.take(self.send(pages.request))

    def _send_once(self, request: Request) -> Any:
        content_sent = request.content()
        if wait_s := self._pace.reserve():
            self._sleep(wait_s)
        failure: EnvokeError
        try:
            with (
                deadline(self._config.timeout_s),
                self._session.request(
                    request.method,
                    self._config.base_url + request.target,
                    data=content_sent,
                    timeout=self._config.timeout_s,
                    verify=self._authorities,
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                content = _read(response)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            failure = failure_of(request, self._config, error)
        else:
            answer = read_answer(request, response.status_code, response.headers, content)
            self._login.worked = True
            return answer
        # Raised here, so that it is not chained to an exception of requests, which quotes the URL.
        raise failure


def _read(response: requests.Response) -> bytes:
    """Read the body, up to a size."""
    chunks = bytearray()
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
        chunks += chunk
        if len(chunks) > MAX_ANSWER_BYTES:
            raise urllib3.exceptions.ProtocolError("the response is too large")
    return bytes(chunks)


def _open_session(config: EnvokeConfig) -> requests.Session:
    session = _Session()
    session.mount("http://", DeadlineAdapter())
    session.mount("https://", DeadlineAdapter())
    session.headers.update(
        {
            "Accept": "application/json",
            "Authorization": f"Basic {config.basic_credentials}",
            "Content-Type": "application/json",
            "User-Agent": f"airflow-provider-envoke/{__version__}",
        }
    )
    session.trust_env = False  # requests would send .netrc's credentials
    if proxy := environment_proxy(config):
        session.proxies = {"http": proxy, "https": proxy}
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


class _Session(requests.Session):
    """Ignores redirects: requests reads the body of one without a limit, and fails on an invalid target."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - the name that requests uses
        return None


class _MaskEmails(logging.Filter):
    """
    Masks the URLs that urllib3 logs during our requests, at DEBUG and with bad headers at WARNING.

    The filters in these URLs hold email addresses. Records of other users of urllib3 are left as they are.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if not is_under_way():
            return True
        if isinstance(record.args, tuple):
            record.args = tuple(
                mask_emails(str(arg)) if isinstance(arg, str | Exception) else arg for arg in record.args
            )
        record.exc_info = None  # a traceback would quote the headers
        return True


for _name in ("urllib3.connection", "urllib3.connectionpool"):
    logging.getLogger(_name).addFilter(_MaskEmails())
