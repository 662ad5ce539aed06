"""The page's search, and what it shows of many contacts and requests."""

from __future__ import annotations

import time

import pytest

from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support.sandbox import call
from tests.support.sandbox_page import CONTACTS, READS, WRITES, emails, read_page, rows, titles


@pytest.mark.parametrize(
    ("field", "values", "text"),
    [
        ("email", [f"p{number}@x" for number in range(99)], "99 addresses asked"),
        ("remote_id", [f"R{number}" for number in range(99)], "99 remote ids asked"),
        ("id", ["1", "2"], "2 ids asked"), ("email", ["a@x"], "1 address asked"),
        ("city", ["Laval", "Alma"], "2 values of city asked"),
    ],
)  # fmt: skip
def test_a_read_of_many_contacts_says_how_many(sandbox: Sandbox, field: str, values: list[str], text: str) -> None:
    keys = [(f"filter[{field}][$in][]", value) for value in values]
    call(sandbox, "GET", "/v1/contacts", params=[("limit", "100"), *keys])

    page = read_page(sandbox)

    (summary,) = page.all("summary")
    assert summary.text == text
    assert rows(page, READS)[0][3] == text + ", ".join(values) + "limit=100"


SEARCHED = [
    {"email": "zoe@doe.com", "first_name": "Zoé", "city": "Trois-Rivières"},
    {"email": "jon@doe.com", "remote_id": "R-7", "custom_fields": {"plan": "gold"}, "interests": ["Newsletter"]},
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("trois-rivieres", ["zoe@doe.com"]), ("RIVIÈRES zoé", ["zoe@doe.com"]), ("gold", ["jon@doe.com"]),
        ("newsl", ["jon@doe.com"]), ("r-7", ["jon@doe.com"]), ("zoe gold", []), ("nobody", []),
        ("  ", ["jon@doe.com", "zoe@doe.com"]), (".*", []), ("DOE.com", ["jon@doe.com", "zoe@doe.com"]),
    ],
)  # fmt: skip
def test_the_search_finds_contacts_that_contain_all_words(text: str, found: list[str]) -> None:
    with Sandbox(SEARCHED) as sandbox:
        assert emails(read_page(sandbox, q=text)) == found


def test_the_search_finds_requests_too_and_changed_contacts_by_their_old_values(sandbox: Sandbox) -> None:
    call(sandbox, "PATCH", "/v1/contacts/1234", {"city": "Lévis"})
    call(sandbox, "PATCH", "/v1/contacts/2000", {"city": "Alma"})
    page = read_page(sandbox, q="levis")

    assert [row[2] for row in rows(page, WRITES)] == ["/v1/contacts/1234"]
    assert emails(page) == emails(read_page(sandbox, q="laval")) == ["jon@doe.com"]


def test_the_filter_shows_changed_contacts_only_and_can_be_combined_with_a_search(sandbox: Sandbox) -> None:
    call(sandbox, "PATCH", "/v1/contacts/1234", {"city": "Alma"})

    assert emails(read_page(sandbox, changed="1")) == ["jon@doe.com"]
    assert emails(read_page(sandbox, changed="1", q="ana")) == []


def test_the_form_keeps_what_was_asked_and_leads_to_the_page_itself(sandbox: Sandbox) -> None:
    (form,) = read_page(sandbox, q='a "b" <c>', changed="1").all("form")
    fields = {field.attributes["name"]: field.attributes for field in form.all("input")}

    assert (form.attributes["method"], form.attributes["action"]) == ("get", "/")
    assert fields["q"]["value"] == 'a "b" <c>'
    assert "checked" in fields["changed"]
    (unasked,) = read_page(sandbox).all("form")
    assert [field.attributes.get("value") for field in unasked.all("input")] == ["", "1"]
    assert not any("checked" in field.attributes for field in unasked.all("input"))


def test_of_many_contacts_and_requests_the_newest_are_shown_and_all_are_counted() -> None:
    with Sandbox([{"email": f"p{number}@doe.com"} for number in range(4_750)]) as sandbox:
        for number in range(60):
            call(sandbox, "DELETE", f"/v1/{number}")
        started = time.perf_counter()
        page = read_page(sandbox)
        seconds = time.perf_counter() - started

    assert emails(page) == [f"p{number}@doe.com" for number in range(4_749, 4_649, -1)]
    assert "100 of 4,750" in titles(page)[CONTACTS]
    assert [row[2] for row in rows(page, WRITES)] == [f"/v1/{number}" for number in range(59, 9, -1)]
    assert "50 of 60" in titles(page)[WRITES]
    assert seconds < 5, "a generous limit: it takes about 0.05 s"
