"""The HTML page: contacts with what has changed, then writes, then reads."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_envoke.sandbox.page import render_page
from airflow_provider_envoke.sandbox.store import ContactStore
from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support.html import parse_html
from tests.support.sandbox import ANA, JON, call
from tests.support.sandbox_page import CONTACTS, READS, REQUEST, WRITES, emails, marks, read_page, rows


def test_contacts_come_first_then_writes_and_then_reads(sandbox: Sandbox) -> None:
    call(sandbox, "PATCH", "/v1/contacts/1234", {"city": "Alma"})
    call(sandbox, "GET", "/v1/settings")
    page = read_page(sandbox)

    assert [heading.text for heading in page.all("h2")] == ["Contacts", "Writes", "Reads"]
    assert [[row[1] for row in rows(page, table)] for table in (WRITES, READS)] == [["PATCH"], ["GET"]]


def test_consent_tags_and_custom_fields_have_columns_of_their_own() -> None:
    contact = {**JON, "consent_status": "Revoked", "interests": ["News"], "custom_fields": {"plan": "gold"}}
    store = ContactStore([contact])

    page = parse_html(render_page(store, [], {"requests": 0}))

    assert rows(page, CONTACTS)[0][3:6] == ["Revoked", "News", "plan gold"]


def test_any_other_read_shows_its_query(sandbox: Sandbox) -> None:
    call(sandbox, "GET", "/v1/contacts?filter[email]=jon%40doe.com&limit=1")

    assert rows(read_page(sandbox), READS)[0][3] == "filter[email]=jon@doe.com&limit=1"


def test_the_last_request_comes_first_and_a_failure_is_highlighted_with_its_reason(sandbox: Sandbox) -> None:
    call(sandbox, "PATCH", "/v1/contacts/1234", {"city": "Alma"})
    call(sandbox, "PATCH", "/v1/contacts/99", {"city": "Alma"})
    page = read_page(sandbox)

    assert [row[2] for row in rows(page, WRITES)] == ["/v1/contacts/99", "/v1/contacts/1234"]
    assert [bad.text for bad in page.all("span", "bad")] == ["400"]
    assert "'99' not found" in rows(page, WRITES)[0][4]


def test_a_request_with_a_fault_is_highlighted() -> None:
    page = parse_html(render_page(ContactStore(), [{**REQUEST, "status": 0, "fault": "stall"}], {"requests": 1}))

    assert [bad.text for bad in page.all("span", "bad")] == ["no response stall"]


def test_requests_and_contacts_have_their_times_in_utc() -> None:
    with Sandbox([JON], clock=lambda: 1_790_000_000.5) as sandbox:  # 2026-09-21T14:13:20Z
        call(sandbox, "PATCH", "/v1/contacts/1234", {"city": "Alma"})
        page = read_page(sandbox)

    times = [(element.attributes["datetime"], element.text) for element in page.all("time")]
    assert times == [("2026-09-21T14:13:20Z", "14:13:20")] * 2
    assert "2026-09-21 14:13:20" in page.text, "when the sandbox started"


def test_a_time_of_another_day_has_its_date() -> None:
    store = ContactStore(clock=lambda: 1_790_000_000)

    page = parse_html(render_page(store, [{**REQUEST, "time": 1_790_000_000 - 86_400}], {"requests": 1}))

    assert [element.text for element in page.all("time")] == ["2026-09-20 14:13:20"]


def test_what_has_changed_comes_first_with_old_and_new_values(sandbox: Sandbox) -> None:
    call(sandbox, "PATCH", "/v1/contacts/1234", {"city": "Alma", "interests": {"News": "Set"}})
    call(sandbox, "PATCH", "/v1/contacts/1234", {"custom_fields": {"plan": "gold"}, "first_name": "Jon"})
    call(sandbox, "POST", "/v1/contacts", {"email": "new@doe.com"})
    sandbox.delete_contact(id=2000)
    page = read_page(sandbox)

    assert marks(page) == [
        "deleted",
        "created",
        "updated",
    ]
    change = rows(page, CONTACTS)[2][-1]
    for part in ("city Laval → Alma", "interests.News empty → Set", "custom_fields.plan empty → gold"):
        assert part in change
    assert "first_name" not in change
    assert [(tile.text) for tile in page.all("a", "tile")] == [
        "2contacts", "1created", "1updated", "1deleted", "3writes", "0reads",
    ]  # fmt: skip


def test_the_contact_that_was_changed_last_comes_first(sandbox: Sandbox) -> None:
    for number in (1234, 2000, 1234):
        call(sandbox, "PATCH", f"/v1/contacts/{number}", {"city": f"City {len(sandbox.requests)}"})
    page = read_page(sandbox)

    assert emails(page) == ["jon@doe.com", "ana@doe.com"]
    assert "city Laval → City 2" in rows(page, CONTACTS)[0][-1]


def test_what_was_changed_back_or_was_written_without_a_change_is_not_marked(sandbox: Sandbox) -> None:
    for city in ("Alma", "Laval"):
        call(sandbox, "PATCH", "/v1/contacts/1234", {"city": city})
    call(sandbox, "PATCH", "/v1/contacts/2000", {"city": ANA["city"]})

    page = read_page(sandbox)

    assert marks(page) == ["", ""]
    assert emails(read_page(sandbox, changed="1")) == []
    assert [len(list(row.all("time"))) for row in next(page.all("tbody")).all("tr")] == [1, 0]


@pytest.mark.parametrize("body", [None, [JON, ANA]], ids=["of the requests", "of everything"])
def test_after_a_reset_nothing_has_changed(sandbox: Sandbox, body: Any) -> None:
    call(sandbox, "PATCH", "/v1/contacts/1234", {"city": "Alma"})
    call(sandbox, "POST", "/__sandbox__/reset", body)

    assert rows(read_page(sandbox, changed="1"), CONTACTS) == []
    assert [row[-1] for row in rows(read_page(sandbox), CONTACTS)] == ["", ""]
