"""What people read of rejected rows, and of runs over a table that end early."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_envoke.exceptions import EnvokeError, EnvokePlanError, EnvokeRowsError, EnvokeSyncError
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from airflow_provider_envoke.sandbox.thread import Sandbox
from airflow_provider_envoke.sync import EnvokeConfig, FieldMap, SyncOptions, SyncRun
from airflow_provider_envoke.sync.compare import Decision
from airflow_provider_envoke.sync.guards import REASONS
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support.contacts import ANA, BO, CY, EXPRESS
from tests.support.faulty_server import FaultyServer, answer
from tests.support.reports import report, tally
from tests.support.sync_runs import WatchedRows, config_of, patches, sync
from tests.support.tasks import context, whole_error
from tests.support.threads import once

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTACTS = [ANA, BO, CY]
OVERLONG = {"email": "ana@example.com", "city": "x" * 21}
CHANGED = {"email": "bo@example.com", "city": "Alma"}
NEW = {"email": "new@example.com", "city": "Alma"}
NINTH = {"remote_id": "R-9", "city": "Alma"}
WITH_BOS_ADDRESS = {"id": 1, "email": "bo@example.com"}
TO_ONE_ADDRESS = [{"id": 1, "email": "n@example.com"}, {"id": 2, "email": "N@example.com"}]
TWINS = [{**ANA, "id": number, "email": f"ana{number}@example.com", "remote_id": "R-1"} for number in (1, 2)]

# Reason -> case -> contacts, rows (the last one is rejected), options.
REJECTS: dict[str, dict[str, tuple[list[Any], list[Any], dict[str, Any]]]] = {
    "missing_key": {"no email": (CONTACTS, [CHANGED, {"city": "Alma"}], {})},
    "missing_column": {
        "no column for field_map": (
            CONTACTS,
            [{**CHANGED, "x": "Laval"}, CHANGED],
            {"fields": FieldMap({"email": "email", "x": "city"})},
        ),
    },
    "duplicate_key": {
        "the same key with other values": (CONTACTS, [CHANGED, {**CHANGED, "city": "Laval"}], {}),
        "the same key": (CONTACTS, [CHANGED, CHANGED], {"on_duplicate": "reject"}),
    },
    "shared_email": {
        "the address of another row": (CONTACTS, TO_ONE_ADDRESS, {"keyfield": "id"}),
        "the address of another contact": (CONTACTS, [WITH_BOS_ADDRESS], {"keyfield": "id"}),
    },
    "ambiguous_match": {
        "two contacts with the key": (TWINS, [{"remote_id": "R-1", "city": "Alma"}], {"keyfield": "remote_id"}),
    },
    "consent_withdrawn": {
        "consent withdrawn": (
            CONTACTS,
            [{"email": "cy@example.com", **EXPRESS}],
            {"on_withdrawn": "reject"},
        ),
    },
    "not_found": {"no contact": (CONTACTS, [NEW], {})},
    "cannot_create": {
        "new contact by id": (CONTACTS, [{"id": 9, "city": "Alma"}], {"keyfield": "id", "on_missing": "create"}),
        "new contact without an email": (CONTACTS, [NINTH], {"keyfield": "remote_id", "on_missing": "create"}),
    },
    "refused": {
        "rejected by Envoke": (CONTACTS, [WITH_BOS_ADDRESS], {"keyfield": "id", "shared_email_guard": False}),
    },
}


@pytest.mark.parametrize(
    ("case", "reason"), [pytest.param(case, reason, id=case) for reason in REJECTS for case in REJECTS[reason]]
)
def test_a_rejected_row_says_why(case: str, reason: str, check_message: Callable[[str, str], None]) -> None:
    contacts, rows, options = REJECTS[reason][case]
    with Sandbox(contacts) as sandbox:
        done, rejects = sync(sandbox, rows, **options)

    reject = rejects[-1]
    assert (list(done.reasons), reject.row, reject.reason) == ([reason], len(rows), reason)
    assert "example.com" not in reject.message.replace("***@example.com", "")
    check_message(f"reject: {case}", reject.message)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_described(reason: str, check_message: Callable[[str, str], None]) -> None:
    check_message(f"reason: {reason}", REASONS[reason])


# Runs that end with an exception


def test_too_many_rejects_fail_the_task_after_the_other_rows(
    sandbox: Sandbox, tmp_path: Path, check_message: Callable[[str, str], None]
) -> None:
    arguments = {"task_id": "t", "rows": [OVERLONG, NEW, CHANGED]}

    for case, extra in {
        "with a file": {"rejects_path": str(tmp_path / "rejects.jsonl")},
        "without a file": {"max_rejects": 0.5},
        "in a plan": {"plan_only": True, "max_rejects": "1"},
    }.items():
        run = context()
        with pytest.raises(AirflowFailException) as caught:
            EnvokeSyncContactsOperator(**arguments, **extra).execute(run)
        error = whole_error(caught.value)
        assert isinstance(error, EnvokeRowsError)
        assert error.report == vars(caught.value)["report"] == run["ti"].pushed["return_value"]
        check_message(f"end: too many rejects {case}", " ".join(str(error).split()))
    assert sandbox.contact(email="bo@example.com")["city"] == "Alma"


@pytest.mark.parametrize("plan_only", [False, True])
def test_a_plan_with_rejects_writes_nothing(plan_only: bool, sandbox: Sandbox) -> None:
    with pytest.raises(AirflowFailException):
        EnvokeSyncContactsOperator(task_id="t", rows=[OVERLONG, CHANGED], plan_only=plan_only).execute(context())

    assert (patches(sandbox) == []) is plan_only


def test_the_message_has_the_first_row_of_each_reason(sandbox: Sandbox) -> None:
    rows = [OVERLONG, {**OVERLONG, "email": "bo@example.com"}, NEW, {"email": ""}, {**NEW, "town": 1}]

    with pytest.raises(AirflowFailException) as caught:
        EnvokeSyncContactsOperator(task_id="t", rows=rows).execute(context())

    message = str(whole_error(caught.value))
    assert [number for number in range(1, 6) if re.search(rf"row {number}\b", message)] == [1, 3, 4, 5]


def test_too_many_changes_fail_the_task_for_good(
    sandbox: Sandbox, check_message: Callable[[str, str], None]
) -> None:
    task = EnvokeSyncContactsOperator(task_id="t", rows=[CHANGED, NEW, ANA], max_changes=1, on_missing="create")

    with pytest.raises(AirflowFailException) as caught:
        task.execute(context())

    assert isinstance(caught.value.__context__, EnvokePlanError)
    check_message("end: too many changes", str(whole_error(caught.value)))
    assert patches(sandbox) == []


def test_contacts_that_change_after_the_plan_stop_the_run(
    sandbox: Sandbox, check_message: Callable[[str, str], None]
) -> None:
    passes: list[int] = []

    def change(number: int) -> None:
        passes.append(number)
        if passes == [0, 1, 0]:
            sandbox.reset([{**contact, "city": "Alma"} for contact in (ANA, BO)])

    rows = [{"email": contact["email"], "city": contact["city"]} for contact in (ANA, BO)]
    run = SyncRun(config_of(sandbox), SyncOptions(max_changes=1))

    with pytest.raises(EnvokePlanError) as caught:
        run.run(WatchedRows(rows, change))

    check_message("end: changes after the plan", str(caught.value))


def test_a_stopped_run_is_reported(sandbox: Sandbox, check_message: Callable[[str, str], None]) -> None:
    run = SyncRun(config_of(sandbox), SyncOptions())

    with pytest.raises(EnvokeSyncError) as caught:
        run.run(WatchedRows([CHANGED], lambda _: run.cancel()))

    assert run.report().stopped == "EnvokeSyncError"
    check_message("end: stopped", str(caught.value))


def test_a_row_that_was_being_written_when_the_run_was_stopped_says_so(
    check_message: Callable[[str, str], None],
) -> None:
    rejected: list[Any] = []
    with Sandbox(CONTACTS, latency_s=30) as slow:
        run = SyncRun(config_of(slow), SyncOptions(strategy="all"), on_reject=rejected.append)
        with (
            once("the write to arrive", lambda: slow.stats["in_flight"] > 0, run.cancel),
            pytest.raises(EnvokeSyncError),
        ):
            run.run([CHANGED])

    (reject,) = rejected
    assert reject.reason == "stopped"
    check_message("reject: stopped", reject.message)


def test_counts_that_do_not_add_up_are_a_bug(check_message: Callable[[str, str], None]) -> None:
    with pytest.raises(EnvokeError) as caught:
        report(tally(Decision("unchanged"), rows=2))

    check_message("end: counts that do not add up", str(caught.value))


def test_no_rows_skip_the_task_if_asked(
    envoke_connection: Sandbox, check_message: Callable[[str, str], None]
) -> None:
    with pytest.raises(AirflowSkipException) as caught:
        EnvokeSyncContactsOperator(task_id="t", rows=[], on_empty="skip").execute(context())

    check_message("end: no rows and on_empty skip", str(caught.value))
    assert envoke_connection.requests == []


@pytest.mark.parametrize(("sql", "words"), [("SELECT * FROM customers", ""), ("SELEKT", "EnvokeQueryError")])
def test_a_run_without_rows_logs_one_line_and_no_table(
    sql: str, words: str, sandbox: Sandbox, warehouse: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    warehouse([])
    caplog.set_level(logging.INFO)

    with suppress(AirflowFailException):
        SqlToEnvokeOperator(task_id="t", sql=sql, sql_conn_id="warehouse").execute(context())

    (line,) = [
        record.getMessage()
        for record in caplog.records
        if record.name.endswith("_run") and record.levelname == "INFO"
    ]
    assert line.startswith("No rows were read")
    assert words in line
    assert "updated" not in line


def test_the_table_of_a_run_that_reached_no_row_has_no_outcomes() -> None:
    table = report(tally(), stopped="EnvokeAuthError", not_reached=7).as_table()

    assert [line.split()[0] for line in table.splitlines()] == ["rows", "not", "requests:", "stopped"]
    assert "credentials" in table


def test_a_contact_without_an_id_rejects_only_its_rows(check_message: Callable[[str, str], None]) -> None:
    with FaultyServer(answer([{"email": "bo@example.com"}])) as server:
        _, (reject,) = sync(None, [CHANGED], config=EnvokeConfig("an-id", "a-key", server.url, max_retries=0))

    assert reject.reason == "no_answer"
    check_message("reject: contact without an id", reject.message)
