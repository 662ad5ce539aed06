"""What each example DAG is to do to a freshly filled stand-in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from demo import customers
from demo.rest import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from demo.scene import Scene

NOEMIE, MAX = "noemie.ornstrom@example.org", "max.lindqvist@example.com"
CUSTOMERS = {row["email"]: row for row in customers.customers()}
DUE = {NOEMIE, MAX, customers.NO_PHONE_EMAIL, customers.REVOKED_EMAIL}
ALL_CHANGED = DUE | {customers.ONE_EMAIL}

_START_S = 60.0


def trigger(scene: Scene, dag_id: str, conf: Mapping[str, Any]) -> str:
    """Start a run by hand."""
    scene.airflow.rest.unpause(dag_id)
    return scene.airflow.rest.trigger(dag_id, conf)


def unpause_and_wait(scene: Scene, dag_id: str, conf: Mapping[str, Any]) -> str:
    """Let the scheduler start the run that is due."""
    rest = scene.airflow.rest
    rest.unpause(dag_id)
    runs = wait_for(f"the scheduler to start {dag_id}", lambda: rest.runs(dag_id), _START_S)
    run_id: str = runs[0]["dag_run_id"]
    return run_id


def sync_and_wait(scene: Scene, dag_id: str, conf: Mapping[str, Any]) -> str:
    """Let the nightly sync run, and the scheduler start what comes after it."""
    rest, nightly = scene.airflow.rest, "envoke_nightly_sync"
    rest.unpause(dag_id)
    sync_id = trigger(scene, nightly, conf)
    rest.wait_for_run(nightly, sync_id, _START_S)

    def started_by_it() -> str | None:
        runs = rest.runs(dag_id)
        if not all(run["start_date"] for run in runs):  # Airflow 3.3 answers 500 to a question about such a run
            return None
        for run in reversed(runs):
            events = rest.events_that_started(dag_id, run["dag_run_id"])
            if any(event["source_run_id"] == sync_id for event in events):
                run_id: str = run["dag_run_id"]
                return run_id
        return None

    run: str = wait_for(f"the scheduler to start {dag_id}", started_by_it, _START_S)
    return run


def answer(scene: Scene, dag_id: str, run_id: str, option: str) -> str:
    """Answer the question of the task ``approve``, and return what the person saw."""
    rest = scene.airflow.rest
    approve = rest.task(dag_id, run_id, "approve")
    question = wait_for("the question to a person", lambda: rest.question(approve), _START_S)
    # Nobody answers as fast as a test: a task that goes on before the scheduler has seen it pause is failed by it.
    paused = re.compile(
        rf"Received executor event with state success .*task_id='approve', run_id='{re.escape(run_id)}'"
    )
    wait_for("the scheduler to see the pause", lambda: paused.search(scene.log.read_text()), _START_S)
    rest.answer(approve, option)
    return f"{question['subject']}\n{question['body']}"


def approve(scene: Scene, dag_id: str, run_id: str) -> None:
    """Approve of a plan that says what it would do, and shows nobody's address."""
    seen = answer(scene, dag_id, run_id, "Approve")
    assert seen.startswith("Change 5 contacts in Envoke?\n**5 of 300 rows**"), seen
    assert "`city`: 3, such as row" in seen
    assert "@" not in seen


@dataclass(frozen=True)
class Expected:
    """
    What one run does.

    :param conf: its configuration.
    :param tasks: task, mapped ones with their index (``update[0]``) -> the state that it ends in.
    :param results: task -> a part of what it leaves in XCom.
    :param changed: e-mail addresses of the contacts that it changes, each by one update.
    :param events: how many asset events it leaves, each with the report of the task.
    :param start: what starts it, and returns its id.
    :param meanwhile: what a person has to do while it runs.
    :param lines: the lines of Airflow that offer it.
    """

    conf: dict[str, Any]
    tasks: dict[str, str]
    results: dict[str, Any]
    changed: set[str]
    events: int = 0
    start: Callable[[Scene, str, Mapping[str, Any]], str] = trigger
    meanwhile: Callable[[Scene, str, str], None] = field(default=lambda scene, dag_id, run_id: None)
    lines: tuple[int, ...] = (2, 3)


ONE_UPDATED = {"action": "updated"}
FIELDS = ["city", "email", "first_name", "language", "last_name", "phone"]
WHOLE_TABLE = {"rows": 300, "updated": 5, "created": 0, "unchanged": 294, "skipped": 1, "rejected": 0}

#: A new example needs a line here. They run in this order: the scheduler starts the nightly sync only once.
EXAMPLES = {
    "envoke_nightly_sync": Expected(
        conf={},
        tasks={"sync": "success"},
        results={"sync": WHOLE_TABLE | {"skipped_reasons": {"not_found": 1}, "stopped": ""}},
        changed=ALL_CHANGED,
        events=1,
        start=unpause_and_wait,
    ),
    "envoke_after_sync": Expected(
        conf={},
        tasks={"look_at_reports": "success"},
        results={},
        changed=ALL_CHANGED,
        start=sync_and_wait,
    ),
    "envoke_approve_then_sync": Expected(
        conf={},
        tasks={"plan": "success", "approve": "success", "sync": "success"},
        results={"plan": WHOLE_TABLE | {"plan_only": True}, "sync": WHOLE_TABLE | {"plan_only": False}},
        changed=ALL_CHANGED,
        meanwhile=approve,
        lines=(3,),
    ),
    "envoke_ask_if_large": Expected(
        conf={},
        tasks={"plan": "success", "is_it_large": "success", "approve": "skipped", "sync": "success"},
        results={"sync": WHOLE_TABLE},
        changed=ALL_CHANGED,
        lines=(3,),
    ),
    "envoke_plan_then_sync": Expected(
        conf={},
        tasks={"plan": "success", "sync": "success"},
        results={"plan": WHOLE_TABLE | {"plan_only": True}, "sync": WHOLE_TABLE | {"plan_only": False}},
        changed=ALL_CHANGED,
    ),
    "envoke_sharded_sync": Expected(
        conf={},
        tasks={**{f"shard[{number}]": "success" for number in range(4)}, "add_up": "success"},
        results={"add_up": WHOLE_TABLE, **{f"shard[{number}]": {"rows": 75} for number in range(4)}},
        changed=ALL_CHANGED,
    ),
    "envoke_update_by_email": Expected(
        conf={"email": customers.ONE_EMAIL},
        tasks={"customer": "success", "update": "success"},
        results={"update": ONE_UPDATED | {"fields": FIELDS}},
        changed={customers.ONE_EMAIL},
    ),
    "envoke_update_by_remote_id": Expected(
        conf={"customer_id": CUSTOMERS[NOEMIE]["customer_id"]},
        tasks={"customer": "success", "choose_key": "success", "update": "success"},
        results={"choose_key": "remote_id" if CUSTOMERS[NOEMIE]["remote_id"] else "email", "update": ONE_UPDATED},
        changed={NOEMIE},
    ),
    "envoke_update_many": Expected(
        conf={"changed_since": customers.CHANGED_SINCE},
        tasks={
            "changed": "success",
            **{f"update[{number}]": "success" for number in range(4)},
            "update[4]": "skipped",
        },
        results={**{f"update[{number}]": ONE_UPDATED for number in range(4)}, "update[4]": {"action": "skipped"}},
        changed=DUE,
    ),
}
