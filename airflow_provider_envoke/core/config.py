"""The connection's parts, checked once: what the clients are configured with."""

from __future__ import annotations

import difflib
import ipaddress
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from airflow_provider_envoke.core.masking import quoted
from airflow_provider_envoke.exceptions import EnvokeConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEFAULT_HOST = "https://e1.envoke.com"  # article 1697196
DEFAULT_TIMEOUT_S = 30.0
DEFAULT_MAX_RETRIES = 5

_MAX_TIMEOUT_S = 600.0
_MAX_RETRIES = 20
_MAX_REQUESTS_PER_SECOND = 10_000.0

_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})")


@dataclass(frozen=True, slots=True)
class EnvokeConfig:
    """
    Everything that a client has to know about the account and how to reach it.

    :param api_id: API ID, the user name of HTTP Basic. Never shown.
    :param api_key: API key, the password of HTTP Basic. Never shown.
    :param base_url: scheme, host and port, such as ``https://e1.envoke.com``; no path.
    :param timeout_s: seconds that one request may take.
    :param max_retries: how often a request is sent again after a failure that may pass.
    :param requests_per_second: limit on the rate of requests, or ``None`` for none.
    :param ca_bundle: path of a PEM file with certificate authorities, or ``None`` for the usual ones.
    """

    api_id: str = field(repr=False)
    api_key: str = field(repr=False)
    base_url: str = DEFAULT_HOST
    timeout_s: float = DEFAULT_TIMEOUT_S
    max_retries: int = DEFAULT_MAX_RETRIES
    requests_per_second: float | None = None
    ca_bundle: str | None = None

    @classmethod
    def from_connection(
        cls,
        *,
        login: str | int | None,
        password: str | int | None,
        host: str | None = None,
        port: int | str | None = None,
        schema: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> EnvokeConfig:
        """
        Check the parts of an Airflow connection and build the configuration.

        :param login: the API ID; a number, where the connection's JSON has it without quotes.
        :param password: the API key, likewise.
        :param host: host name or URL without a path, default ``https://e1.envoke.com``.
        :param port: port, if the host does not name one; ``None`` and 0 mean the scheme's own.
        :param schema: ``https`` or ``http``, if the host does not name one.
        :param extra: the connection's extras; only those of :data:`EXTRAS` are taken.
        :raises EnvokeConfigError: if a part is missing or wrong; the message names it, never a secret.
        """
        return cls(
            api_id=_credential("login (the API ID)", login, forbidden=":"),
            api_key=_credential("password (the API key)", password),
            base_url=_base_url(host, port, schema),
            **_extras(extra or {}),
        )


def _text(name: str, value: object) -> str:
    """Return a part of the connection without the blanks around it; JSON may hold anything in its place."""
    if not isinstance(value, str | None):
        raise EnvokeConfigError(f"The connection's {name} has to be text, not {type(value).__name__}.")
    return (value or "").strip()


def _number_as_text(value: object) -> object:
    """Return the digits of a whole number, as which JSON without quotes holds an API ID."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _credential(name: str, value: object, forbidden: str = "") -> str:
    text = _text(name, _number_as_text(value))
    if not text:
        raise EnvokeConfigError(f"The connection's {name} is empty: fill it in.")
    if any(char in forbidden or not char.isprintable() for char in text):
        raise EnvokeConfigError(
            f"The connection's {name} holds a character that cannot be part of it: copy it again from Envoke."
        )
    return text


def _base_url(host: object, port: object, schema: object) -> str:
    text = _text("host", host) or DEFAULT_HOST
    if not text.isprintable():  # urlsplit would drop line breaks and tabs without a word
        raise EnvokeConfigError(
            "The connection's host holds a line break or another invisible character: type it anew."
        )
    if "://" not in text:
        text = f"{_text('schema', schema) or 'https'}://{text}"
    parts = _split_host(text)
    name = parts.hostname or ""
    if not (_HOST_NAME.fullmatch(name) or _is_ip_address(name)):
        raise EnvokeConfigError(
            "The connection's host is not a host name: it is e1.envoke.com, or a URL such as "
            f"{DEFAULT_HOST} (ASCII letters, digits, dots and hyphens)."
        )
    if parts.scheme == "http" and not _is_loopback(name):
        raise EnvokeConfigError(
            f"The connection's host {name} is addressed by http://, which would send the API key and people's "
            "data in the clear: use https:// (http:// is for a sandbox on this machine alone)."
        )
    number = _port(parts, port)
    bracketed = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{bracketed}" + (f":{number}" if number else "")


def _split_host(text: str) -> SplitResult:
    parts: SplitResult | None
    try:
        parts = urlsplit(text)
        _ = parts.hostname  # urlsplit finds a broken IPv6 address only when it is asked for
    except ValueError:
        parts = None  # raised below, so that no chain leads to urlsplit's message, which quotes what is wrong
    if parts is None:
        raise EnvokeConfigError(
            f"The connection's host is not a valid URL: give the host alone, such as {DEFAULT_HOST}."
        )
    if parts.scheme not in ("https", "http"):
        raise EnvokeConfigError("The connection's host or schema has to be https (or http, for a sandbox).")
    if parts.username is not None or parts.password is not None:
        raise EnvokeConfigError(
            "The connection's host holds user information (…@): put the API ID into the login and the API key "
            "into the password."
        )
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise EnvokeConfigError(
            "The connection's host holds a path, a query or a fragment: give the host alone, such as "
            f"{DEFAULT_HOST}."
        )
    return parts


def _port(parts: SplitResult, port: object) -> int | None:
    # Airflow 3.3's form sends port 0 for a connection that has none.
    try:
        in_host = parts.port
        number = in_host if in_host is not None else int(_text("port", _number_as_text(port)) or 0) or None
    except ValueError:
        number = -1
    if number is not None and not 1 <= number <= 65_535:
        raise EnvokeConfigError("The connection's port has to be between 1 and 65535.")
    return number


def _is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    return _is_ip_address(name) and ipaddress.ip_address(name).is_loopback


def _extras(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Take the allowlisted extras; the form saves empty fields as ``null`` or ``""``: these mean the default."""
    values: dict[str, Any] = {}
    for name, value in extra.items():
        if name not in EXTRAS:
            raise EnvokeConfigError(_unknown_extra(str(name)))
        if value is not None and value != "":
            key, read = EXTRAS[name]
            values[key] = read(name, value)
    return values


def _unknown_extra(name: str) -> str:
    close = difflib.get_close_matches(name, EXTRAS, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    # The name of an extra is the user's own word, but it may be hostile: quoted and cut.
    return f"The connection has an unknown extra {quoted(name)}; the known ones are {', '.join(EXTRAS)}.{hint}"


def _number(name: str, value: Any, smallest: float, largest: float) -> float:
    """Read a number; in a connection that is written as a URI every extra is a string."""
    number = math.nan
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
    if not smallest <= number <= largest:
        raise EnvokeConfigError(
            f"The connection's extra {name!r} has to be a number from {smallest:g} to {largest:g}."
        )
    return number


def _timeout(name: str, value: Any) -> float:
    return _number(name, value, 0.001, _MAX_TIMEOUT_S)


def _max_retries(name: str, value: Any) -> int:
    number = _number(name, value, 0, _MAX_RETRIES)
    if not number.is_integer():
        raise EnvokeConfigError(f"The connection's extra {name!r} has to be a whole number.")
    return int(number)


def _requests_per_second(name: str, value: Any) -> float:
    return _number(name, value, 0.001, _MAX_REQUESTS_PER_SECOND)


def _path(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise EnvokeConfigError(f"The connection's extra {name!r} has to be the path of a file.")
    return value


#: The extras that a connection may have: name -> (attribute of EnvokeConfig, reader).
EXTRAS: dict[str, tuple[str, Callable[[str, Any], Any]]] = {
    "timeout": ("timeout_s", _timeout),
    "max_retries": ("max_retries", _max_retries),
    "requests_per_second": ("requests_per_second", _requests_per_second),
    "ca_bundle": ("ca_bundle", _path),
}
