"""The pytest fixture ``envoke_sandbox``, available in every project that has the provider installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_envoke.sandbox.thread import Sandbox


@pytest.fixture
def envoke_sandbox() -> Iterator[Sandbox]:
    """A running sandbox without contacts, for one test."""
    from airflow_provider_envoke.sandbox.thread import Sandbox  # noqa: PLC0415 - imported only if a test uses it

    with Sandbox() as sandbox:
        yield sandbox
