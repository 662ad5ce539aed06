"""One request at a time, over one session of ``requests`` that is kept open."""

from __future__ import annotations

import logging
import ssl
import time
import traceback
from typing import TYPE_CHECKING, Any

import requests  # noqa: TID253 - this module is imported when a task talks to the network, not before
import tenacity
import urllib3

from airflow_provider_envoke import __version__
from airflow_provider_envoke.clients.failures import broken_answer, certificate_refused, no_answer
from airflow_provider_envoke.clients.tls import ca_file
from airflow_provider_envoke.core import protocol
from airflow_provider_envoke.core.answers import MAX_ANSWER_BYTES, read_answer
from airflow_provider_envoke.core.credentials import basic_credentials
from airflow_provider_envoke.core.masking import mask_emails
from airflow_provider_envoke.core.retry import should_retry, wait_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_provider_envoke.clients.failures import Cause
    from airflow_provider_envoke.core.config import EnvokeConfig
    from airflow_provider_envoke.core.protocol import Request
    from airflow_provider_envoke.exceptions import EnvokeError

log = logging.getLogger(__name__)

_CHUNK_BYTES = 65_536


class EnvokeClient:
    """
    Sends requests, reads the answers, and sends again what may be sent again.

    Its state: the open session, whether the credentials have worked (a 401 after that may pass), and when the
    next request may go out. It is not made for several threads.

    :param config: account, host and limits.
    :param sleep: called with seconds; tests pass one that does not wait.
    """

    def __init__(self, config: EnvokeConfig, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._config = config
        self._sleep = sleep
        self._authenticated = False
        self._next_slot_s = 0.0
        self._authorities = ca_file(config)
        self._session = _open_session(config)

    def close(self) -> None:
        """Close the session's connections."""
        self._session.close()

    def send(self, request: Request) -> Any:
        """
        Send one request, again if need be, and return what the service answered.

        :raises EnvokeError: see :func:`airflow_provider_envoke.core.answers.read_answer`.
        """
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._config.max_retries + 1),
            wait=_wait_s,
            retry=tenacity.retry_if_exception(
                lambda error: should_retry(error, idempotent=request.idempotent, authenticated=self._authenticated)
            ),
            before_sleep=self._log_retry,
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(self._send_once, request)

    def find_contacts(
        self,
        filters: Mapping[str, Any],
        *,
        fields: Sequence[str] | None = None,
        sort: Mapping[str, str] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the contacts that match, asking for a page when the one before it is used up."""
        skip = 0
        while True:
            page = self.send(protocol.find_contacts(filters, fields=fields, sort=sort, skip=skip))
            yield from page
            if len(page) < protocol.PAGE_SIZE:
                return
            skip += len(page)

    def _send_once(self, request: Request) -> Any:
        content_sent = request.content()
        self._wait_for_slot()
        failure: EnvokeError
        try:
            with self._session.request(
                request.method,
                self._config.base_url + request.target,
                data=content_sent,
                timeout=self._config.timeout_s,
                verify=self._authorities,
                allow_redirects=False,
                stream=True,
            ) as response:
                content = self._read(response)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            failure = _failure(request, error, self._config)
        else:
            answer = read_answer(request, response.status_code, response.headers, content)
            self._authenticated = True
            return answer
        # Raised out here so that no chain leads to an exception of requests, which quotes the URL.
        raise failure

    def _read(self, response: requests.Response) -> bytes:
        """Read the body, at most so long and so much: an answer that drips must not hold the task."""
        deadline = time.monotonic() + self._config.timeout_s
        chunks = bytearray()
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            chunks += chunk
            if len(chunks) > MAX_ANSWER_BYTES:
                raise urllib3.exceptions.ProtocolError("larger than any answer can be")
            if time.monotonic() > deadline:
                raise urllib3.exceptions.TimeoutError("the answer did not end in time")
        return bytes(chunks)

    def _wait_for_slot(self) -> None:
        if self._config.requests_per_second is None:
            return
        now = time.monotonic()
        if now < self._next_slot_s:
            self._sleep(self._next_slot_s - now)
        self._next_slot_s = max(now, self._next_slot_s) + 1 / self._config.requests_per_second

    def _log_retry(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning(
            "Attempt %d of %d failed, and the request is sent again in %.1f s: %s",
            state.attempt_number,
            self._config.max_retries + 1,
            state.upcoming_sleep,
            error,
        )


def _wait_s(state: tenacity.RetryCallState) -> float:
    return wait_s(state.outcome.exception() if state.outcome else None, state.attempt_number)


def _open_session(config: EnvokeConfig) -> requests.Session:
    session = _Session()
    session.headers.update(
        {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": f"airflow-provider-envoke/{__version__}",
        }
    )
    # An auth object, not a header: requests would put .netrc's credentials in the place of a bare header.
    session.auth = _BasicAuth(basic_credentials(config))
    return session


class _Session(requests.Session):
    """Looks at no redirect: requests reads even an unfollowed one's body unbounded, and trips on a bad target."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - the name is that of requests
        return None


class _BasicAuth(requests.auth.AuthBase):
    """HTTP Basic from UTF-8; the class of requests takes Latin-1 alone."""

    def __init__(self, credentials: str) -> None:
        self._credentials = credentials

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        prepared.headers["Authorization"] = f"Basic {self._credentials}"
        return prepared

    def __repr__(self) -> str:
        return "_BasicAuth(***)"


def _failure(request: Request, error: Exception, config: EnvokeConfig) -> EnvokeError:
    certificate = _find(error, ssl.SSLCertVerificationError)
    if isinstance(certificate, ssl.SSLCertVerificationError):
        return certificate_refused(config, certificate.verify_message)
    if isinstance(error, requests.RequestException):
        return no_answer(request, config, _cause(error))
    return broken_answer(request, error)


def _cause(error: requests.RequestException) -> Cause:
    for kind, cause in _CAUSES:
        if _find(error, kind) is not None:
            return cause
    return "tls" if _in_handshake(error) else "broken"


def _in_handshake(error: requests.RequestException) -> bool:
    """Whether TLS failed before anything was sent: only the traceback tells that from a failure after it."""
    failure = _find(error, ssl.SSLError)
    frames = traceback.walk_tb(failure.__traceback__ if failure else None)
    return any(frame.f_code.co_name == "do_handshake" for frame, _ in frames)


# In this order: the later ones are wrapped by, or are the base classes of, the earlier.
_CAUSES: tuple[tuple[type[Exception], Cause], ...] = (
    (requests.exceptions.InvalidURL, "address"),
    (requests.exceptions.ProxyError, "proxy"),
    (requests.exceptions.ConnectTimeout, "connect_timeout"),
    (requests.exceptions.Timeout, "timeout"),
    (urllib3.exceptions.NameResolutionError, "dns"),
    (urllib3.exceptions.NewConnectionError, "refused"),
)


def _find(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    """Look for an exception in what another one wraps: its arguments, its reason, its cause."""
    seen: list[BaseException] = []
    queue: list[object] = [error]
    while queue:
        candidate = queue.pop()
        if not isinstance(candidate, BaseException) or candidate in seen:
            continue
        if isinstance(candidate, kind):
            return candidate
        seen.append(candidate)
        queue += [*candidate.args, getattr(candidate, "reason", None), candidate.__cause__, candidate.__context__]
    return None


class _MaskEmails(logging.Filter):
    """urllib3 logs whole URLs, with filters' addresses in them: at DEBUG, and at WARNING if headers are bad."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                mask_emails(str(arg)) if isinstance(arg, str | Exception) else arg for arg in record.args
            )
        record.exc_info = None  # a traceback would quote the headers once more
        return True


for _name in ("urllib3.connection", "urllib3.connectionpool"):
    logging.getLogger(_name).addFilter(_MaskEmails())
