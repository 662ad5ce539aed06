"""A whole Airflow, started once. ``make test-system`` runs these tests, with the provider from its wheel."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.processes import INTERRUPTS, interrupt_once
from demo.scene import Scene
from tests.leftovers import listens, processes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "example_dags"
OWN_DAGS = Path(__file__).parent / "dags"

_TIMEOUT_S = 300  # the first test waits for Airflow to start


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(_TIMEOUT_S))


@pytest.fixture(scope="session", autouse=True)
def in_order() -> None:
    """Let a signal end the tests by way of their fixtures, which stop what is running."""
    for number in INTERRUPTS:
        signal.signal(number, interrupt_once)


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Airflow with the example DAGs, those of ``tests/system/dags``, the warehouse and the stand-in of Envoke."""
    directory = tmp_path_factory.mktemp("scene")
    dags = directory / "dags"
    shutil.copytree(EXAMPLES, dags, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(OWN_DAGS, dags, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    with Scene.set_up(directory, dags, directory / "processes.log") as scene:
        yield scene
    assert processes_of(directory) == []
    assert [url for url in (scene.airflow.url, scene.stand_in.url) if listens(_address(url))] == []


def _address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)
