"""The pytest fixture ``envoke_sandbox``; pytest finds it once the provider is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_envoke.sandbox.thread import Sandbox


@pytest.fixture
def envoke_sandbox() -> Iterator[Sandbox]:
    """An empty Envoke account on a free port of this machine, for one test."""
    from airflow_provider_envoke.sandbox.thread import Sandbox  # noqa: PLC0415 - only tests that use it pay for it

    with Sandbox() as sandbox:
        yield sandbox
