"""The fixture that most tests of the sandbox use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.sandbox import ANA, JON

if TYPE_CHECKING:
    from airflow_provider_envoke.sandbox.thread import Sandbox


@pytest.fixture
def sandbox(envoke_sandbox: Sandbox) -> Sandbox:
    """A running sandbox with the contacts JON and ANA."""
    envoke_sandbox.reset([JON, ANA])
    return envoke_sandbox
