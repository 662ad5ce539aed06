"""Who may import whom: the DAG parser pays for imports, and the core has to run without Airflow."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "airflow_provider_envoke"

# Each layer may import itself and those before it. The sandbox is a layer beside: it knows the core alone.
LAYERS = (
    {"", "exceptions", "get_provider_info"},
    {"core"},
    {"clients"},
    {"sync"},
    {"hooks"},
    {"operators", "transfers"},
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names} | {"sandbox": 2}
NOT_FOR = {"sandbox": {"clients"}}
# The exceptions carry violations and reports: their types come from the core, at type checking alone.
NAMES_TYPES_ALONE = {"airflow_provider_envoke.exceptions"}
# Operators say that they return a lineage, at type checking alone.
NAME_LINEAGE_TYPES = {f"airflow_provider_envoke.operators.{name}" for name in ("envoke", "sync")}
WITH_AIRFLOW = {"hooks", "operators", "transfers"}


def modules_below(*folders: str) -> list[str]:
    paths = [path for folder in folders for path in sorted((PACKAGE / folder).rglob("*.py"))]
    return [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]


ALL_MODULES = modules_below("")


def path_of(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imported_by(module: str) -> set[str]:
    """Every module that a module names in an import, also within functions and for types alone."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path_of(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def folder_of(module: str) -> str:
    return [*module.split("."), ""][1]


def run(code: str, *arguments: str) -> list[str]:
    """Run code in a fresh process, and return the JSON list that it prints last."""
    process = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert process.returncode == 0, process.stderr
    loaded: list[str] = json.loads(process.stdout.splitlines()[-1])
    return loaded


IMPORT_ALL = """
import importlib, json, sys
before = set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""

IMPORT_AFTER_AIRFLOW = """
import importlib, json, sys
try:
    import airflow.sdk
except ImportError:
    import airflow.models
import airflow.providers.common.compat.sdk
before = set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def top_level(modules: list[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_importing_the_package_imports_nothing_else() -> None:
    loaded = run(IMPORT_ALL, "airflow_provider_envoke")

    assert [name for name in loaded if name != "__future__"] == ["airflow_provider_envoke"]


def test_reading_the_provider_info_imports_nothing_heavy() -> None:
    loaded = run(IMPORT_ALL, "airflow_provider_envoke.get_provider_info")

    assert not top_level(loaded) & {"airflow", "requests", "aiohttp", "pendulum", "urllib3"}


@pytest.mark.parametrize(
    ("folders", "unwanted"),
    [
        pytest.param(["core"], {"airflow", "requests", "urllib3", "aiohttp", "numpy", "pandas"}, id="core"),
        pytest.param(["clients"], {"airflow", "numpy", "pandas"}, id="clients"),
        pytest.param(["sync"], {"airflow", "numpy", "pandas"}, id="sync"),
        pytest.param(["sandbox"], {"airflow", "requests", "numpy", "pandas"}, id="sandbox"),
    ],
)
def test_a_layer_below_the_hooks_runs_without_airflow(folders: list[str], unwanted: set[str]) -> None:
    modules = [name for name in modules_below(*folders) if not name.endswith((".__main__", ".pytest_plugin"))]

    loaded = run(IMPORT_ALL, *modules)

    assert modules, "there is no such folder"
    assert top_level(loaded) & unwanted == set()


def test_the_modules_that_dag_files_import_load_no_network_library() -> None:
    modules = modules_below("hooks", "operators", "transfers")

    loaded = run(IMPORT_AFTER_AIRFLOW, *modules)

    assert set(modules) <= set(loaded)
    assert top_level(loaded) & {"requests", "aiohttp", "urllib3", "tenacity", "numpy", "pandas"} == set()
    assert not [name for name in loaded if "openlineage" in name]
    assert not [name for name in loaded if name.startswith("airflow_provider_envoke.clients.")]


@pytest.mark.parametrize("module", [name for name in ALL_MODULES if name not in NAMES_TYPES_ALONE])
def test_imports_run_one_way(module: str) -> None:
    folder = folder_of(module)
    may = {name for name, rank in RANK.items() if rank <= RANK[folder]} - NOT_FOR.get(folder, {"sandbox"})

    imported = {folder_of(name) for name in imported_by(module) if name.startswith("airflow_provider_envoke.")}

    assert imported & set(RANK) - may == set()


@pytest.mark.parametrize("module", ALL_MODULES)
def test_airflow_appears_where_the_house_has_it_and_nowhere_else(module: str) -> None:
    airflow = {name for name in imported_by(module) if name.split(".")[0] == "airflow"}

    if folder_of(module) not in WITH_AIRFLOW:
        assert airflow == set()
    else:
        allowed: tuple[str, ...] = ("airflow.providers.common.compat.sdk", "airflow.providers.common.sql")
        if module == "airflow_provider_envoke.operators.lineage":
            # The facets come from common.compat; the class that holds them and the parser of queries have no
            # other place than the OpenLineage provider, and are imported where it calls.
            allowed += ("airflow.providers.common.compat.openlineage", "airflow.providers.openlineage")
        elif module in NAME_LINEAGE_TYPES:
            allowed += ("airflow.providers.openlineage.extractors",)
        assert {name for name in airflow if not name.startswith(allowed)} == set()


def test_every_folder_of_the_package_has_its_layer() -> None:
    folders = {folder_of(name) for name in ALL_MODULES}

    assert folders == set(RANK)
