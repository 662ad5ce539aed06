"""The wheel and the source distribution, and what Airflow's commands show of the installed provider."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import airflow as airflow_package
import pytest

import airflow_provider_envoke
from airflow_provider_envoke.envoke.config import EXTRAS
from tests.support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_envoke.sandbox.thread import Sandbox


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(build("--wheel", tmp_path_factory.mktemp("wheel"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that the source distribution is extracted to."""
    target = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build("--sdist", target)) as archive:
        archive.extractall(target, filter="data")
    (directory,) = (path for path in target.iterdir() if path.is_dir())
    return directory


def build(kind: str, target: Path) -> Path:
    """Build a distribution, and return its path."""
    run([sys.executable, "-m", "build", kind, "--no-isolation", "--outdir", str(target), str(ROOT)])
    (path,) = target.iterdir()
    return path


def run(command: list[str], *, expected: int | None = 0, cwd: Path | None = None, **variables: str) -> str:
    """Run a command, and return its output of both streams."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200", "PYTHONWARNINGS": "default", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=100,
    )
    assert expected is None or done.returncode == expected, done.stdout
    return done.stdout


def airflow(*arguments: str, expected: int | None = 0, **variables: str) -> str:
    return run([sys.executable, "-m", "airflow", *arguments], expected=expected, **variables)


def row_of(output: str, **wanted: str) -> tuple[str, dict[str, Any]]:
    """Return what was logged before the table of ``--output json``, and the only row with these values."""
    logged, _, rows = f"\n{output}".rpartition("\n[")
    (row,) = (row for row in json.loads(f"[{rows}") if wanted.items() <= row.items())
    return logged, row


def test_the_wheel_holds_the_package_only_with_its_license_and_entry_points(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "airflow_provider_envoke").rglob("*.py")}
    dist_info = f"airflow_provider_envoke-{airflow_provider_envoke.__version__}.dist-info"
    entry_points = wheel.read(f"{dist_info}/entry_points.txt").decode()

    assert {name.split("/")[0] for name in names} == {"airflow_provider_envoke", dist_info}
    assert modules | {"airflow_provider_envoke/py.typed"} <= names
    assert wheel.read(f"{dist_info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert "[apache_airflow_provider]" in entry_points
    assert "[pytest11]" in entry_points


def test_the_sdist_contains_every_file_of_the_tests_and_the_demo(sdist: Path) -> None:
    folders = ("airflow_provider_envoke", "benchmarks", "constraints", "demo", "example_dags", "tests")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.*") if path.suffix != ".pyc"]

    assert [path for path in files if path.is_file() and not (sdist / path.relative_to(ROOT)).exists()] == []


def test_the_tests_run_from_the_sdist(sdist: Path) -> None:
    pytest_command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    some = ["tests/envoke", "tests/test_audit.py", "tests/test_processes.py"]

    collected = run([*pytest_command, "--collect-only", "tests", "tests/system"], cwd=sdist)
    output = run([*pytest_command, *some], cwd=sdist)

    assert "tests/system/test_make_airflow.py::" in collected
    assert " passed" in output
    assert "failed" not in output


def test_airflow_lists_the_provider() -> None:
    _, row = row_of(airflow("providers", "list", "--output", "json"), package_name="airflow-provider-envoke")

    assert row["version"] == airflow_provider_envoke.__version__


def test_airflow_lists_the_connection_type_without_a_warning_of_ours() -> None:
    logged, row = row_of(airflow("providers", "hooks", "--output", "json"), connection_type="envoke")

    assert row["class"] == "airflow_provider_envoke.hooks.envoke.EnvokeHook"
    assert "envoke" not in logged.lower()


def test_airflow_tests_a_good_connection(airflow_db: Path, envoke_sandbox: Sandbox) -> None:
    output = airflow("connections", "test", "envoke_default", **connection(envoke_sandbox))

    assert "Connection success" in output


def test_airflow_reports_a_wrong_key(airflow_db: Path, envoke_sandbox: Sandbox) -> None:
    wrong = connection(envoke_sandbox, password="not-the-key-of-this-account")

    output = airflow("connections", "test", "envoke_default", expected=None, **wrong)  # 2.11 exits with 0

    assert "Connection failed" in output
    assert "401" in output
    assert "not-the-key-of-this-account" not in output


PRINT_FORM = """
import json
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
form = next(form for form in HookMetaService.hook_meta_data() if form.connection_type == "envoke")
print(json.dumps(form.model_dump()))
"""


@pytest.mark.skipif(
    airflow_package.__version__.startswith("2."), reason="Airflow 2 builds the form from the hook's methods"
)
def test_airflow_3_shows_the_form_with_its_labels_and_fields() -> None:
    form = json.loads(run([sys.executable, "-c", PRINT_FORM]).splitlines()[-1])

    assert form["standard_fields"]["password"]["title"] == "API key"
    assert form["standard_fields"]["host"]["placeholder"] == "https://e1.envoke.com"
    assert set(form["extra_fields"]) == set(EXTRAS)
    types = {"string": str, "number": int, "integer": int}
    for field in form["extra_fields"].values():
        assert field["value"] is None or isinstance(field["value"], types[field["schema"]["type"][0]])


def connection(sandbox: Sandbox, **changes: str) -> dict[str, str]:
    return {
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW_CONN_ENVOKE_DEFAULT": json.dumps({**sandbox.connection, **changes}),
    }
