"""Which proxy both clients use: the environment's."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from airflow_provider_envoke.exceptions import EnvokeConfigError

if TYPE_CHECKING:
    from airflow_provider_envoke.envoke.config import EnvokeConfig


def environment_proxy(config: EnvokeConfig) -> str | None:
    """
    Return the URL of the proxy to the service, as ``HTTPS_PROXY`` or ``ALL_PROXY`` says, or ``None``.

    ``NO_PROXY`` lists hosts, domains and networks (``10.0.0.0/8``) that are reached without a proxy.

    :raises EnvokeConfigError: if the variable does not hold the URL of an HTTP proxy.
    """
    parts = urlsplit(config.base_url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc) or _in_networks(parts.hostname, proxies.get("no", "")):
        return None
    url = proxy if "://" in proxy else f"http://{proxy}"
    if not _is_http_url(url):
        # The value is not shown: it may hold a password.
        raise EnvokeConfigError(
            f"The environment variable {parts.scheme.upper()}_PROXY or ALL_PROXY is not the URL of an HTTP proxy. "
            "Correct it, or list the host in NO_PROXY."
        )
    return url


def _in_networks(host: str | None, no_proxy: str) -> bool:
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return False
    return any(address in network for network in map(_network, no_proxy.split(",")) if network is not None)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def _is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        return False
