"""How both clients reach the service: the proxy, and the certificate authorities that they trust."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import certifi

from airflow_provider_envoke.exceptions import EnvokeConfigError

if TYPE_CHECKING:
    from airflow_provider_envoke.envoke.config import EnvokeConfig


def environment_proxy(config: EnvokeConfig) -> str | None:
    """Return the URL of the proxy, as ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` say, or ``None``."""
    from requests.utils import get_environ_proxies, select_proxy  # only when a client is opened

    proxy = select_proxy(config.base_url, get_environ_proxies(config.base_url))
    if not proxy:
        return None
    url = proxy if "://" in proxy else f"http://{proxy}"
    if not _is_http_url(url):
        variable = f"{urlsplit(config.base_url).scheme.upper()}_PROXY"
        raise EnvokeConfigError(  # without the value, which may hold a password
            f"The environment variable {variable} or ALL_PROXY is not the URL of an HTTP proxy. Correct it, or "
            "list the host in NO_PROXY."
        )
    return url


def _is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def ca_file(config: EnvokeConfig) -> str:
    """Return the path of the trusted authorities: the connection's, the environment's, or certifi's."""
    if config.ca_bundle is not None:
        problem = _problem(config.ca_bundle)
        if problem:
            raise EnvokeConfigError(
                f"The connection's extra 'ca_bundle' points to a file that cannot be used: {problem}. "
                "Correct the path or the file."
            )
        return config.ca_bundle
    from_environment = os.environ.get("REQUESTS_CA_BUNDLE")
    if not from_environment or not config.base_url.startswith("https:"):
        return certifi.where()
    # requests accepts a directory here as well.
    problem = "" if Path(from_environment).is_dir() else _problem(from_environment)
    if problem:
        raise EnvokeConfigError(
            f"The environment variable REQUESTS_CA_BUNDLE points to a file that cannot be used: {problem}. "
            "Fix it, or set the connection's extra 'ca_bundle'."
        )
    return from_environment


def open_tls(config: EnvokeConfig) -> ssl.SSLContext | bool:
    """Return the context that verifies the service's certificate; ``True`` for plain http on this machine."""
    if not config.base_url.startswith("https:"):
        return True
    authorities = ca_file(config)
    if Path(authorities).is_dir():
        return ssl.create_default_context(capath=authorities)
    return ssl.create_default_context(cafile=authorities)


def _problem(path: str) -> str:
    """Return why a file of authorities cannot be used, or ``""``."""
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        return "it holds no certificate in PEM form"
    except OSError as error:
        return error.strerror or "it cannot be read"
    return ""
