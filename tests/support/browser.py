"""Chromium for tests of pages. Without it the tests are skipped, but fail in CI and in ``make screenshots``."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.leftovers import processes_of
from tests.support.processes import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

CHROMIUM = Path("/usr/bin/chromium")
DISABLED = ("gpu", "quic", "background-networking", "component-update", "sync")
OPTIONS = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in DISABLED)]
END_S = 20.0


@contextmanager
def chromium(directory: Path) -> Iterator[Browser]:
    """Run Chromium, with its profile in this directory, and see that all of its processes end."""
    if not CHROMIUM.exists():
        missing = f"{CHROMIUM} is missing: apt-get install chromium"
        if os.environ.get("SCREENSHOTS") or os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    playwright_api = pytest.importorskip("playwright.sync_api")
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TMPDIR", str(directory))  # for its profile, and to find its processes
            playwright = stack.enter_context(playwright_api.sync_playwright())
        yield stack.enter_context(playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS))
    wait_for("Chromium to end", lambda: processes_of(directory) == [], END_S)
