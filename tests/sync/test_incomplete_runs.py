"""Runs that cannot see everything, or end before their last row: what they leave undone is counted."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_envoke.exceptions import EnvokeSyncError, EnvokeTransientError
from airflow_provider_envoke.sandbox.thread import Sandbox
from airflow_provider_envoke.sync import EnvokeConfig, SyncOptions, SyncRun
from airflow_provider_envoke.sync.contacts import ContactReader
from airflow_provider_envoke.sync.duplicates import temporary_database
from tests.support.contacts import contacts
from tests.support.faulty_server import FaultyServer, answer
from tests.support.sync_runs import WatchedRows, config_of, sync
from tests.support.threads import once


def test_rows_that_a_stopped_run_did_not_reach_are_counted() -> None:
    with Sandbox(contacts(500)) as sandbox:
        run = SyncRun(config_of(sandbox), SyncOptions())

        def cancel(number: int) -> None:
            if number == 150:
                run.cancel()

        with pytest.raises(EnvokeSyncError):
            run.run(WatchedRows(contacts(500), cancel))

    report = run.report()
    assert report.rows + report.not_reached == 500
    assert (report.rows, report.not_reached) == (0, 500)
    assert "not reached" in report.as_table()


def test_a_row_that_is_invalid_by_itself_counts_as_a_duplicate_key(envoke_sandbox: Sandbox) -> None:
    rows: list[dict[str, Any]] = [
        {"email": "ana@example.com", "city": "Laval"},
        {"email": "ana@example.com", "city": "x" * 21},
    ]
    envoke_sandbox.reset([{"email": "ana@example.com", "city": "Alma"}])

    for order in (rows, rows[::-1]):
        report, _ = sync(envoke_sandbox, order, on_duplicate="reject")

        assert report.reasons == {"duplicate_key": 1, "overlong": 1}


def test_a_temporary_database_that_cannot_be_used_says_what_to_do() -> None:
    database = temporary_database("CREATE TABLE seen (key BLOB)")
    try:
        with pytest.raises(EnvokeSyncError, match="TMPDIR"):
            database.execute("INSERT INTO nowhere VALUES (1)")
    finally:
        database.close()


@pytest.mark.parametrize("order", [1, -1])
def test_while_it_is_not_known_who_gets_an_address_nobody_gets_it(
    order: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first read, which finds out who would get the address, has no answer; the reads after it have."""
    people = [{"id": number, "remote_id": f"R{number}", "email": f"p{number}@example.com"} for number in (1, 2)]
    rows = [{"remote_id": person["remote_id"], "email": "new@example.com"} for person in people][::order]
    reads: list[int] = []
    read_rows = ContactReader.read_rows

    async def without_a_first_answer(reader: ContactReader, *arguments: Any, **options: Any) -> Any:
        reads.append(1)
        if len(reads) == 1:
            raise EnvokeTransientError("no answer")
        return await read_rows(reader, *arguments, **options)

    monkeypatch.setattr(ContactReader, "read_rows", without_a_first_answer)
    with Sandbox(people, duplicate_check=False) as sandbox:
        report, _ = sync(sandbox, rows, keyfield="remote_id", batch_rows=1)

        assert report.reasons == {"no_answer": 2}, "the next run may find it out"
        assert [contact["email"] for contact in sandbox.contacts] == [person["email"] for person in people]


def test_rows_without_an_answer_are_not_reached_if_the_run_is_stopped_meanwhile() -> None:
    """They are no more at fault than the rows after them."""
    with Sandbox(contacts(500), faults={"error_500": 1}) as sandbox:
        rejects: list[Any] = []
        run = SyncRun(config_of(sandbox, max_retries=1), SyncOptions(), on_reject=rejects.append)
        with (
            once("a batch to have no answer", lambda: sandbox.stats["requests"] >= 3, run.cancel),
            pytest.raises(EnvokeSyncError, match="stopped"),
        ):
            run.run(contacts(500))

    assert (run.report().rows, run.report().not_reached, rejects) == (0, 500, [])


def test_rows_without_an_answer_are_rejected_when_the_service_answers_again() -> None:
    steps = [answer(b"", 500), answer([]), answer([])]
    with FaultyServer(*steps) as server:
        report, rejects = sync(
            None,
            contacts(250),
            config=EnvokeConfig("an-id", "a-key", server.url, max_retries=0),
            on_missing="skip",
        )

    assert (report.reasons, report.skipped, report.not_reached) == ({"no_answer": 99}, 151, 0)
    assert [reject.row for reject in rejects] == list(range(1, 100))
