"""Runs against the sandbox, over a real socket."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_envoke.core.config import EnvokeConfig
from airflow_provider_envoke.core.options import SyncOptions
from airflow_provider_envoke.exceptions import EnvokeAuthError, EnvokeSyncError, EnvokeTransientError
from airflow_provider_envoke.sandbox.faults import CHANGED_FEEDBACK
from airflow_provider_envoke.sandbox.thread import Sandbox
from airflow_provider_envoke.sync import SyncRun
from airflow_provider_envoke.sync.writer import MAX_UNANSWERED
from tests.sync.running import FieldMap, PayloadRules, config_of, patches, sync

if TYPE_CHECKING:
    from collections.abc import Iterator


ANA = {"email": "ana@example.com", "first_name": "Ana", "city": "Laval"}
BO = {"email": "bo@example.com", "first_name": "Bo", "city": "Laval"}
EXPRESS = {"consent_status": "Express", "consent_description": "Web form"}
AUTH = (Sandbox.api_id, Sandbox.api_key)


def contacts(count: int) -> list[dict[str, Any]]:
    return [{"email": f"p{number}@example.com", "city": "Laval"} for number in range(count)]


def test_only_contacts_that_differ_are_patched_and_only_their_differing_fields(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([ANA, BO])

    report, rejects = sync(envoke_sandbox, [ANA, {**BO, "city": "Québec"}])

    assert (report.rows, report.updated, report.unchanged, rejects) == (2, 1, 1, [])
    assert [json.loads(request["body"]) for request in patches(envoke_sandbox)] == [{"city": "Québec"}]
    assert report.fields == {"city": 1}


def test_a_second_run_sends_no_patch(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset(contacts(250))
    rows = [{**row, "city": "Québec"} for row in contacts(250)]
    first, _ = sync(envoke_sandbox, rows)
    sent = len(patches(envoke_sandbox))

    second, _ = sync(envoke_sandbox, rows)

    assert first.updated == sent == 250
    assert (second.updated, second.unchanged) == (0, 250)
    assert len(patches(envoke_sandbox)) == sent


def test_contacts_are_read_a_page_at_a_time(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset(contacts(990))

    report, _ = sync(envoke_sandbox, contacts(990))

    assert report.requests == {"read": 10}
    assert report.read_by == "filter"


def test_long_addresses_are_asked_for_in_urls_that_the_service_takes(envoke_sandbox: Sandbox) -> None:
    rows = [{"email": f"{number:03}{'x' * 40}@{'y' * 5}.example", "city": "Laval"} for number in range(99)]
    envoke_sandbox.reset(rows)

    report, _ = sync(envoke_sandbox, rows)

    assert report.unchanged == 99
    assert report.requests["read"] > 1


@pytest.mark.parametrize("concurrency", [1, 7, 64])
def test_strategy_all_patches_every_row_unread(envoke_sandbox: Sandbox, concurrency: int) -> None:
    envoke_sandbox.reset(contacts(130))

    report, _ = sync(envoke_sandbox, contacts(130), strategy="all", concurrency=concurrency)

    assert report.updated == 130
    assert report.requests == {"write": 130}
    assert report.read_by == "nothing"


@pytest.mark.parametrize(
    ("on_missing", "outcome", "reason"),
    [("reject", "rejected", "not_found"), ("skip", "skipped", "not_found"), ("create", "created", "")],
)
@pytest.mark.parametrize("strategy", ["changed", "all"])
def test_a_row_without_a_contact(
    envoke_sandbox: Sandbox, strategy: str, on_missing: str, outcome: str, reason: str
) -> None:
    report, _ = sync(envoke_sandbox, [ANA], strategy=strategy, on_missing=on_missing)

    assert getattr(report, outcome) == 1
    assert [*report.reasons, *report.skipped_reasons] == ([reason] if reason else [])
    assert len(envoke_sandbox.contacts) == (outcome == "created")


@pytest.mark.parametrize("strategy", ["changed", "all"])
@pytest.mark.parametrize("status", ["Revoked", "External Spam Reported", "Envoke Spam Reported"])
def test_a_withdrawn_consent_is_never_raised(envoke_sandbox: Sandbox, status: str, strategy: str) -> None:
    envoke_sandbox.reset([{**ANA, "consent_status": status}])
    row = {**ANA, "consent_status": "Express", "consent_description": "Web form"}

    report, rejects = sync(envoke_sandbox, [row], strategy=strategy)

    assert report.reasons == {"consent_withdrawn": 1}
    assert rejects[0].field == "consent_status"
    assert envoke_sandbox.contact(email="ana@example.com")["consent_status"] == status


def test_the_consent_guard_has_a_switch(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([{**ANA, "consent_status": "Revoked"}])
    row = {**ANA, "consent_status": "express", "consent_description": "Signed anew"}

    report, _ = sync(envoke_sandbox, [row], consent_guard=False)

    assert report.consent_changes == {"Revoked -> Express": 1}


def test_consent_without_its_description_is_refused_before_it_is_sent(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([ANA])

    report, _ = sync(envoke_sandbox, [{**ANA, "consent_status": "Express"}])

    assert report.reasons == {"consent_description_missing": 1}
    assert envoke_sandbox.requests == []


def test_the_first_of_two_rows_with_one_key_stands(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([ANA])
    rows = [{**ANA, "city": "One"}, {**ANA, "city": "Two"}, {**ANA, "email": "ANA@example.com", "city": "One"}]

    report, rejects = sync(envoke_sandbox, rows)

    assert (report.updated, report.reasons, report.skipped_reasons) == (
        1,
        {"duplicate_key": 1},
        {"duplicate_row": 1},
    )
    assert "row 1" in rejects[0].message
    assert envoke_sandbox.contact(email="ana@example.com")["city"] == "One"


@pytest.mark.parametrize("strategy", ["changed", "all"])
def test_later_rows_win_in_their_order_if_asked(envoke_sandbox: Sandbox, strategy: str) -> None:
    envoke_sandbox.reset([ANA, BO])
    rows = [{**ANA, "city": f"City {number}"} for number in range(5)] + [
        {**BO, "city": "X"},
        {**ANA, "phone": "7"},
    ]

    report, _ = sync(envoke_sandbox, rows, strategy=strategy, on_duplicate="last")

    assert report.updated == 7
    contact = envoke_sandbox.contact(email="ana@example.com")
    assert (contact["city"], contact["phone"]) == ("Laval", "7")


def test_a_consent_that_an_earlier_row_revoked_is_not_raised_by_a_later_one(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([ANA])
    rows = [{**ANA, "consent_status": "Revoked"}, {**ANA, **EXPRESS}]

    report, _ = sync(envoke_sandbox, rows, on_duplicate="last")

    assert report.reasons == {"consent_withdrawn": 1}
    assert envoke_sandbox.contact(email="ana@example.com")["consent_status"] == "Revoked"


def test_a_key_that_two_contacts_have_is_ambiguous() -> None:
    with Sandbox([ANA, ANA], duplicate_check=False) as sandbox:
        report, _ = sync(sandbox, [{**ANA, "city": "X"}])

        assert report.reasons == {"ambiguous_match": 1}
        assert patches(sandbox) == []

        report, _ = sync(sandbox, [{**ANA, "city": "X"}], ambiguous_guard=False)

        assert report.updated == 1


MAIL = {"email": "ana@example.com"}
REMOTE = [{**ANA, "remote_id": "R1"}, {**BO, "remote_id": "R2"}]


@pytest.mark.parametrize("strategy", ["changed", "all"])
@pytest.mark.parametrize(
    ("rows", "reasons"),
    [
        ([{"remote_id": "R1", "email": "bo@example.com"}], {"shared_email": 1}),
        ([{"remote_id": "R3", "email": "BO@example.com"}], {"shared_email": 1}),
        ([{"remote_id": "R1", "email": "n@x.ca"}, {"remote_id": "R2", "email": "N@x.ca"}], {"shared_email": 1}),
        ([{"remote_id": "R1", "email": "n@x.ca"}, {"remote_id": "R2", **MAIL}], {"shared_email": 1}),
        ([{"remote_id": "R1", "email": "ANA@example.com"}], {}),
    ],
    ids=["another contact's", "another contact's, creating", "two rows", "given up in this run", "its own"],
)  # fmt: skip
def test_two_contacts_never_come_to_share_an_address(
    rows: list[dict[str, Any]], reasons: dict[str, int], strategy: str
) -> None:
    with Sandbox(REMOTE, duplicate_check=False) as sandbox:
        report, _ = sync(sandbox, rows, keyfield="remote_id", on_missing="create", strategy=strategy)

        emails = [contact["email"].lower() for contact in sandbox.contacts]
        assert report.reasons == reasons
        assert len(emails) == len(set(emails))


def test_an_address_of_somebody_who_said_no_gets_no_consent_by_another_contact() -> None:
    row = {
        "remote_id": "R9",
        "email": "ANA@example.com",
        "consent_status": "Express",
        "consent_description": "Form",
    }
    with Sandbox([{**ANA, "consent_status": "Revoked"}], duplicate_check=False) as sandbox:
        options = {"keyfield": "remote_id", "on_missing": "create", "shared_email_guard": False}
        report, _ = sync(sandbox, [row], **options)

        assert report.reasons == {"consent_withdrawn": 1}
        assert len(sandbox.contacts) == 1


def test_the_shared_address_guard_has_a_switch() -> None:
    with Sandbox(REMOTE, duplicate_check=False) as sandbox:
        row = {"remote_id": "R1", "email": "bo@example.com"}
        report, _ = sync(sandbox, [row], keyfield="remote_id", shared_email_guard=False)

        assert report.updated == 1


def test_where_in_is_refused_the_account_is_read_page_by_page_once() -> None:
    with Sandbox(contacts(250), faults={"in_refused": 1}) as sandbox:
        rows = [{**row, "city": "Québec"} for row in contacts(250)[::10]]
        report, _ = sync(sandbox, rows)

        assert (report.updated, report.read_by) == (25, "pages")
        reads = [
            request for request in sandbox.requests if request["method"] == "GET" and request["status"] == 200
        ]
        assert len(reads) == 3
        assert {contact["city"] for contact in sandbox.contacts[::10]} == {"Québec"}


def test_later_rows_win_also_where_in_is_refused() -> None:
    with Sandbox([ANA], faults={"in_refused": 1}) as sandbox:
        report, _ = sync(sandbox, [{**ANA, "city": "One"}, ANA], on_duplicate="last")

        assert report.updated == 2
        assert sandbox.contact(email="ana@example.com")["city"] == "Laval"


def test_plan_only_writes_nothing_and_says_what_would_change(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([ANA])
    rows = [{**ANA, "city": "Québec"}, BO]

    report, _ = sync(envoke_sandbox, rows, plan_only=True, on_missing="create")

    assert (report.updated, report.created) == (1, 1)
    assert envoke_sandbox.stats["by_method"] == {"GET": 1}
    assert report.examples["city"][0] == {"row": 1, "from": "L***", "to": "Q***"}
    assert "would be updated" in report.as_table()
    assert "ana@example.com" not in json.dumps(report.as_dict())


def test_columns_go_where_the_map_says(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([ANA])
    fields = FieldMap(
        {"MAIL": "email", "PLAN": "custom_fields.plan", "NEWS": "interests.Newsletter"}, {"country": "CA"}
    )

    sync(envoke_sandbox, [{"MAIL": "ana@example.com", "PLAN": 7, "NEWS": True, "OTHER": 1}], fields=fields)

    contact = envoke_sandbox.contact(email="ana@example.com")
    assert (contact["custom_fields"], contact["interests"], contact["country"]) == (
        {"plan": "7"},
        ["Newsletter"],
        "CA",
    )


def test_a_bad_row_is_rejected_and_the_others_go_on(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([ANA, BO])
    rows = [
        {**ANA, "first_name": "x" * 21},
        {"email": None, "city": "X"},
        {**BO, "city": "Québec"},
        {**ANA, "oops": 1},
    ]

    report, rejects = sync(envoke_sandbox, rows)

    assert report.updated == 1
    assert [(reject.row, reject.reason) for reject in rejects] == [
        (1, "overlong"),
        (2, "missing_key"),
        (4, "unknown_field"),
    ]


def test_nulls_are_cleared_if_asked(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([ANA])

    sync(envoke_sandbox, [{**ANA, "city": None}], rules=PayloadRules(nulls="clear"))

    assert envoke_sandbox.contact(email="ana@example.com")["city"] == ""


def test_refused_credentials_stop_the_run_at_once_and_every_row_is_counted(envoke_sandbox: Sandbox) -> None:
    rejects: list[Any] = []
    config = config_of(envoke_sandbox, api_key="wrong")
    run = SyncRun(config, SyncOptions(concurrency=2), on_reject=rejects.append)

    with pytest.raises(EnvokeAuthError):
        run.run(contacts(10_000))

    report = run.report()
    assert envoke_sandbox.stats["requests"] < 20
    assert report.reasons == {"stopped": report.rows}
    assert report.rows == len(rejects)
    assert report.stopped == "EnvokeAuthError"


def test_a_service_that_is_down_stops_the_run_before_every_row_was_tried() -> None:
    with Sandbox() as sandbox:
        config = config_of(sandbox)
    run = SyncRun(config, SyncOptions(strategy="all"))

    with pytest.raises(EnvokeTransientError, match="refused the connection"):
        run.run(contacts(10_000))

    assert run.report().reasons["no_answer"] < 20


def test_reads_that_fail_now_and_then_cost_their_own_rows_and_not_the_run() -> None:
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

    def interrupted() -> Iterator[dict[str, Any]]:
        yield from wanted[:350]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.run(interrupted())
    report = run.report()
    second, _ = sync(envoke_sandbox, wanted)

    assert report.rows == 350
    assert report.updated + report.rejected == 350
    assert set(report.reasons) <= {"stopped"}
    assert second.updated + second.unchanged == 500
    assert {contact["city"] for contact in envoke_sandbox.contacts} == {"Québec"}


def test_a_cancelled_run_stops_soon_and_reports() -> None:
    with Sandbox(contacts(500), latency_s=30) as sandbox:
        run = SyncRun(config_of(sandbox), SyncOptions(strategy="all"))

        def cancelling() -> Iterator[dict[str, Any]]:
            for number, row in enumerate(contacts(500)):
                if number == 300:
                    run.cancel()
                yield row

        with pytest.raises(EnvokeSyncError, match="stopped"):
            run.run(cancelling())

        assert run.report().reasons == {"stopped": run.report().rows}


def test_a_contact_that_somebody_deletes_in_between_is_reported() -> None:
    with Sandbox([ANA, BO], faults_for={"ana@example.com": "deleted"}) as sandbox:
        report, rejects = sync(sandbox, [{**ANA, "city": "Québec"}, {**BO, "city": "Québec"}])

        assert (report.updated, report.reasons) == (1, {"not_found": 1})
        assert [reject.row for reject in rejects] == [1]
        assert [contact["email"] for contact in sandbox.contacts] == ["bo@example.com"]


def test_what_somebody_else_changes_in_between_stays() -> None:
    with Sandbox([ANA], faults={"changed": 1}) as sandbox:
        report, _ = sync(sandbox, [{**ANA, "city": "Québec"}])

        contact = sandbox.contact(email="ana@example.com")
        assert report.updated == 1
        assert (contact["city"], contact["feedback"]) == ("Québec", CHANGED_FEEDBACK)


@pytest.mark.parametrize("strategy", ["changed", "all"])
def test_a_consent_that_is_revoked_after_it_was_read_is_not_raised(strategy: str) -> None:
    with Sandbox([ANA], faults={"revoked": 1}) as sandbox:
        report, _ = sync(sandbox, [{**ANA, **EXPRESS}], strategy=strategy)

        assert report.reasons == {"consent_withdrawn": 1}
        assert sandbox.contact(email="ana@example.com")["consent_status"] == "Revoked"


def test_a_consent_that_is_revoked_after_the_account_was_read_page_by_page_is_not_raised() -> None:
    last = "p299@example.com"
    with Sandbox(contacts(300), faults={"in_refused": 1}) as sandbox:

        def revoking() -> Iterator[dict[str, Any]]:
            yield from ({**row, "city": "Québec"} for row in contacts(300)[:200])
            while not patches(sandbox):  # the account was read, and the first batch is being written
                time.sleep(0.01)
            body = {"email": last, "consent_status": "Revoked"}
            requests.patch(f"{sandbox.url}/v1/contacts", json=body, auth=AUTH, timeout=10)
            yield from ({**row, **EXPRESS} for row in contacts(300)[200:])

        report, rejects = sync(sandbox, revoking())

        assert (report.updated, report.read_by) == (299, "pages")
        assert [(reject.row, reject.reason) for reject in rejects] == [(300, "consent_withdrawn")]
        assert sandbox.contact(email=last)["consent_status"] == "Revoked"


def test_with_the_consent_guard_off_nobody_looks_again(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([ANA])

    report, _ = sync(envoke_sandbox, [{**ANA, **EXPRESS}], consent_guard=False)

    assert (report.updated, report.requests) == (1, {"read": 1, "write": 1})


def test_what_the_service_refuses_is_reported_with_its_words(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([{**ANA, "id": 1}, {**BO, "id": 2}])

    report, rejects = sync(
        envoke_sandbox, [{"id": 1, "email": "bo@example.com"}], keyfield="id", shared_email_guard=False
    )

    assert report.reasons == {"refused": 1}
    assert "already exists" in rejects[0].message
    assert "bo@example.com" not in rejects[0].message


def test_no_rows_make_an_empty_report(envoke_sandbox: Sandbox) -> None:
    report, _ = sync(envoke_sandbox, [])

    assert (report.rows, report.requests) == (0, {})


def test_a_plain_script_needs_no_airflow(envoke_sandbox: Sandbox) -> None:
    config = EnvokeConfig.from_connection(login="sandbox-id", password="sandbox-key", host=envoke_sandbox.url)

    assert SyncRun(config, SyncOptions()).run(iter([])).rows == 0
