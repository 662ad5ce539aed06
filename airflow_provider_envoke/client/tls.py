"""Which certificate authorities both clients trust."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import certifi

from airflow_provider_envoke.exceptions import EnvokeConfigError

if TYPE_CHECKING:
    from airflow_provider_envoke.envoke.config import EnvokeConfig


def ca_file(config: EnvokeConfig) -> str:
    """
    Return the path of the trusted authorities: the connection's, the environment's, or certifi's.

    :raises EnvokeConfigError: if the file of the connection or of the environment cannot be used.
    """
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
    """
    Return the context that verifies the service's certificate; ``True`` for plain http on this machine.

    :raises EnvokeConfigError: see :func:`ca_file`.
    """
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
