"""What Airflow reads about the provider: valid, complete, and about modules that exist."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import airflow as airflow_package
import jsonschema
from airflow.providers.common.sql.get_provider_info import get_provider_info as info_of_common_sql

from airflow_provider_envoke.get_provider_info import get_provider_info
from tests.support.layers import WITH_AIRFLOW, modules_in

INFO = get_provider_info()

#: The keys of the metadata whose entries list modules.
LISTS = ("operators", "sensors", "triggers", "hooks")


def listed() -> set[str]:
    """Return the modules that the metadata lists."""
    modules = {module for kind in LISTS for each in INFO[kind] for module in each["python-modules"]}
    return modules | {each["python-module"] for each in INFO["transfers"]}


def test_it_is_what_airflow_s_schema_describes() -> None:
    schema = json.loads((Path(airflow_package.__file__).parent / "provider_info.schema.json").read_text())
    closed = schema | {"additionalProperties": False}
    # Airflow 2.11 describes only what it reads itself, but shows everything.
    known = {name: value for name, value in INFO.items() if name in schema["properties"]}

    jsonschema.validate(known, closed)

    assert {"name", "description", "transfers", "connection-types"} <= set(known)


def test_every_module_that_dags_import_is_listed() -> None:
    public = {each for each in modules_in(*WITH_AIRFLOW) if each.count(".") > 1 and "._" not in each}

    assert listed() == public
    for module in public:
        importlib.import_module(module)


def test_every_integration_that_is_named_is_described() -> None:
    described = [
        each["integration-name"] for info in (INFO, info_of_common_sql()) for each in info["integrations"]
    ]
    named = {each["integration-name"] for kind in LISTS for each in INFO[kind]}
    named |= {each[f"{side}-integration-name"] for each in INFO["transfers"] for side in ("source", "target")}

    assert named <= set(described)
