"""The wheel and the source distribution, and what Airflow's commands show of the installed provider."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any

import airflow as airflow_package
import pytest

import airflow_provider_envoke
from airflow_provider_envoke.envoke.config import EXTRAS
from airflow_provider_envoke.get_provider_info import get_provider_info
from tests.support import ROOT
from tests.support.layers import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_envoke.sandbox.thread import Sandbox


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the source distribution, and of the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("built")
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)])
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Iterator[zipfile.ZipFile]:
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def sdist(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that the source distribution is extracted to."""
    target = tmp_path_factory.mktemp("sdist")
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        archive.extractall(target, filter="data")
    (directory,) = target.iterdir()
    return directory


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


def test_the_wheel_says_whose_it_is_where_to_read_more_and_what_it_needs(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = BytesParser().parsebytes(wheel.read(name))

    assert metadata["Author"]
    assert metadata["License-Expression"] == "Apache-2.0"
    assert [url for url in metadata.get_all("Project-URL") if "envoke.com" in url]
    assert "Framework :: Apache Airflow :: Provider" in metadata.get_all("Classifier")
    assert metadata["Description-Content-Type"] == "text/markdown"


def test_pypi_accepts_the_wheel_and_the_sdist(built: Path) -> None:
    output = run([sys.executable, "-m", "twine", "check", "--strict", *map(str, built.iterdir())])

    assert output.count("PASSED") == 2


def test_the_sdist_contains_every_file_of_the_tests_and_the_demo(sdist: Path) -> None:
    folders = (".ci", PACKAGE, "benchmarks", "constraints", "demo", "docs", "example_dags", "tests")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    files += [ROOT / name for name in ("Makefile", "README.md", "CHANGELOG.md", "SECURITY.md", "pyproject.toml")]

    missing = [path for path in files if not (sdist / path.relative_to(ROOT)).exists()]

    assert [path for path in missing if path.suffix != ".pyc"] == []


@pytest.fixture
def run_sdist_tests(wheel: zipfile.ZipFile, sdist: Path, tmp_path: Path) -> Callable[..., str]:
    """Run tests of the source distribution with the package of the wheel; return what pytest printed."""
    wheel.extractall(tmp_path)
    (tmp_path / "where.py").write_text(WHERE)
    pytest_command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "where"]

    def run_tests(*arguments: str) -> str:
        output = run([*pytest_command, *arguments], cwd=sdist, PYTHONPATH=str(tmp_path))
        assert f"tested: {tmp_path / PACKAGE}" in output
        return output

    return run_tests


def test_every_test_of_the_sdist_can_be_imported(run_sdist_tests: Callable[..., str]) -> None:
    assert "tests/system/test_make_airflow.py::" in run_sdist_tests("--collect-only", "tests", "tests/system")


def test_the_tests_of_the_sdist_pass_with_the_wheel(run_sdist_tests: Callable[..., str]) -> None:
    output = run_sdist_tests("tests/envoke", "tests/test_audit.py", "tests/test_processes.py")

    assert " passed" in output
    assert "failed" not in output


def test_airflow_lists_the_provider() -> None:
    _, row = row_of(airflow("providers", "list", "--output", "json"), package_name="airflow-provider-envoke")

    assert row["version"] == airflow_provider_envoke.__version__


def test_airflow_shows_the_operators_the_hook_and_the_transfer() -> None:
    output = airflow("providers", "get", "airflow-provider-envoke", "--full", "--output", "json")

    _, shown = row_of(output, **{"package-name": "airflow-provider-envoke"})

    for kind in ("operators", "transfers", "hooks"):
        assert shown[kind] == get_provider_info()[kind]


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


# A plugin of pytest that shows which package the tests import.
WHERE = f"""
def pytest_terminal_summary(terminalreporter):
    from pathlib import Path
    import {PACKAGE}.envoke.fields
    terminalreporter.write_line(f"tested: {{Path({PACKAGE}.__file__).parent}}")
"""

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
