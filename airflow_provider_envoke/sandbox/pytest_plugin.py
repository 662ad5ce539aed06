"""The pytest fixture ``envoke_sandbox``, available in every project that has the provider installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_envoke.sandbox.thread import Sandbox


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of the fixture."""
    config.addinivalue_line(
        "markers",
        "envoke_sandbox(**arguments): arguments of the Sandbox that the fixture envoke_sandbox starts, such as"
        ' strict={"custom_fields": ["plan"]}',
    )


@pytest.fixture
def envoke_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A running sandbox for one test. The marker ``envoke_sandbox`` holds its arguments; default: no contacts."""
    from airflow_provider_envoke.sandbox.thread import Sandbox  # noqa: PLC0415 - imported only if a test uses it

    marker = request.node.get_closest_marker("envoke_sandbox")
    with Sandbox(**(marker.kwargs if marker is not None else {})) as sandbox:
        yield sandbox
