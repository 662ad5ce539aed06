"""What the tests of leaks share."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tests.leaks.marks import API_ID, API_KEY, Seen

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def seen(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Seen:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    return Seen(caplog, capfd)


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define ``envoke_default`` with the marked credentials; nothing waits between two attempts."""
    from airflow_provider_envoke.clients import single

    monkeypatch.setattr(single.EnvokeClient.__init__, "__kwdefaults__", {"sleep": lambda seconds: None})

    def connect(url: str, **parts: Any) -> None:
        extra = json.dumps({"max_retries": 1, "timeout": 0.1})
        connection = {"conn_type": "envoke", "host": url, "login": API_ID, "password": API_KEY, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(connection | parts))

    return connect
