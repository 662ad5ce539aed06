"""HTTP Basic, spelt once: it is sent, and it is a secret to be masked."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_envoke.core.config import EnvokeConfig


def basic_credentials(config: EnvokeConfig) -> str:
    """Return the API ID and key as they stand in the ``Authorization`` header: a secret like the key itself."""
    return b64encode(f"{config.api_id}:{config.api_key}".encode()).decode("ascii")
