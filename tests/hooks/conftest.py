"""Hooks on a connection that a test defines, and on the sandbox."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.hooks.envoke import EnvokeHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_envoke.sandbox.thread import Sandbox

GOOD = {"conn_type": "envoke", "host": "https://e1.envoke.com", "login": "an-id", "password": "the-api-key"}


@pytest.fixture
def define(monkeypatch: pytest.MonkeyPatch) -> Callable[..., EnvokeHook]:
    """Define the connection ``envoke_test``, and return a hook on it."""

    def define(connection: dict[str, Any] | str | None = None, **parts: Any) -> EnvokeHook:
        text = connection if isinstance(connection, str) else json.dumps((connection or GOOD) | parts)
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_TEST", text)
        return EnvokeHook("envoke_test")

    return define


@pytest.fixture
def hook(sandbox: Sandbox) -> Iterator[EnvokeHook]:
    """A hook on the sandbox."""
    with EnvokeHook() as hook:
        yield hook
