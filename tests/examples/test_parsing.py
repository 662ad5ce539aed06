"""Every example parses with nothing configured."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support import ROOT
from tests.support.airflow import without_airflow
from tests.support.examples import ASKING, CAN_ASK, CAN_WATCH, NAMES, WATCHING, example

if TYPE_CHECKING:
    from pathlib import Path

#: The examples that define a DAG on this version of Airflow.
RUNNABLE = [name for name in NAMES if (CAN_ASK or name not in ASKING) and (CAN_WATCH or name not in WATCHING)]

WITHOUT_HITL = """
import sys
sys.modules["airflow.providers.standard.operators.hitl"] = None
"""


def parse(script: str, home: Path) -> str:
    """Run a script that imports examples, in an Airflow with nothing configured; return its last line."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**without_airflow(dict(os.environ)), "AIRFLOW_HOME": str(home), "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "Warning" in line and "envoke" in line] == []
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("name", RUNNABLE)
def test_an_example_parses_with_nothing_configured(name: str, tmp_path: Path) -> None:
    script = f"import example_dags.{name} as example; print(example.dag.dag_id, len(example.dag.doc_md) > 100)"

    assert parse(script, tmp_path) == f"{name} True"


@pytest.mark.parametrize("name", RUNNABLE)
def test_an_example_has_a_description_and_no_parameter_that_a_person_must_fill_in(name: str) -> None:
    dag = example(name)

    assert 10 < len(dag.description or "") < 80
    assert {key: value for key, value in dag.params.items() if value == ""} == {}, "Airflow's form wants a value"
    dag.params.validate()


@pytest.mark.parametrize("name", sorted(ASKING))
def test_an_example_that_asks_a_person_defines_no_dag_where_airflow_cannot_ask(name: str, tmp_path: Path) -> None:
    script = f"import example_dags.{name} as example; print(hasattr(example, 'dag'))"

    assert parse(WITHOUT_HITL + script if CAN_ASK else script, tmp_path) == "False"


@pytest.mark.parametrize("name", sorted(WATCHING))
@pytest.mark.skipif(CAN_WATCH, reason="Airflow watches assets from 3 on")
def test_an_example_that_watches_an_asset_defines_no_dag_where_airflow_cannot(name: str, tmp_path: Path) -> None:
    script = f"import example_dags.{name} as example; print(hasattr(example, 'dag'))"

    assert parse(script, tmp_path) == "False"
