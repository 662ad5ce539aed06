"""HTTP Basic, spelt once."""

from __future__ import annotations

import base64

from airflow_provider_envoke.core.config import EnvokeConfig
from airflow_provider_envoke.core.credentials import basic_credentials


def test_basic_credentials_are_id_and_key_in_utf8_on_one_line() -> None:
    credentials = basic_credentials(EnvokeConfig("id", "ké:y" * 40))

    assert base64.b64decode(credentials, validate=True).decode() == "id:" + "ké:y" * 40
    assert credentials.isascii()
    assert credentials.isprintable()
