"""The sandbox that nothing malformed may reach, behind ``envoke_default`` with marked credentials."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.leaks.marks import API_ID, API_KEY, MarkedSandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def marked_sandbox() -> Iterator[MarkedSandbox]:
    with MarkedSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def connect(marked_sandbox: MarkedSandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define ``envoke_default`` as it should be, but for the parts given; ``None`` leaves a part out."""

    def connect(**parts: Any) -> None:
        good = {"conn_type": "envoke", "host": marked_sandbox.url, "login": API_ID, "password": API_KEY}
        connection = {name: part for name, part in (good | parts).items() if part is not None}
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(connection))

    return connect


@pytest.fixture
def sandbox(marked_sandbox: MarkedSandbox, connect: Callable[..., None]) -> MarkedSandbox:
    """The sandbox, empty, with the connection as it should be."""
    marked_sandbox.reset()
    connect()
    return marked_sandbox
