"""The configuration of a client, validated from the parts of an Airflow connection."""

from __future__ import annotations

import difflib
import ipaddress
import math
import re
from base64 import b64encode
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from airflow_provider_envoke.envoke.messages import quoted
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
    The account and how to reach it.

    :param api_id: API ID, the user name of HTTP Basic. Not part of the ``repr``.
    :param api_key: API key, the password of HTTP Basic. Not part of the ``repr``.
    :param base_url: scheme, host and port, such as ``https://e1.envoke.com``; no path.
    :param timeout_s: timeout of a request in seconds.
    :param max_retries: how many times a request is sent again after a temporary failure.
    :param requests_per_second: maximum number of requests per second, or ``None`` for no limit.
    :param ca_bundle: path of a PEM file with certificate authorities, or ``None`` for the default ones.
    """

    api_id: str = field(repr=False)
    api_key: str = field(repr=False)
    base_url: str = DEFAULT_HOST
    timeout_s: float = DEFAULT_TIMEOUT_S
    max_retries: int = DEFAULT_MAX_RETRIES
    requests_per_second: float | None = None
    ca_bundle: str | None = None

    @property
    def basic_credentials(self) -> str:
        """The API ID and key as in the ``Authorization`` header. A secret like the key itself."""
        return b64encode(f"{self.api_id}:{self.api_key}".encode()).decode("ascii")

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
        Validate the parts of an Airflow connection and build the configuration.

        :param login: the API ID; like the password, a number if the connection's JSON has it without quotes.
        :param host: host name or URL without a path, default ``https://e1.envoke.com``.
        :param port: port, if the host does not contain one; ``None`` and 0 mean the default port of the scheme.
        :param schema: ``https`` or ``http``, if the host does not contain one.
        :param extra: the connection's extras; only those in :data:`EXTRAS` are accepted.
        :raises EnvokeConfigError: if a part is missing or invalid; the message names it and contains no secret.
        """
        return cls(
            api_id=_credential("login (the API ID)", login, forbidden=":"),
            api_key=_credential("password (the API key)", password),
            base_url=_base_url(host, port, schema),
            **_extras(extra or {}),
        )


def _text(name: str, value: object) -> str:
    """Return a part of the connection, stripped. A connection written as JSON may contain any type."""
    if not isinstance(value, str | None):
        raise EnvokeConfigError(f"The connection's {name} must be text, not {type(value).__name__}.")
    return (value or "").strip()


def _number_as_text(value: object) -> object:
    """Return the digits of a whole number: an API ID without quotes in JSON is a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _credential(name: str, value: object, forbidden: str = "") -> str:
    text = _text(name, _number_as_text(value))
    if not text:
        raise EnvokeConfigError(f"The connection's {name} is empty. Fill it in.")
    if any(char in forbidden or not char.isprintable() for char in text):
        raise EnvokeConfigError(
            f"The connection's {name} contains an invalid character. Copy it from Envoke again."
        )
    return text


def _base_url(host: object, port: object, schema: object) -> str:
    text = _text("host", host) or DEFAULT_HOST
    if not text.isprintable():  # urlsplit silently removes line breaks and tabs
        raise EnvokeConfigError(
            "The connection's host contains a line break or another invisible character. Type it again."
        )
    if "://" not in text:
        text = f"{_text('schema', schema) or 'https'}://{text}"
    parts = _split_host(text)
    name = parts.hostname or ""
    if not (_HOST_NAME.fullmatch(name) or _is_ip_address(name)):
        raise EnvokeConfigError(
            "The connection's host is not a valid host name. Use a name such as e1.envoke.com or a URL such as "
            f"{DEFAULT_HOST}, with ASCII letters, digits, dots and hyphens only."
        )
    if parts.scheme == "http" and not _is_loopback(name):
        raise EnvokeConfigError(
            f"The connection's host {name} uses http://, which would send the API key and personal data "
            "unencrypted. Use https://. (http:// is allowed only for a sandbox on this machine.)"
        )
    number = _port(parts, port)
    bracketed = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{bracketed}" + (f":{number}" if number else "")


def _split_host(text: str) -> SplitResult:
    parts: SplitResult | None
    try:
        parts = urlsplit(text)
        _ = parts.hostname  # raises ValueError for a broken IPv6 address
    except ValueError:
        parts = None  # raised below: urlsplit's message quotes the host and must not be chained
    if parts is None:
        raise EnvokeConfigError(
            f"The connection's host is not a valid URL. Use the host only, such as {DEFAULT_HOST}."
        )
    if parts.scheme not in ("https", "http"):
        raise EnvokeConfigError("The scheme of the connection's host must be https (or http for a sandbox).")
    if parts.username is not None or parts.password is not None:
        raise EnvokeConfigError(
            "The connection's host contains user information (…@). Put the API ID in the login and the API key "
            "in the password."
        )
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise EnvokeConfigError(
            "The connection's host contains a path, a query or a fragment. Use the host only, such as "
            f"{DEFAULT_HOST}."
        )
    return parts


def _port(parts: SplitResult, port: object) -> int | None:
    # The form of Airflow 3.3 sends port 0 for a connection without a port.
    try:
        in_host = parts.port
        number = in_host if in_host is not None else int(_text("port", _number_as_text(port)) or 0) or None
    except ValueError:
        number = -1
    if number is not None and not 1 <= number <= 65_535:
        raise EnvokeConfigError("The connection's port must be a whole number from 1 to 65535.")
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
    """Read the known extras. The form saves empty fields as ``null`` or ``""``, which mean the default."""
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
    return f"The connection has an unknown extra {quoted(name)}. Known extras: {', '.join(EXTRAS)}.{hint}"


def _number(name: str, value: Any, smallest: float = 0.001, *, largest: float) -> float:
    """Read a number. In a connection written as a URI every extra is a string."""
    number = math.nan
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
    if not smallest <= number <= largest:
        raise EnvokeConfigError(
            f"The connection's extra {name!r} must be a number from {smallest:g} to {largest:g}."
        )
    return number


def _max_retries(name: str, value: Any) -> int:
    number = _number(name, value, 0, largest=_MAX_RETRIES)
    if not number.is_integer():
        raise EnvokeConfigError(f"The connection's extra {name!r} must be a whole number.")
    return int(number)


def _path(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise EnvokeConfigError(f"The connection's extra {name!r} must be the path of a file.")
    return value


#: The accepted extras of a connection: name -> (attribute of EnvokeConfig, reader).
EXTRAS: dict[str, tuple[str, Callable[[str, Any], Any]]] = {
    "timeout": ("timeout_s", partial(_number, largest=_MAX_TIMEOUT_S)),
    "max_retries": ("max_retries", _max_retries),
    "requests_per_second": ("requests_per_second", partial(_number, largest=_MAX_REQUESTS_PER_SECOND)),
    "ca_bundle": ("ca_bundle", _path),
}
