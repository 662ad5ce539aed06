"""The HTML page shows contacts and requests as text, never as markup."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_provider_envoke.sandbox.page import render_page
from airflow_provider_envoke.sandbox.store import ContactStore
from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support.sandbox import JON, call

HOSTILE = """"><img src=x onerror='alert(1)'><script>alert(2)</script>"""
REQUEST = {"method": "PATCH", "path": "/v1/contacts", "query": "", "body": "", "status": 200, "fault": ""}


@pytest.mark.parametrize(
    ("contacts", "requests"),
    [
        ([{"email": HOSTILE}], []), ([{"remote_id": HOSTILE}], []), ([{"interests": [HOSTILE]}], []),
        ([{"custom_fields": {HOSTILE: HOSTILE}}], []), ([{"city": {HOSTILE: [HOSTILE]}}], []),
        *(([], [{**REQUEST, part: HOSTILE}]) for part in ("method", "path", "query", "body", "fault")),
    ],
)  # fmt: skip
def test_hostile_values_are_escaped(contacts: list[Any], requests: list[Any]) -> None:
    page = render_page(ContactStore(contacts), requests, {"requests": len(requests)})

    tags = set(re.findall(r"<(\w+)", page.split("<body>")[1]))
    assert tags <= {"main", "h1", "h2", "p", "div", "table", "tr", "th", "td"}
    assert "&lt;script&gt;" in page


def test_the_last_request_comes_first_and_a_failure_is_highlighted() -> None:
    failed = [{**REQUEST, "status": 400}, {**REQUEST, "status": 0, "fault": "stall"}]

    page = render_page(ContactStore(), [{**REQUEST, "path": "/first"}, *failed], {"requests": 3})

    assert page.index("/v1/contacts") < page.index("/first")
    assert re.findall('<td class="bad">(.*?)</td>', page) == ["no response stall", "400"]


def test_a_hundred_contacts_are_shown_newest_first_and_the_others_are_counted() -> None:
    page = render_page(ContactStore({"email": f"p{number}@x"} for number in range(103)), [], {"requests": 0})

    assert page.index("p102@x") < page.index("p3@x")
    assert "p2@x" not in page
    assert "3 more" in page


def test_the_page_is_served_even_if_a_contact_holds_a_lone_surrogate() -> None:
    with Sandbox([{**JON, "city": "\ud800"}]) as sandbox:
        call(sandbox, "PATCH", "/v1/contacts/1234?x=<script>", {"first_name": "<script>alert(1)</script>"})

        page = call(sandbox, "GET", "/")

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "jon@doe.com" in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>" not in page.text
