"""When a request is sent again, decided by the class of the failure and never by its words."""

from __future__ import annotations

import random

from airflow_provider_envoke.exceptions import EnvokeAuthError, EnvokeTransientError

#: Longest back-off in seconds; a service that asks for more is left to Airflow's own retries.
MAX_WAIT_S = 300.0

_FIRST_BACK_OFF_S = 0.5
_LONGEST_BACK_OFF_S = 60.0


def should_retry(error: BaseException, *, idempotent: bool, authenticated: bool) -> bool:
    """
    Decide whether the same request may be sent again.

    :param error: what came of the request.
    :param idempotent: whether sending it twice does no more than sending it once.
    :param authenticated: whether these credentials have worked before; the service is known to refuse good
        ones in passing.
    """
    if isinstance(error, EnvokeAuthError):
        return authenticated and error.status == 401
    if isinstance(error, EnvokeTransientError):
        too_long = error.retry_after is not None and error.retry_after > MAX_WAIT_S
        return not too_long and (idempotent or not error.may_have_arrived)
    return False


def wait_s(error: BaseException | None, attempt: int) -> float:
    """
    Return how many seconds to wait: as long as the service asked, else exponentially longer; with jitter.

    :param error: what came of the attempt.
    :param attempt: its number, from 1.
    """
    jitter = random.uniform(0, min(_LONGEST_BACK_OFF_S, _FIRST_BACK_OFF_S * 2 ** (attempt - 1)))  # noqa: S311
    retry_after: float | None = getattr(error, "retry_after", None)
    return jitter if retry_after is None else retry_after + jitter / 10
