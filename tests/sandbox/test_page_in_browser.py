"""The page in Chromium: it fits into 1,400 pixels, its form works without JavaScript, and no value runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support import ROOT
from tests.support.browser import chromium
from tests.support.sandbox import call

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

HOSTILE = """"><img src=x onerror='alert(1)'><script>alert(2)</script><style>body{display:none}</style>"""
PICTURES = os.environ.get("SCREENSHOTS")
LARGEST_PICTURE_BYTES = 150_000
WAIT_MS = 60_000

PEOPLE = [
    ("zoe", "Zoé", "Tremblay", "Trois-Rivières"),
    ("jon", "Jon", "Smith", "Winnipeg"),
    ("noemie", "Noémie", "Côté", "Lévis"),
]
STATUSES = ["Express", "Implied - Inquiry", "Revoked"]


def contacts(count: int) -> list[dict[str, Any]]:
    """Return contacts with values in all columns."""
    return [
        {
            "email": f"{name}.{number}@example.com",
            "remote_id": f"C-{number:04}",
            "first_name": first,
            "last_name": last,
            "city": city,
            "language": "fr",
            "consent_status": STATUSES[number % 3],
            "consent_description": "Web form",
            "interests": ["Newsletter", "Customer"],
            "custom_fields": {"plan": "gold"},
        }
        for number in range(count)
        for name, first, last, city in [PEOPLE[number % 3]]
    ]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium."""
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page, 1,400 pixels wide, in a browser that runs no JavaScript of pages."""
    size: Any = {"width": 1400, "height": 1000}
    with browser.new_context(viewport=size, java_script_enabled=False) as context:
        context.set_default_timeout(WAIT_MS)
        yield context.new_page()


def test_all_columns_fit_and_the_search_works_without_javascript(page: Page, tmp_path: Path) -> None:
    with Sandbox(contacts(4_750), clock=lambda: 1_790_000_000) as sandbox:
        keys = [("filter[email][$in][]", contact["email"]) for contact in contacts(99)]
        for _ in range(150):
            call(sandbox, "GET", "/v1/contacts", params=[("limit", "100"), *keys])
        for number in range(150):
            call(
                sandbox,
                "PATCH",
                f"/v1/contacts/{number % 40 + 1}",
                {"city": "Québec", "interests": {"VIP": "Set"}},
            )
        call(sandbox, "POST", "/v1/contacts", {"email": "ana@example.com", "custom_fields": {"plan": "silver"}})
        sandbox.delete_contact(id=41)

        page.goto(sandbox.url)
        tables = [box for table in page.locator("table").all() if (box := table.bounding_box())]
        assert len(tables) == 3
        assert max(box["x"] + box["width"] for box in tables) <= 1400
        directory = ROOT / PICTURES if PICTURES else tmp_path
        picture = directory / "sandbox-page.png"
        page.screenshot(path=picture, clip={"x": 0, "y": 0, "width": 1400, "height": 560})
        assert picture.stat().st_size < LARGEST_PICTURE_BYTES

        page.get_by_label("Search").fill("trois-rivieres c-0003")
        page.get_by_label("changed contacts only").check()
        page.get_by_role("button", name="Search").click()

        row = page.locator("tbody").first.locator("tr")
        assert row.count() == 1
        assert "Trois-Rivières" in row.inner_text()
        page.get_by_role("link", name="Show all").click()
        assert row.count() == 100
        page.locator("summary").first.click()
        assert page.get_by_text("jon.1@example.com, ").first.is_visible()


def test_no_value_runs_or_hides_anything_although_scripts_are_enabled(browser: Browser) -> None:
    with Sandbox([{"email": HOSTILE, "remote_id": HOSTILE, "custom_fields": {HOSTILE: HOSTILE}}]) as sandbox:
        call(sandbox, "PATCH", "/v1/contacts/1", {"city": HOSTILE, "feedback": "\u202e" + HOSTILE})
        with browser.new_context() as context:
            page = context.new_page()
            seen: list[str] = []
            page.on("dialog", lambda dialog: (seen.append(dialog.message), dialog.dismiss()))
            page.on("console", lambda message: seen.append(message.text))
            page.goto(f"{sandbox.url}/?q=%3Cscript%3E")

            assert page.locator("h1").is_visible()
            assert page.locator("img, script").count() == 0
            assert seen == []
