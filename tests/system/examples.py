"""What each example DAG is expected to do."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support import customers
from tests.support.processes import wait_for
from tests.support.sandbox import call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.system.airflow.with_sandbox import AirflowWithSandbox

NOEMIE, MAX = "noemie.ornstrom@example.org", "max.lindqvist@example.com"
CUSTOMERS = {row["email"]: row for row in customers.customers()}
DUE = {NOEMIE, MAX, customers.NO_PHONE_EMAIL, customers.REVOKED_EMAIL}
ALL_CHANGED = DUE | {customers.ONE_EMAIL}

_START_S = 60.0
_WATCH_S = 150.0  # the triggerer asks once a minute


def trigger(running: AirflowWithSandbox, dag_id: str, conf: Mapping[str, Any]) -> str:
    """Unpause a DAG, and start a run."""
    running.airflow.rest.unpause(dag_id)
    return running.airflow.rest.trigger(dag_id, conf)


def unpause_and_wait(running: AirflowWithSandbox, dag_id: str, conf: Mapping[str, Any]) -> str:
    """Unpause a DAG, and wait until the scheduler starts the run that is due."""
    rest = running.airflow.rest
    rest.unpause(dag_id)

    def scheduled_runs() -> list[str]:
        return [run["dag_run_id"] for run in rest.runs(dag_id) if run["run_type"] == "scheduled"]

    return wait_for(f"the scheduler to start {dag_id}", scheduled_runs, _START_S)[0]


def sync_and_wait(running: AirflowWithSandbox, dag_id: str, conf: Mapping[str, Any]) -> str:
    """Run the nightly sync, and wait until the scheduler starts the DAG that its asset triggers."""
    rest, nightly = running.airflow.rest, "envoke_nightly_sync"
    rest.unpause(dag_id)
    sync_id = trigger(running, nightly, conf)
    rest.wait_for_run(nightly, sync_id, _START_S)

    def triggered_run() -> str | None:
        runs = rest.runs(dag_id)
        if not all(run["start_date"] for run in runs):  # Airflow 3.3 answers 500 for the events of such a run
            return None
        for run in reversed(runs):
            events = rest.events_that_started(dag_id, run["dag_run_id"])
            if any(event["source_run_id"] == sync_id for event in events):
                return run["dag_run_id"]
        return None

    return wait_for(f"the scheduler to start {dag_id}", triggered_run, _START_S)


def create_and_wait(running: AirflowWithSandbox, dag_id: str, conf: Mapping[str, Any]) -> str:
    """Create a contact once the triggerer watches, wait for the run that this starts, and delete the contact."""
    rest, sandbox = running.airflow.rest, running.sandbox
    rest.unpause(dag_id)
    rest.parse_again(dag_id)
    try:
        asked = "sort[id]=DESC"
        wait_for(
            "the triggerer to watch", lambda: any(asked in each["query"] for each in sandbox.requests()), _WATCH_S
        )
        new = call(sandbox.url, "POST", "/v1/contacts", {"email": "new@example.com"}).json()["result_data"]["id"]
        runs = wait_for(f"the triggerer to start {dag_id}", lambda: rest.runs(dag_id), _WATCH_S)
        rest.wait_for_run(dag_id, runs[0]["dag_run_id"], _WATCH_S)  # a paused DAG would not go on
        call(sandbox.url, "DELETE", f"/v1/contacts/{new}")
    finally:
        rest.pause(dag_id)  # the triggerer would go on asking the sandbox
        rest.parse_again(dag_id)
    return runs[0]["dag_run_id"]


def answer(running: AirflowWithSandbox, dag_id: str, run_id: str, option: str) -> str:
    """Answer the question of the task ``approve``, and return its text."""
    rest = running.airflow.rest
    approve = rest.task(dag_id, run_id, "approve")
    question = wait_for("the question to a person", lambda: rest.question(approve), _START_S)
    # A test answers faster than a person: the scheduler fails a task that continues before it has seen the pause.
    of_it = f"task_id='approve', run_id='{re.escape(run_id)}'"
    paused = re.compile(f"Received executor event with state success .*{of_it}")
    wait_for("the scheduler to see the pause", lambda: paused.search(running.log.read_text()), _START_S)
    rest.answer(approve, option)
    return f"{question['subject']}\n{question['body']}"


def approve(running: AirflowWithSandbox, dag_id: str, run_id: str) -> None:
    """Approve the plan, which shows the changes but no email address."""
    text = answer(running, dag_id, run_id, "Approve")
    assert [words for words in ("5 contacts", "5 of 300 rows", "`city`: 3") if words not in text] == []
    assert "@" not in text


@dataclass(frozen=True)
class Expected:
    """
    What one run is expected to do.

    :param tasks: task, with the index if it is mapped (``update[0]``) -> its final state.
    :param changed: email addresses of the contacts that it changes, each by one update.
    :param conf: its configuration.
    :param results: task -> a part of its result in XCom.
    :param events: how many asset events it leaves, each with the report of the task.
    :param start: starts it, and returns its id.
    :param meanwhile: what a person does while it runs.
    :param lines: the major versions of Airflow that have it.
    """

    tasks: dict[str, str]
    changed: set[str]
    conf: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    events: int = 0
    start: Callable[[AirflowWithSandbox, str, Mapping[str, Any]], str] = trigger
    meanwhile: Callable[[AirflowWithSandbox, str, str], None] = field(default=lambda running, dag_id, run_id: None)
    lines: tuple[int, ...] = (2, 3)


SHARDS = [f"shard[{number}]" for number in range(4)]
MAPPED = [f"update[{number}]" for number in range(1, 5)]
ONE_UPDATED = {"action": "updated"}
FIELDS = ["city", "email", "first_name", "language", "last_name", "phone"]
WHOLE_TABLE = {"rows": 300, "updated": 5, "created": 0, "unchanged": 294, "skipped": 1, "rejected": 0}

#: Each example needs an entry. They run in this order: the scheduler starts the nightly sync only once.
EXPECTED = {
    "envoke_nightly_sync": Expected(
        tasks={"sync": "success"},
        results={"sync": WHOLE_TABLE | {"skipped_reasons": {"not_found": 1}, "stopped": "", "plan_only": True}},
        changed=set(),
        events=1,
        start=unpause_and_wait,
    ),
    "envoke_after_sync": Expected(
        conf={"plan_only": False},  # of the sync
        tasks={"look_at_reports": "success"},
        changed=ALL_CHANGED,
        start=sync_and_wait,
    ),
    "envoke_approve_then_sync": Expected(
        tasks={"plan": "success", "anything_to_change": "success", "approve": "success", "sync": "success"},
        results={"plan": WHOLE_TABLE | {"plan_only": True}, "sync": WHOLE_TABLE | {"plan_only": False}},
        changed=ALL_CHANGED,
        meanwhile=approve,
        lines=(3,),
    ),
    "envoke_ask_if_large": Expected(
        tasks={"plan": "success", "is_it_large": "success", "approve": "skipped", "sync": "success"},
        results={"sync": WHOLE_TABLE},
        changed=ALL_CHANGED,
        lines=(3,),
    ),
    "envoke_new_contacts": Expected(
        tasks={"read_new_contacts": "success"},
        results={"read_new_contacts": 1},
        changed=set(),
        start=create_and_wait,
        lines=(3,),
    ),
    "envoke_plan_then_sync": Expected(
        tasks={"plan": "success", "sync": "success"},
        results={"plan": WHOLE_TABLE | {"plan_only": True}, "sync": WHOLE_TABLE | {"plan_only": False}},
        changed=ALL_CHANGED,
    ),
    "envoke_sharded_sync": Expected(
        tasks={**dict.fromkeys(SHARDS, "success"), "add_up": "success"},
        results={"add_up": WHOLE_TABLE, **{name: {"rows": 75} for name in SHARDS}},
        changed=ALL_CHANGED,
    ),
    "envoke_alerts": Expected(  # without a mail server; a notifier that fails does not fail its task
        tasks={"sync": "success"},
        results={"sync": WHOLE_TABLE | {"summary": "5 updated, 294 unchanged, 1 skipped"}},
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
        tasks={"changed": "success", **dict.fromkeys(MAPPED, "success"), "update[0]": "skipped"},
        results={**dict.fromkeys(MAPPED, ONE_UPDATED), "update[0]": {"action": "skipped"}},
        changed=DUE,
    ),
}
