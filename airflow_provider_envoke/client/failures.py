"""Why a request got no usable response: one map from the exceptions of both network libraries to ours."""

from __future__ import annotations

import ssl
import traceback
from typing import TYPE_CHECKING

from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeError, EnvokeTransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_envoke.envoke.config import EnvokeConfig
    from airflow_provider_envoke.envoke.requests import Request

# What the exceptions of requests, urllib3, aiohttp and Python mean: by the names of their classes, because each
# client loads its own library only, or by the names of the functions that raised them. The first match counts.
_CAUSES: tuple[tuple[str, frozenset[str], frozenset[str]], ...] = (
    ("address", frozenset({"InvalidURL", "LocationValueError", "UnicodeError"}), frozenset()),
    ("tls", frozenset({"ClientConnectorSSLError"}), frozenset({"do_handshake"})),
    (
        "proxy",
        frozenset({"ProxyError", "ClientProxyConnectionError", "ClientHttpProxyError"}),
        frozenset({"_tunnel", "_create_proxy_connection"}),
    ),
    ("dns", frozenset({"NameResolutionError", "ClientConnectorDNSError", "gaierror"}), frozenset()),
    ("connect_timeout", frozenset({"ConnectTimeout", "ConnectionTimeoutError"}), frozenset()),
    ("refused", frozenset({"NewConnectionError", "ClientConnectorError"}), frozenset()),
    ("timeout", frozenset({"Timeout", "TimeoutError"}), frozenset()),
)

# Raised while the response is read. requests wraps the same classes in its own if there was no response yet.
_UNREADABLE = frozenset({"ClientPayloadError", "ProtocolError", "DecodeError"})

_TEXTS = {
    "proxy": "the proxy set in the environment (HTTPS_PROXY) could not be used",
    "dns": "the host of {host} was not found (DNS); check the connection's host",
    "refused": "{host} refused the connection or cannot be reached",
    "connect_timeout": "no connection to {host} in time (the extra 'timeout' is {timeout:g} s)",
    "tls": "TLS with {host} failed; check that it accepts https on that port",
    "timeout": "{host} did not respond within {timeout:g} s (the extra 'timeout')",
    "broken": "the connection to {host} broke",
    "unreadable": "the response broke off or could not be decoded",
}

# The same in a few words, for the log.
_CAUSE_TEXTS = {
    "proxy": "the proxy could not be used",
    "dns": "host not found",
    "refused": "connection refused",
    "connect_timeout": "no connection in time",
    "tls": "TLS failed",
    "timeout": "no response in time",
    "broken": "connection broke",
    "unreadable": "unreadable response",
}

# After these the service may have received the request and carried it out.
_MAY_HAVE_ARRIVED = frozenset({"timeout", "broken", "unreadable"})


def failure_of(request: Request, config: EnvokeConfig, error: Exception) -> EnvokeError:
    """
    Return the exception for a request that got no usable response.

    The texts of ``requests`` and ``aiohttp`` are not repeated: they quote the URL, which may hold email addresses.
    """
    found = list(_wrapped(error))
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in found):
        # aiohttp's own subclass wraps the one that has the reason.
        reasons = [str(each.verify_message) for each in found if hasattr(each, "verify_message")]
        return _certificate_rejected(config, *(reasons or ["not valid"])[:1])
    cause = _cause(error, found)
    if cause == "address":
        return EnvokeConfigError(
            f"{config.base_url}, or the proxy set in the environment, is not a valid address. Correct it."
        )
    arrived = cause in _MAY_HAVE_ARRIVED
    text = _TEXTS[cause].format(host=config.base_url, timeout=config.timeout_s)
    unknown = "It is not known whether the request was carried out. " if arrived else ""
    return EnvokeTransientError(
        f"{request.method} {request.path_template} failed: {text}. {unknown}This may be temporary. Retry the "
        "task.",
        method=request.method,
        path=request.path_template,
        cause=_CAUSE_TEXTS[cause],
        may_have_arrived=arrived,
    )


def _cause(error: Exception, found: list[BaseException]) -> str:
    if _UNREADABLE & _class_names(error):
        return "unreadable"
    names = {name for each in found for name in _class_names(each)}
    functions = {name for each in found for name in _function_names(each)}
    for cause, classes, raised_in in _CAUSES:
        if classes & names or raised_in & functions:
            return cause
    return "broken"


def _class_names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _function_names(error: BaseException) -> set[str]:
    return {frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)}


def _wrapped(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that it wraps: in its arguments, its reason, its cause, its context."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        each = queue.pop()
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            queue += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]


def _certificate_rejected(config: EnvokeConfig, reason: str) -> EnvokeConfigError:
    return EnvokeConfigError(
        f"TLS: the certificate of {config.base_url} was rejected: {reason}. Check the connection's host. If your "
        "company's proxy or certificate authority signed it, set the extra 'ca_bundle' to that authority's file."
    )
