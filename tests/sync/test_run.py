"""Runs against the sandbox, over a real socket."""

from __future__ import annotations

import json
from collections import namedtuple
from typing import Any

import pytest

from airflow_provider_envoke.exceptions import EnvokeConfigError
from airflow_provider_envoke.sandbox.thread import Sandbox
from airflow_provider_envoke.sync import FieldMap, PayloadRules, SyncOptions, SyncRun
from tests.support.contacts import EXPRESS, REVOKED, contacts
from tests.support.sync_runs import config_of, patches, sync

ANA = {"email": "ana@example.com", "first_name": "Ana", "city": "Laval"}
BO = {"email": "bo@example.com", "first_name": "Bo", "city": "Laval"}


def test_only_differing_fields_of_differing_contacts_are_sent(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([ANA, BO])

    report, rejects = sync(envoke_sandbox, [ANA, {**BO, "city": "Québec"}])

    assert (report.rows, report.updated, report.unchanged, rejects) == (2, 1, 1, [])
    assert [json.loads(request["body"]) for request in patches(envoke_sandbox)] == [{"city": "Québec"}]
    assert report.fields == {"city": 1}


def test_contacts_are_read_a_page_at_a_time(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset(contacts(990))

    report, _ = sync(envoke_sandbox, contacts(990))

    assert report.requests == {"read": 10}
    assert report.read_by == "filter"


def test_long_keys_are_split_into_several_requests(envoke_sandbox: Sandbox) -> None:
    rows = [{"email": f"{number:03}{'x' * 40}@{'y' * 5}.example", "city": "Laval"} for number in range(99)]
    envoke_sandbox.reset(rows)

    report, _ = sync(envoke_sandbox, rows)

    assert report.unchanged == 99
    assert report.requests["read"] > 1


@pytest.mark.parametrize("concurrency", [1, 7, 64])
def test_strategy_all_updates_every_row_without_reading(envoke_sandbox: Sandbox, concurrency: int) -> None:
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


def test_the_first_of_several_rows_with_one_key_counts(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([ANA])
    rows = [{**ANA, "city": "One"}, {**ANA, "city": "Two"}, {**ANA, "email": "ANA@example.com", "city": "One"}]

    report, rejects = sync(envoke_sandbox, rows)

    assert (report.updated, report.reasons) == (1, {"duplicate_key": 1})
    assert report.skipped_reasons == {"duplicate_row": 1}
    assert "row 1" in rejects[0].message
    assert envoke_sandbox.contact(email="ana@example.com")["city"] == "One"


@pytest.mark.parametrize("strategy", ["changed", "all"])
def test_on_duplicate_last_applies_all_rows_in_order(envoke_sandbox: Sandbox, strategy: str) -> None:
    envoke_sandbox.reset([ANA, BO])
    rows = [
        *({**ANA, "city": f"City {number}"} for number in range(5)),
        {**BO, "city": "X"},
        {**ANA, "phone": "7"},
    ]

    report, _ = sync(envoke_sandbox, rows, strategy=strategy, on_duplicate="last")

    assert report.updated == 7
    contact = envoke_sandbox.contact(email="ana@example.com")
    assert (contact["city"], contact["phone"]) == ("Laval", "7")


def test_a_consent_that_an_earlier_row_revoked_is_not_replaced_by_a_later_one(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([ANA])
    rows = [{**ANA, "consent_status": "Revoked"}, {**ANA, **EXPRESS}]

    report, _ = sync(envoke_sandbox, rows, on_duplicate="last")

    assert (report.updated, report.unchanged, report.consent_kept) == (1, 1, 1)
    assert envoke_sandbox.contact(email="ana@example.com")["consent_status"] == "Revoked"


MAIL = {"email": "ana@example.com"}
REMOTE = [{**ANA, "remote_id": "R1"}, {**BO, "remote_id": "R2"}]


@pytest.mark.parametrize("strategy", ["changed", "all"])
@pytest.mark.parametrize(
    ("rows", "reasons"),
    [
        ([{"remote_id": "R1", "email": "bo@example.com"}], {"shared_email": 1}),
        ([{"remote_id": "R3", "email": "BO@example.com"}], {"shared_email": 1}),
        ([{"remote_id": "R1", "email": "n@x.ca"}, {"remote_id": "R2", "email": "N@x.ca"}], {"shared_email": 2}),
        ([{"remote_id": "R1", "email": "n@x.ca"}, {"remote_id": "R2", **MAIL}], {"shared_email": 1}),
        ([{"remote_id": "R1", "email": "ANA@example.com"}], {}),
    ],
    ids=["another contact's", "another contact's, creating", "two rows", "given up in this run", "its own"],
)  # fmt: skip
def test_two_contacts_never_get_the_same_address(
    rows: list[dict[str, Any]], reasons: dict[str, int], strategy: str
) -> None:
    with Sandbox(REMOTE, duplicate_check=False) as sandbox:
        report, _ = sync(sandbox, rows, keyfield="remote_id", on_missing="create", strategy=strategy)

        emails = [contact["email"].lower() for contact in sandbox.contacts]
        assert report.reasons == reasons
        assert len(emails) == len(set(emails))


def test_a_new_contact_gets_no_consent_for_the_address_of_a_withdrawn_one() -> None:
    row = {"remote_id": "R9", "email": "ANA@example.com", **EXPRESS}
    with Sandbox([{**ANA, **REVOKED}], duplicate_check=False) as sandbox:
        options = {"keyfield": "remote_id", "on_missing": "create", "shared_email_guard": False}
        report, _ = sync(sandbox, [row], **options)

        assert report.reasons == {"consent_withdrawn": 1}
        assert len(sandbox.contacts) == 1


def test_plan_only_writes_nothing_and_reports_what_would_change(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([ANA])
    rows = [{**ANA, "city": "Québec"}, BO]

    report, _ = sync(envoke_sandbox, rows, plan_only=True, on_missing="create")

    assert (report.updated, report.created) == (1, 1)
    assert envoke_sandbox.stats["by_method"] == {"GET": 1}
    assert report.examples["city"][0] == {"row": 1, "from": "L***", "to": "Q***"}
    assert "would be updated" in report.as_table()
    assert "ana@example.com" not in json.dumps(report.as_dict())


def test_field_map_and_static_fields_fill_the_fields(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([ANA])
    fields = FieldMap(
        {"MAIL": "email", "PLAN": "custom_fields.plan", "NEWS": "interests.Newsletter"}, {"country": "CA"}
    )

    sync(envoke_sandbox, [{"MAIL": "ana@example.com", "PLAN": 7, "NEWS": True, "OTHER": 1}], fields=fields)

    contact = envoke_sandbox.contact(email="ana@example.com")
    assert (contact["custom_fields"], contact["country"]) == ({"plan": "7"}, "CA")
    assert contact["interests"] == ["Newsletter"]


def test_an_invalid_row_is_rejected_and_the_others_are_written(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([ANA, BO])
    rows = [{**ANA, "first_name": "x" * 21}, {"email": None}, {**BO, "city": "Québec"}, {**ANA, "oops": 1}]

    report, rejects = sync(envoke_sandbox, rows)

    assert report.updated == 1
    found = {reject.row: reject.reason for reject in rejects}
    assert found == {1: "overlong", 2: "missing_key", 4: "unknown_field"}


def test_nulls_clear_empties_the_field(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([ANA])

    sync(envoke_sandbox, [{**ANA, "city": None}], rules=PayloadRules(nulls="clear"))

    assert envoke_sandbox.contact(email="ana@example.com")["city"] == ""


def test_with_the_consent_guard_off_the_consent_is_not_read_again(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([ANA])

    report, _ = sync(envoke_sandbox, [{**ANA, **EXPRESS}], consent_guard=False)

    assert (report.updated, report.requests) == (1, {"read": 1, "write": 1})


@pytest.mark.parametrize("one_pass", [True, False])
@pytest.mark.parametrize("read_once", [True, False])
def test_ambiguous_columns_are_an_error_before_the_first_row(
    envoke_sandbox: Sandbox, one_pass: bool, read_once: bool
) -> None:
    read: list[int] = []
    rows = [{"email": "ana@example.com", "CITY": "Laval", "City": "Laval"}] * 3
    run = SyncRun(config_of(envoke_sandbox), SyncOptions(max_changes=None if one_pass else 9))

    with pytest.raises(EnvokeConfigError, match="'CITY' and 'City'"):
        run.run((read.append(1) or row for row in rows) if read_once else rows)

    assert len(read) <= 1
    assert run.report().rows == 0
    assert list(envoke_sandbox.requests) == []


def test_named_tuples_are_rows(envoke_sandbox: Sandbox) -> None:
    row_type = namedtuple("row_type", ["EMAIL", "City"])
    envoke_sandbox.reset([ANA])

    report, _ = sync(envoke_sandbox, [row_type(ANA["email"], "Québec")])

    assert report.updated == 1
    assert envoke_sandbox.contact(email=ANA["email"])["city"] == "Québec"
