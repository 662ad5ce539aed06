"""The page shows all values as text, never as markup; what cannot be read is named, what is long is cut."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest

from airflow_provider_envoke.sandbox.page import render_page
from airflow_provider_envoke.sandbox.store import ContactStore
from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support.html import parse_html
from tests.support.sandbox import JON, call
from tests.support.sandbox_page import CONTACTS, REQUEST, WRITES, read_page, rows

HOSTILE = """"><img src=x onerror='alert(1)'><script>alert(2)</script>"""
ELEMENTS = {
    "main",
    "h1",
    "h2",
    "p",
    "div",
    "a",
    "b",
    "form",
    "input",
    "label",
    "button",
    "span",
    "bdi",
    "br",
    "code",
}
ELEMENTS |= {"table", "colgroup", "col", "thead", "tbody", "tr", "th", "td", "details", "summary", "time"}
ATTRIBUTES = {
    "class",
    "href",
    "method",
    "action",
    "type",
    "name",
    "maxlength",
    "aria-label",
    "placeholder",
    "value",
}
ATTRIBUTES |= {"checked", "id", "scope", "colspan", "datetime"}


@pytest.mark.parametrize(
    ("contacts", "requests"),
    [
        ([{"email": HOSTILE}], []), ([{"remote_id": HOSTILE}], []), ([{"interests": [HOSTILE]}], []),
        ([{"custom_fields": {HOSTILE: HOSTILE}}], []), ([{"city": {HOSTILE: [HOSTILE]}}], []),
        ([{HOSTILE: "x"}], []), ([{"consent_description": HOSTILE}], []), ([{"date_created": HOSTILE}], []),
        *(([], [{**REQUEST, part: HOSTILE}]) for part in ("method", "path", "query", "body", "fault")),
        ([], [{**REQUEST, "errors": [HOSTILE]}]),
        ([], [{**REQUEST, "method": "GET", "query": f"filter[{HOSTILE}][$in][]={HOSTILE}"}]),
        ([], [{**REQUEST, "body": HOSTILE.replace("<", r"\u003c")}]),
    ],
)  # fmt: skip
def test_hostile_values_are_shown_as_text(contacts: list[Any], requests: list[Any]) -> None:
    page = parse_html(render_page(ContactStore(contacts), requests, {"requests": len(requests)}))
    (body,) = page.all("body")

    assert {element.name for element in body.all()} <= ELEMENTS
    assert {name for element in body.all() for name in element.attributes} <= ATTRIBUTES
    assert "<script>" in body.text.replace(r"\u003c", "<")


def test_a_hostile_change_and_a_hostile_search_are_shown_as_text(sandbox: Sandbox) -> None:
    call(sandbox, "PATCH", "/v1/contacts/1234", {"city": HOSTILE, "custom_fields": {"plan": HOSTILE}})

    page = read_page(sandbox, q="<script>")

    (body,) = page.all("body")
    assert {element.name for element in body.all()} <= ELEMENTS
    assert len(rows(page, CONTACTS)) == 1
    assert HOSTILE in rows(page, CONTACTS)[0][-1]
    assert "<script>" in [field.attributes["value"] for field in page.all("input")]


def test_the_browser_is_told_to_run_no_script_and_to_use_this_style_only(sandbox: Sandbox) -> None:
    response = call(sandbox, "GET", "/")
    policy = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))
    (style,) = parse_html(response.text).all("style")

    assert policy["default-src"] == "'none'", "scripts included: there is no script-src"
    assert "script-src" not in policy
    assert policy["style-src"] == f"'sha256-{b64encode(sha256(style.text.encode()).digest()).decode()}'"
    assert policy["form-action"] == "'self'"


@pytest.mark.parametrize("mark", ["\u202e", "\u200f", "\u2066", "\x00", "\x1b", "\ud800", "\u200b", "\U000e0041"])
def test_characters_that_cannot_be_seen_are_named(mark: str) -> None:
    with Sandbox([{**JON, "city": f"a{mark}b"}]) as sandbox:
        page = call(sandbox, "GET", "/")

    assert f"city a[U+{ord(mark):04X}]b" in rows(parse_html(page.text), CONTACTS)[0][2]
    assert mark not in page.text
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize("text", ["Trois-Rivières", "שלום", "👩‍🚀", "a\u00a0b"])
def test_letters_of_all_languages_are_readable_in_contacts_and_in_requests(sandbox: Sandbox, text: str) -> None:
    call(sandbox, "PATCH", "/v1/contacts/1234", {"city": text})  # requests sends them as \u escapes
    assert "\\u" in sandbox.requests[0]["body"]

    page = read_page(sandbox)

    assert text in rows(page, CONTACTS)[0][2]
    assert text in rows(page, WRITES)[0][3]


def test_a_backslash_before_an_escape_and_a_half_character_are_kept() -> None:
    requests = [{**REQUEST, "body": body} for body in (r'{"a": "C:\\u00e8"}', r'{"a": "\ud83d"}', r'{"a": "\u00')]

    page = parse_html(render_page(ContactStore(), requests, {"requests": 3}))

    assert [row[3] for row in rows(page, WRITES)] == [r'{"a": "\u00', '{"a": "\ufffd"}', r'{"a": "C:\\u00e8"}']


def test_long_values_and_many_tags_are_cut_and_counted(sandbox: Sandbox) -> None:
    call(sandbox, "PATCH", "/v1/contacts/1234", {"feedback": "x" * 50_000})
    call(sandbox, "PATCH", "/v1/contacts/1234", {"interests": {f"tag {number}": "Set" for number in range(500)}})

    response = call(sandbox, "GET", "/")

    (_, _, fields, _, tags, _, change) = rows(parse_html(response.text), CONTACTS)[0]
    assert "50,000 characters" in fields
    assert "50,000 characters" in change
    assert "480 more" in tags
    assert len(response.text) < 30_000


def test_a_value_that_is_nested_deeply_is_shown(sandbox: Sandbox) -> None:
    for depth in (100, 900):
        call(sandbox, "PATCH", "/v1/contacts/1234", data=f'{{"city": {"[" * depth}{"]" * depth}}}')

    assert "1234" in rows(read_page(sandbox), CONTACTS)[0][0]
