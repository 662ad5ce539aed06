"""Why a request got no answer, in words that a person can act on, as exceptions of our tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeError, EnvokeTransientError

if TYPE_CHECKING:
    from airflow_provider_envoke.core.config import EnvokeConfig
    from airflow_provider_envoke.core.protocol import Request

Cause = Literal["address", "proxy", "dns", "refused", "connect_timeout", "tls", "timeout", "broken"]

_WORDS: dict[Cause, str] = {
    "proxy": "the proxy set in the environment (HTTPS_PROXY) could not be used",
    "dns": "the host of {host} was not found (DNS); check the connection's host",
    "refused": "{host} refused the connection or cannot be reached",
    "connect_timeout": "no connection to {host} within {timeout:g} s",
    "tls": "TLS with {host} failed (does it speak https at that port?)",
    "timeout": "{host} did not answer within {timeout:g} s (the extra 'timeout')",
    "broken": "the connection to {host} broke",
}

# After these the service may have received the request, and carried it out.
_MAY_HAVE_ARRIVED = frozenset({"timeout", "broken"})


def no_answer(request: Request, config: EnvokeConfig, cause: Cause) -> EnvokeError:
    """
    Say why a request got no answer.

    The words of ``requests`` and ``aiohttp`` are not used: they quote the URL, with people's addresses in it.

    :param request: what was asked.
    :param config: for the host and the limits, which the text names.
    :param cause: what went wrong.
    """
    if cause == "address":
        return EnvokeConfigError(
            f"{config.base_url}, or the proxy set in the environment, is not a valid address."
        )
    arrived = cause in _MAY_HAVE_ARRIVED
    what = _WORDS[cause].format(host=config.base_url, timeout=config.timeout_s)
    after = "Whether the request was carried out is not known. " if arrived else ""
    return EnvokeTransientError(
        f"{request.method} {request.path_template} got no answer: {what}. {after}It may pass; run the task again.",
        method=request.method,
        path=request.path_template,
        may_have_arrived=arrived,
    )


def broken_answer(request: Request, error: Exception) -> EnvokeError:
    """Say that an answer began and could not be read to its end."""
    return EnvokeTransientError(
        f"The answer to {request.method} {request.path_template} broke off ({type(error).__name__}). Whether the "
        "request was carried out is not known; run the task again.",
        method=request.method,
        path=request.path_template,
    )


def certificate_refused(config: EnvokeConfig, reason: str) -> EnvokeError:
    """Say that the server's certificate does not hold; OpenSSL's reason tells which of the checks failed."""
    return EnvokeConfigError(
        f"TLS: the certificate of {config.base_url} was refused: {reason}. Check the connection's host; if your "
        "company's proxy or authority signed it, name its certificate in the extra 'ca_bundle'."
    )
