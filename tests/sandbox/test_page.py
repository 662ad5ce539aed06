"""The page shows what was stored and sent as text, never as markup."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from airflow_provider_envoke.sandbox.page import render_page
from airflow_provider_envoke.sandbox.store import ContactStore
from airflow_provider_envoke.sandbox.thread import Sandbox

HOSTILE = """"><img src=x onerror='alert(1)'><script>alert(2)</script>"""


def markup(page: str) -> set[str]:
    """Return the names of the tags that a browser would see in the body."""
    return set(re.findall(r"<(\w+)", page.split("<body>")[1]))


def kept(**changed: Any) -> dict[str, Any]:
    return {
        "method": "PATCH",
        "path": "/v1/contacts",
        "query": "",
        "body": "",
        "status": 200,
        "fault": "",
        **changed,
    }


@pytest.mark.parametrize(
    "contact",
    [
        {"email": HOSTILE},
        {"remote_id": HOSTILE},
        {"interests": [HOSTILE]},
        {"custom_fields": {HOSTILE: HOSTILE}},
        {"city": {HOSTILE: [HOSTILE]}},
    ],
    ids=lambda contact: next(iter(contact)),
)
def test_a_hostile_contact_is_text(contact: dict[str, Any]) -> None:
    page = render_page(ContactStore([contact]), [], {"requests": 0})

    assert markup(page) <= {"main", "h1", "h2", "p", "div", "table", "tr", "th", "td"}
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("part", ["method", "path", "query", "body"])
def test_a_hostile_request_is_text(part: str) -> None:
    page = render_page(ContactStore(), [kept(**{part: HOSTILE})], {"requests": 1})

    assert markup(page) <= {"main", "h1", "h2", "p", "div", "table", "tr", "th", "td"}
    assert "&lt;script&gt;" in page


def test_the_latest_request_comes_first_and_a_refusal_stands_out() -> None:
    page = render_page(ContactStore(), [kept(path="/first"), kept(path="/second", status=400)], {"requests": 2})

    assert page.index("/second") < page.index("/first")
    assert '<td class="bad">400</td>' in page


def test_a_hundred_contacts_are_shown_and_the_rest_is_counted() -> None:
    page = render_page(ContactStore({"email": f"p{number}@x"} for number in range(103)), [], {"requests": 0})

    assert page.index("p102@x") < page.index("p3@x"), "the newest first"
    assert "p2@x" not in page
    assert "and 3 more" in page


def test_half_a_character_does_not_break_the_page() -> None:
    with Sandbox([{"id": 1, "email": "jon@doe.com", "city": "\ud800"}]) as sandbox:
        page = requests.get(f"{sandbox.url}/", timeout=10)

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "jon@doe.com" in page.text
