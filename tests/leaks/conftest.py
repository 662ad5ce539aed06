"""What the tests of leaks share."""

from __future__ import annotations

import json
import logging
import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.leak_markers import API_ID, API_KEY, Seen

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def seen(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Seen:
    """Everything that is logged, from level DEBUG on, printed, returned and raised."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    return Seen(caplog, capfd)


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define ``envoke_default`` with the marked credentials; retries do not wait."""
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)

    def connect(url: str, **parts: Any) -> None:
        extra = json.dumps({"max_retries": 1, "timeout": 0.1})
        connection = {"conn_type": "envoke", "host": url, "login": API_ID, "password": API_KEY, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(connection | parts))

    return connect
