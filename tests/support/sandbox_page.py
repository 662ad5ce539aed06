"""The sandbox's page, read as a browser reads it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.support.html import parse_html
from tests.support.sandbox import call

if TYPE_CHECKING:
    from airflow_provider_envoke.sandbox.thread import Sandbox
    from tests.support.html import Element

#: A request as the sandbox records it.
REQUEST: dict[str, Any] = {"time": 0.0, "method": "PATCH", "path": "/v1/contacts", "query": "", "body": ""}
REQUEST |= {"status": 200, "fault": "", "applied": True, "errors": []}

#: The page's tables, in their order.
CONTACTS, WRITES, READS = range(3)


def read_page(sandbox: Sandbox, **query: str) -> Element:
    """Return the page of a sandbox."""
    response = call(sandbox, "GET", "/", params=query)
    assert response.status_code == 200
    return parse_html(response.text)


def rows(page: Element, table: int) -> list[list[str]]:
    """Return the texts of the cells of one of the tables."""
    body = next(list(page.all("table"))[table].all("tbody"))
    cells = [[cell.text for cell in row.all("td")] for row in body.all("tr")]
    return [row for row in cells if len(row) > 1]


def marks(page: Element) -> list[str | None]:
    """Return the class of each contact's row: ``created``, ``updated``, ``deleted``, or none."""
    return [row.attributes["class"] for row in next(page.all("tbody")).all("tr")]


def emails(page: Element) -> list[str]:
    """Return the addresses of the contacts, in their order."""
    cells = "\n".join(row[1] for row in rows(page, CONTACTS))
    return re.findall(r"[\w.]+@[\w.]+?(?=[A-Z]|created|$)", cells, re.MULTILINE)


def titles(page: Element) -> list[str]:
    """Return the headings of the tables, with their counts."""
    return [title.text for title in page.all("div", "title")]
