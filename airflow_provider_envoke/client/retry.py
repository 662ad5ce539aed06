"""The retry policy of both clients: which failures, how often, and after how long."""

from __future__ import annotations

import random
from textwrap import shorten
from typing import TYPE_CHECKING

from airflow_provider_envoke.exceptions import EnvokeAuthError, EnvokeNotFoundError, EnvokeTransientError

if TYPE_CHECKING:
    from airflow_provider_envoke.envoke.requests import Request
    from airflow_provider_envoke.exceptions import EnvokeAPIError, EnvokeError

#: Longest wait in seconds that the service may ask for. If it asks for more, the request fails and Airflow
#: retries.
MAX_WAIT_S = 300.0

#: How many 429/503 responses a request may get, while others succeed, before they count against ``max_retries``.
MAX_THROTTLED = 20

THROTTLED_STATUSES = frozenset({429, 503})

_FIRST_BACK_OFF_S = 0.5
_LONGEST_BACK_OFF_S = 60.0
_MAX_CAUSE_CHARS = 60


class Attempts:
    """
    The attempts of one request.

    Its state: how many attempts count against ``max_retries``, how many got a 429 or 503, and whether one of them
    may have been carried out.
    """

    def __init__(self, request: Request, max_retries: int) -> None:
        self._request = request
        self._max_retries = max_retries
        self.counted = 0
        self.throttled = 0
        self.may_have_arrived = False

    def record(self, failure: EnvokeError) -> None:
        """Take a failed attempt into account: the service may have carried out the request."""
        self.may_have_arrived |= isinstance(failure, EnvokeTransientError) and failure.may_have_arrived

    def has_deleted(self, failure: EnvokeAPIError) -> bool:
        """Whether a DELETE found nothing because an earlier attempt, whose answer was lost, has deleted it."""
        found_nothing = isinstance(failure, EnvokeNotFoundError)
        return self._request.method == "DELETE" and self.may_have_arrived and found_nothing

    def pause_s(self, failure: EnvokeAPIError, *, authenticated: bool, others_succeed: bool = False) -> float:
        """
        Count a failed attempt, and return how many seconds to wait before the next one.

        :param authenticated: whether the credentials can be trusted despite a 401.
        :param others_succeed: whether other requests succeeded during this attempt.
        :raises EnvokeAPIError: the failure itself, if the request must not be sent again.
        """
        throttled = failure.status in THROTTLED_STATUSES
        self.throttled += throttled
        if not (throttled and others_succeed and self.throttled <= MAX_THROTTLED and self._max_retries):
            self.counted += 1
        if self.counted > self._max_retries or not may_send_again(
            failure, idempotent=self._request.idempotent, authenticated=authenticated
        ):
            raise failure
        return wait_s(failure, max(1, self.counted))


def may_send_again(failure: EnvokeAPIError, *, idempotent: bool, authenticated: bool) -> bool:
    """
    Return whether a request may be sent again. The class of the failure decides, never its text.

    :param idempotent: whether sending it twice has the same effect as sending it once.
    :param authenticated: whether the credentials can be trusted despite a 401.
    """
    if isinstance(failure, EnvokeAuthError):
        return authenticated and failure.status == 401
    if isinstance(failure, EnvokeTransientError):
        too_long = failure.retry_after is not None and failure.retry_after > MAX_WAIT_S
        return not too_long and (idempotent or not failure.may_have_arrived)
    return False


def wait_s(failure: EnvokeAPIError, attempt: int) -> float:
    """Return how many seconds to wait after an attempt: ``Retry-After`` or exponential back-off, with jitter."""
    jitter = random.uniform(0, min(_LONGEST_BACK_OFF_S, _FIRST_BACK_OFF_S * 2 ** (attempt - 1)))  # noqa: S311
    return jitter if failure.retry_after is None else failure.retry_after + jitter / 10


def cause(failure: EnvokeAPIError) -> str:
    """Return why an attempt failed, in a few words for the log: the status, and what the service says."""
    status = f"HTTP {failure.status}" if failure.status else ""
    said = shorten(failure.cause or next(iter(failure.messages), ""), _MAX_CAUSE_CHARS, placeholder=" …")
    return ": ".join(filter(None, (status, said))) or type(failure).__name__
