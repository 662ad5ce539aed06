"""Which module may import which: layers import one way, and DAG files load no network library."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions

import pytest

import airflow_provider_envoke.sync
from tests.support import ROOT
from tests.support.layers import (
    DIRECTLY_BELOW,
    PACKAGE,
    WITH_AIRFLOW,
    allowed_imports,
    imports_of,
    layer_of,
    modules_in,
    own_imports_of,
)

MODULES = modules_in()
NETWORK = {"requests", "aiohttp", "urllib3", "yarl"}
DATA_FRAMES = {"numpy", "pandas"}

#: Layer -> the network libraries that it may load. Others may load none.
NETWORK_OF = {"client": NETWORK, "sync": {"aiohttp", "yarl"}, "sandbox": {"aiohttp", "yarl"}}

#: Libraries that are imported only where something else has installed them.
OPTIONAL = {
    "airflow.providers.openlineage",  # operators._lineage, and the return type of operators
    "airflow.providers.common.compat.openlineage",  # needs the OpenLineage provider
    "pytest",  # the sandbox's pytest plugin
    "wtforms",  # Airflow's web server, for the connection form of Airflow 2.11 to 3.1
}

#: Airflow itself, whose other names come through common.compat.
AIRFLOW = {"apache-airflow"}
OF_AIRFLOW = ("airflow.triggers",)

IMPORT = """
import importlib, json, sys
before = set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""

AFTER_AIRFLOW = """
try:
    import airflow.sdk
except ImportError:
    import airflow.models
import airflow.providers.common.compat.sdk
"""

EVERY_NAME_OF_SYNC = """
import json, sys
from airflow_provider_envoke.sync import *
print(json.dumps(sorted(sys.modules)))
"""


def loaded_by(code: str, *modules: str) -> list[str]:
    """Run code in a fresh process, and return the modules that it prints."""
    process = subprocess.run(
        [sys.executable, "-c", code, *modules], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100
    )
    assert process.returncode == 0, process.stderr
    loaded: list[str] = json.loads(process.stdout.splitlines()[-1])
    return loaded


def top_level(modules: list[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_every_folder_and_module_of_the_package_is_a_layer() -> None:
    assert {layer_of(module) for module in MODULES} - {""} == set(DIRECTLY_BELOW)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_its_layer_and_those_below(module: str) -> None:
    layer = layer_of(module)
    allowed = allowed_imports(layer) if layer else set()

    imported = {layer_of(name) for name in own_imports_of(module)} - {""}  # "" has the version

    assert imported - allowed == set()


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("", {"__future__", "typing"}), (".get_provider_info", {"__future__", "typing"}),
        (".exceptions", {"__future__"}),
    ],
)  # fmt: skip
def test_the_lowest_modules_import_nothing_but_the_language_itself(module: str, allowed: set[str]) -> None:
    assert {name.partition(".")[0] for name in imports_of(PACKAGE + module)} <= allowed


def test_no_modules_import_each_other() -> None:
    TopologicalSorter({module: own_imports_of(module) for module in MODULES}).prepare()  # raises CycleError


@pytest.mark.parametrize("module", MODULES)
def test_a_private_module_is_imported_by_operators_sensors_and_transfers_only(module: str) -> None:
    private = {name for name in own_imports_of(module) if "._" in name}

    assert not private or layer_of(module) in ("operators", "sensors", "transfers")
    assert {layer_of(name) for name in private} <= {"operators", layer_of(module)}


@pytest.mark.parametrize("module", MODULES)
def test_airflow_is_imported_through_its_compatibility_layer_and_only_where_it_may_be(module: str) -> None:
    airflow = {name for name in imports_of(module) if name.split(".")[0] == "airflow"}

    allowed: tuple[str, ...] = ()
    if layer_of(module) in WITH_AIRFLOW:
        allowed = ("airflow.providers.common.compat.sdk", "airflow.providers.common.sql")
    if layer_of(module) == "triggers":
        allowed += ("airflow.triggers.base",)  # not in the compatibility layer
    if module in (f"{PACKAGE}.operators.envoke", f"{PACKAGE}.operators._sync"):  # the type that they return
        allowed += ("airflow.providers.openlineage.extractors",)
    if module == f"{PACKAGE}.operators._lineage":
        allowed += ("airflow.providers.common.compat.openlineage", "airflow.providers.openlineage")
    assert {name for name in airflow if not name.startswith(allowed)} == set()


def test_importing_the_package_loads_nothing_else() -> None:
    loaded = loaded_by(IMPORT, PACKAGE)

    assert [name for name in loaded if name != "__future__"] == [PACKAGE]


@pytest.mark.parametrize("layer", sorted(set(DIRECTLY_BELOW) - WITH_AIRFLOW))
def test_a_layer_without_airflow_loads_only_the_network_libraries_that_it_uses(layer: str) -> None:
    modules = [name for name in modules_in(layer) if not name.endswith((".__main__", ".pytest_plugin"))]

    loaded = loaded_by(IMPORT, *modules)

    assert set(modules) <= set(loaded)
    assert top_level(loaded) & NETWORK <= NETWORK_OF.get(layer, set())
    assert top_level(loaded) & ({"airflow"} | DATA_FRAMES) == set()


def test_every_public_name_of_sync_can_be_used_without_airflow() -> None:
    loaded = loaded_by(EVERY_NAME_OF_SYNC)

    assert f"{PACKAGE}.sync.passes" in loaded
    assert "airflow" not in top_level(loaded)
    assert {"SyncRun", "SyncOptions", "EnvokeConfig", "FieldMap", "PayloadRules", "SyncReport"} <= set(
        airflow_provider_envoke.sync.__all__
    )


def test_what_dag_files_import_loads_no_network_library_and_no_step_of_a_run() -> None:
    modules = modules_in(*WITH_AIRFLOW)

    loaded = loaded_by(AFTER_AIRFLOW + IMPORT, *modules)

    assert set(modules) <= set(loaded)
    assert top_level(loaded) & (NETWORK | DATA_FRAMES | {"sqlite3"}) == set()
    assert not [name for name in loaded if "openlineage" in name]
    # Other modules of a run open databases and connections; Airflow itself loads sqlite3.
    light = {f"{PACKAGE}.{name}" for name in ("sync", "sync.options", "sync.limits", "sync.compare")}
    assert set(loaded) & set(modules_in("client", "sync")) == light


def test_every_imported_library_is_a_declared_dependency_and_no_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.match(r"[\w.-]+", each)[0].lower() for each in project["dependencies"]}  # type: ignore[index]
    names = {
        name for module in MODULES for name in imports_of(module) if not name.startswith((*OPTIONAL, *OF_AIRFLOW))
    }
    own = {*sys.stdlib_module_names, PACKAGE}
    libraries = {tuple(name.split(".")) for name in names if name.partition(".")[0] not in own}
    installed = packages_distributions()

    providers = {"-".join(("apache-airflow-providers", *each[2:4])) for each in libraries if each[0] == "airflow"}
    others = {name.lower() for each in libraries if each[0] != "airflow" for name in installed[each[0]]}

    assert providers | others | AIRFLOW == declared
