"""Every example DAG under a real scheduler, with the provider from its wheel, checked by Airflow's REST API."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import EXAMPLES, customers
from tests.system.airflow.standalone import LINE
from tests.system.examples import ALL_CHANGED, CUSTOMERS, EXPECTED, WHOLE_TABLE, answer, trigger

if TYPE_CHECKING:
    from tests.system.airflow.with_sandbox import AirflowWithSandbox

FILES = {path.stem for path in EXAMPLES.glob("*.py")}
NAMES = [*(name for name in EXPECTED if name in FILES), *(FILES - set(EXPECTED))]
OFFERED = [name for name in NAMES if name not in EXPECTED or LINE in EXPECTED[name].lines]
RUN_S = 120.0


def test_airflow_has_the_provider_from_its_wheel(running: AirflowWithSandbox) -> None:
    running.airflow.wait_for_dags(["system_where"])

    where = Path(running.airflow.rest.dag("system_where")["description"])

    installed = Path(sysconfig.get_path("purelib")) / "airflow_provider_envoke" / "__init__.py"
    assert where == installed, "installed by make test-system"


def test_each_example_has_an_entry() -> None:
    assert sorted(EXPECTED) == sorted(NAMES), "an entry in tests/system/examples.py"


@pytest.mark.parametrize("dag_id", NAMES)
def test_an_example_does_what_it_says(dag_id: str, running: AirflowWithSandbox) -> None:
    expected = EXPECTED[dag_id]
    rest, before = running.airflow.rest, customers.contacts()
    if LINE not in expected.lines:
        assert rest.dag(dag_id) == {}
        return
    running.airflow.wait_for_dags([dag_id])
    running.sandbox.reset(before)

    run_id = expected.start(running, dag_id, expected.conf)
    expected.meanwhile(running, dag_id, run_id)
    state = rest.wait_for_run(dag_id, run_id, RUN_S)

    tasks = {named(task): task for task in rest.tasks(dag_id, run_id)}
    assert {name: task["state"] for name, task in tasks.items()} == expected.tasks
    assert state == "success"
    for name, part in expected.results.items():
        assert_holds(rest.xcom(tasks[name]), part)
    changes = customers.changes(before, running.sandbox.contacts())
    assert {email for email, *_ in changes} == expected.changed
    assert len(updates(running)) == len(expected.changed)
    assert_events_hold_the_report(running, dag_id, run_id, expected.events)
    assert_nothing_secret_is_shown(running, list(tasks.values()))


def test_the_second_night_changes_nothing_and_the_log_says_so(running: AirflowWithSandbox) -> None:
    dag_id, rest = "envoke_nightly_sync", running.airflow.rest
    running.airflow.wait_for_dags([dag_id])
    running.sandbox.reset(customers.contacts())

    for _ in range(2):
        run_id = trigger(running, dag_id, {"plan_only": False})
        rest.wait_for_run(dag_id, run_id, RUN_S)

    (sync,) = rest.tasks(dag_id, run_id)
    assert_holds(rest.xcom(sync), WHOLE_TABLE | {"updated": 0, "unchanged": 299})
    assert len(updates(running)) == len(ALL_CHANGED)
    assert re.search(r"Report of the run:\nrows read +300\nupdated +0\n", rest.log(sync))


@pytest.mark.skipif(LINE == 2, reason="Airflow 2 cannot ask people")
def test_a_large_plan_asks_and_one_that_is_rejected_writes_nothing(running: AirflowWithSandbox) -> None:
    dag_id, rest = "envoke_ask_if_large", running.airflow.rest
    running.airflow.wait_for_dags([dag_id])
    running.sandbox.reset(customers.contacts())

    run_id = trigger(running, dag_id, {"ask_above": 0})
    answer(running, dag_id, run_id, "Reject")
    rest.wait_for_run(dag_id, run_id, RUN_S)

    states = {task["task_id"]: task["state"] for task in rest.tasks(dag_id, run_id)}
    assert states == {"plan": "success", "is_it_large": "success", "approve": "success", "sync": "skipped"}
    assert updates(running) == []


def test_no_dag_file_fails_to_import(running: AirflowWithSandbox) -> None:
    running.airflow.wait_for_dags(OFFERED)

    assert running.airflow.rest.import_errors() == []


def test_airflow_lists_our_hook_without_a_warning_of_ours(running: AirflowWithSandbox) -> None:
    command = [sys.executable, "-m", "airflow", "providers", "hooks", "--output", "json"]
    environment = {**running.airflow.environment, "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        command, cwd=running.airflow.home, env=environment, capture_output=True, text=True, check=True, timeout=100
    )

    assert '"airflow_provider_envoke.hooks.envoke.EnvokeHook"' in done.stdout
    assert warnings_of_ours(done.stdout + done.stderr) == []


def test_no_component_of_airflow_logs_a_warning_of_ours(running: AirflowWithSandbox) -> None:
    """This comes last: it reads the logs of scheduler, DAG processor, triggerer and web server."""
    running.airflow.wait_for_dags(OFFERED)
    paths = [path for path in (running.airflow.home / "logs").rglob("*.log") if "dag_id=" not in str(path)]
    logs = {path.name: path.read_text(encoding="utf-8", errors="replace") for path in (running.log, *paths)}

    assert "scheduler " in logs[running.log.name], "the output of all components"
    assert {f"{name}.py.log" for name in NAMES} <= set(logs), "the logs of the DAG files"
    for name in set(NAMES) - set(OFFERED):  # Airflow 2 logs this for a file without a DAG
        lines = logs[f"{name}.py.log"].splitlines()
        logs[f"{name}.py.log"] = "\n".join(
            line for line in lines if "WARNING - No viable dags retrieved" not in line
        )
    found = {name: warnings_of_ours(text, all_ours=name.endswith(".py.log")) for name, text in logs.items()}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("[2026-11-24T06:08:59+0000] {x.py:1} WARNING - envoke_nightly_sync.py is odd", True),
        ("scheduler  | 2026-11-24T06:08:27Z [warning  ] odd [airflow_provider_envoke.hooks.envoke]", True),
        ("[2026-11-24T06:08:59+0000] {envoke.py:1} WARNING - odd", True),
        ("/x/airflow_provider_envoke/hooks/envoke.py:3: DeprecationWarning: odd", True),
        ("[2026-11-24T06:08:59+0000] {x.py:1} ERROR - Failed to import: /x/dags/envoke_update_many.py", True),
        ("scheduler  | 2026-11-24T06:08:27Z [info     ] envoke_nightly_sync", False),
        ("scheduler  | 2026-11-24T06:08:27Z [warning  ] ASGI app factory detected. [uvicorn.error]", False),
        ("[error    ] XCom not found [airflow.sdk.api.client] dag_id=envoke_sharded_sync task_id=shard", False),
        ("[warning  ] Odd [airflow.task.operators.airflow_provider_envoke.operators.envoke.X]", False),
    ],
)
def test_what_counts_as_a_warning_of_ours(line: str, counts: bool) -> None:
    assert bool(warnings_of_ours(line)) is counts


def warnings_of_ours(text: str, *, all_ours: bool = False) -> list[str]:
    """Return the lines at WARNING or above that name our package or a DAG, without those that tasks logged."""
    loud = re.compile(r"\b(WARN\w*|ERROR|CRITICAL|\w*Warning|\w*Error|Traceback)\b|\[(warning|error|critical) *\]")
    ours = re.compile(r"airflow_provider_envoke|envoke_\w+|\{\w*envoke\.py:|system_\w+" if not all_ours else "")
    of_a_task = re.compile(r"\[airflow\.task\.| task_id=")
    lines = (line for line in text.splitlines() if not of_a_task.search(line))
    return [line for line in lines if loud.search(line) and ours.search(line)]


def updates(running: AirflowWithSandbox) -> list[dict[str, Any]]:
    """Return the updates that were applied."""
    requests = running.sandbox.requests()
    return [request for request in requests if (request["method"], request["status"]) == ("PATCH", 200)]


def named(task: dict[str, Any]) -> str:
    """Return the name of a task instance, with its index if it is mapped: ``update[0]``."""
    index = task["map_index"]
    return task["task_id"] if index == -1 else f"{task['task_id']}[{index}]"


def assert_holds(result: Any, part: Any) -> None:
    """Check a result; a dict may hold more than is expected."""
    assert (result if not isinstance(part, dict) else {name: result.get(name) for name in part}) == part


def assert_events_hold_the_report(running: AirflowWithSandbox, dag_id: str, run_id: str, count: int) -> None:
    rest = running.airflow.rest
    ours = (dag_id, run_id)
    events = [event for event in rest.asset_events() if (event["source_dag_id"], event["source_run_id"]) == ours]
    assert len(events) == count
    for event in events:
        (source,) = (task for task in rest.tasks(*ours) if task["task_id"] == event["source_task_id"])
        assert event["extra"] == rest.xcom(source)


def assert_nothing_secret_is_shown(running: AirflowWithSandbox, tasks: list[dict[str, Any]]) -> None:
    """Check logs and rendered templates for the credentials, and the logs of our operators for email addresses."""
    connection = running.sandbox.connection
    basic = b64encode(f"{connection['login']}:{connection['password']}".encode()).decode()
    for task in (each for each in tasks if each["try_number"]):  # the others were skipped by a branch
        log = running.airflow.rest.log(task)
        assert "Executing" in log or "Pre Execute" in log, "the log of a task"
        for secret in (connection["password"], basic):
            assert secret not in log
            assert secret not in json.dumps(task)
        if "Envoke" in task["operator"]:
            assert [email for email in CUSTOMERS if email in log] == []
