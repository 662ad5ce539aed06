"""One Airflow for all system tests. ``make test-system`` runs them, with the provider installed from its wheel."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support import EXAMPLES
from tests.support.browser import chromium
from tests.support.leftovers import addresses, listens, processes_of
from tests.support.processes import STOP_SIGNALS, interrupt_once
from tests.system.airflow.with_sandbox import AirflowWithSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

HERE = Path(__file__).parent

PICTURES = os.environ.get("SCREENSHOTS")
WAIT_S = 60.0

_TIMEOUT_S = 300  # the first test waits for Airflow to start


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(_TIMEOUT_S))


@pytest.fixture(scope="session", autouse=True)
def stop_in_order() -> None:
    """Make signals end the test run through its fixtures, which stop their processes."""
    for number in STOP_SIGNALS:
        signal.signal(number, interrupt_once)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowWithSandbox]:
    """Airflow with the example DAGs and those of ``tests/system/dags``, the warehouse and the sandbox."""
    directory = tmp_path_factory.mktemp("running")
    dags = directory / "dags"
    for source in (EXAMPLES, HERE / "dags"):
        shutil.copytree(source, dags, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    with AirflowWithSandbox.started(directory, dags, directory / "processes.log") as running:
        yield running
    assert processes_of(directory) == []
    assert [at for at in addresses(f"{running.airflow.url} {running.sandbox.url}") if listens(at)] == []


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium."""
    expect.set_options(timeout=WAIT_S * 1000)
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page in a new browser context."""
    with browser.new_context(
        viewport={"width": 1280, "height": 1100},
        device_scale_factor=1.5,
        locale="en-CA",
        timezone_id="America/Toronto",
        permissions=["clipboard-read", "clipboard-write"],
    ) as context:
        context.set_default_timeout(WAIT_S * 1000)
        yield context.new_page()
