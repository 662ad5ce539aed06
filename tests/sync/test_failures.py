"""Runs that the service, other people or the caller disturb."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_envoke.exceptions import (
    EnvokeAuthError,
    EnvokeRejectedError,
    EnvokeSyncError,
    EnvokeTransientError,
)
from airflow_provider_envoke.sandbox.thread import Sandbox
from airflow_provider_envoke.sync import EnvokeConfig, SyncOptions, SyncRun
from airflow_provider_envoke.sync.duplicates import temporary_database
from airflow_provider_envoke.sync.run import MAX_UNANSWERED
from tests.support import faulty_server as faults
from tests.support.contacts import EXPRESS, contacts
from tests.support.faulty_server import FaultyServer
from tests.support.sync_runs import WatchedRows, config_of, patches, sync
from tests.support.threads import once

if TYPE_CHECKING:
    import sqlite3

ANA = {"email": "ana@example.com", "first_name": "Ana", "city": "Laval"}
BO = {"email": "bo@example.com", "first_name": "Bo", "city": "Laval"}
AUTH = (Sandbox.api_id, Sandbox.api_key)


def test_if_the_in_filter_is_refused_all_pages_are_read_once() -> None:
    with Sandbox(contacts(250), faults={"in_refused": 1}) as sandbox:
        rows = [{**row, "city": "Québec"} for row in contacts(250)[::10]]
        report, _ = sync(sandbox, rows)

        assert (report.updated, report.read_by) == (25, "pages")
        answered = [(request["method"], request["status"]) for request in sandbox.requests]
        assert answered.count(("GET", 200)) == 3
        assert {contact["city"] for contact in sandbox.contacts[::10]} == {"Québec"}


def test_the_temporary_file_is_closed_if_the_pages_are_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[sqlite3.Connection] = []
    monkeypatch.setattr(
        "airflow_provider_envoke.sync.contacts.temporary_database",
        lambda create_table: opened.append(temporary_database(create_table)) or opened[-1],
    )
    with Sandbox([ANA], faults={"unsuccessful": 1}) as sandbox, pytest.raises(EnvokeRejectedError):
        sync(sandbox, [ANA])

    (database,) = opened
    with pytest.raises(EnvokeSyncError, match="closed"):
        database.execute("SELECT 1")


def test_later_rows_win_also_if_the_in_filter_is_refused() -> None:
    with Sandbox([ANA], faults={"in_refused": 1}) as sandbox:
        report, _ = sync(sandbox, [{**ANA, "city": "One"}, ANA], on_duplicate="last")

        assert report.updated == 2
        assert sandbox.contact(email="ana@example.com")["city"] == "Laval"


@pytest.mark.parametrize("strategy", ["changed", "all"])
def test_rejected_credentials_stop_the_run_after_two_requests(envoke_sandbox: Sandbox, strategy: Any) -> None:
    rejects: list[Any] = []
    config = config_of(envoke_sandbox, api_key="wrong", max_retries=5)
    run = SyncRun(config, SyncOptions(strategy=strategy), on_reject=rejects.append)

    with pytest.raises(EnvokeAuthError):
        run.run(contacts(10_000))

    report = run.report()
    assert envoke_sandbox.stats["requests"] == 2  # the first 401 may be temporary
    assert (report.rows, rejects, report.reasons) == (0, [], {}), "nothing is wrong with the rows"
    assert report.not_reached == 10_000
    assert report.stopped == "EnvokeAuthError"


def test_a_service_that_is_down_stops_the_run_early() -> None:
    with Sandbox() as sandbox:
        config = config_of(sandbox)
    rejects: list[Any] = []
    run = SyncRun(config, SyncOptions(strategy="all"), on_reject=rejects.append)

    with pytest.raises(EnvokeTransientError, match="refused the connection"):
        run.run(contacts(10_000))

    assert (run.report().rows, run.report().not_reached, rejects) == (0, 10_000, [])


def test_of_a_service_that_breaks_off_only_the_rows_that_it_may_have_are_rejected() -> None:
    rejects: list[Any] = []
    with FaultyServer(faults.reset_after_reading) as server:
        config = EnvokeConfig("an-id", "a-key", server.url, max_retries=0)
        run = SyncRun(config, SyncOptions(strategy="all"), on_reject=rejects.append)
        with pytest.raises(EnvokeTransientError):
            run.run(contacts(500))

    report, sent = run.report(), len(server.requests)
    assert report.rows == report.rejected == len(rejects)
    assert 0 <= report.rows - sent <= 1, "one may be sent and not received"
    assert report.rows + report.not_reached == 500
    assert all("not known" in reject.message for reject in rejects)


def test_a_read_that_fails_rejects_only_its_own_rows() -> None:
    table = contacts(50 * 99)
    with Sandbox(table, faults={"error_500": 0.6}) as sandbox:
        report, _ = sync(sandbox, table)

        failed = sandbox.stats["faults"]["error_500"]
        assert failed > MAX_UNANSWERED
        assert (report.unchanged, report.reasons) == ((50 - failed) * 99, {"no_answer": failed * 99})


def test_a_service_that_answers_no_read_stops_the_run() -> None:
    with Sandbox(faults={"error_500": 1}) as sandbox:
        with pytest.raises(EnvokeTransientError, match="HTTP 500"):
            sync(sandbox, contacts(10_000), concurrency=1)

        assert MAX_UNANSWERED <= sandbox.stats["requests"] <= MAX_UNANSWERED + 4


def test_an_interrupted_run_reports_what_was_done_and_the_next_one_finishes(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset(contacts(500))
    wanted = [{**row, "city": "Québec"} for row in contacts(500)]
    run = SyncRun(config_of(envoke_sandbox), SyncOptions())

    def interrupt(number: int) -> None:
        if number == 350:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.run(WatchedRows(wanted, interrupt))
    report = run.report()
    second, _ = sync(envoke_sandbox, wanted)

    assert report.rows + report.not_reached == 500
    assert report.updated + report.rejected == report.rows
    assert set(report.reasons) <= {"stopped"}
    assert second.updated + second.unchanged == 500
    assert {contact["city"] for contact in envoke_sandbox.contacts} == {"Québec"}


def test_a_cancelled_run_stops_soon_and_rejects_only_what_is_under_way() -> None:
    rejects: list[Any] = []
    with Sandbox(contacts(500), latency_s=30) as sandbox:
        run = SyncRun(config_of(sandbox), SyncOptions(strategy="all"), on_reject=rejects.append)

        with (
            once("a write to arrive", lambda: sandbox.stats["in_flight"] > 0, run.cancel),
            pytest.raises(EnvokeSyncError, match="stopped"),
        ):
            run.run(contacts(500))

    report = run.report()
    assert (report.rows, report.reasons, report.not_reached) == (1, {"stopped": 1}, 499), "the first is sent alone"
    assert [(reject.row, reject.reason) for reject in rejects] == [(1, "stopped")]


def test_a_contact_that_is_deleted_after_the_read_is_reported() -> None:
    with Sandbox([ANA, BO], faults_for={"ana@example.com": "deleted"}) as sandbox:
        report, rejects = sync(sandbox, [{**ANA, "city": "Québec"}, {**BO, "city": "Québec"}])

        assert (report.updated, report.reasons) == (1, {"not_found": 1})
        assert [reject.row for reject in rejects] == [1]
        assert [contact["email"] for contact in sandbox.contacts] == ["bo@example.com"]


@pytest.mark.parametrize("strategy", ["changed", "all"])
def test_a_consent_that_is_revoked_after_the_read_is_not_replaced(strategy: str) -> None:
    with Sandbox([ANA], faults={"revoked": 1}) as sandbox:
        report, _ = sync(sandbox, [{**ANA, **EXPRESS}], strategy=strategy, on_withdrawn="reject")

        assert report.reasons == {"consent_withdrawn": 1}
        assert sandbox.contact(email="ana@example.com")["consent_status"] == "Revoked"


def test_a_consent_that_is_revoked_after_all_pages_were_read_is_not_replaced() -> None:
    last = "p299@example.com"
    with Sandbox(contacts(300), faults={"in_refused": 1}) as sandbox:

        def revoke(number: int) -> None:
            if number != 200:
                return
            while not patches(sandbox):  # the account was read, and the first batch is being written
                time.sleep(0.01)
            body = {"email": last, "consent_status": "Revoked"}
            requests.patch(f"{sandbox.url}/v1/contacts", json=body, auth=AUTH, timeout=10)

        rows = [{**row, "city": "Québec"} for row in contacts(300)[:200]]
        rows += [{**row, **EXPRESS} for row in contacts(300)[200:]]
        kept: list[Any] = []
        report, rejects = sync(sandbox, WatchedRows(rows, revoke), kept=kept)

        assert (report.updated, report.unchanged, report.read_by, rejects) == (299, 1, "pages", [])
        assert [(row.row, row.reason) for row in kept] == [(300, "consent_withdrawn")]
        assert sandbox.contact(email=last)["consent_status"] == "Revoked"


def test_no_rows_pile_up_while_all_pages_are_read() -> None:
    pages_read = []
    with Sandbox(contacts(300), faults={"in_refused": 1}, latency_s=0.05) as sandbox:

        def watch(number: int) -> None:
            if number == 1_500:
                pages_read.append(sandbox.stats["by_status"].get("200", 0))

        report, _ = sync(sandbox, WatchedRows(contacts(3_000), watch), on_missing="skip", concurrency=2)

        assert pages_read == [4]  # the snapshot was complete before the rows went on
        assert (report.unchanged, report.skipped) == (300, 2_700)
