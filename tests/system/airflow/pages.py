"""Pages of Airflow 3's UI: what a person clicks, fills in and reads."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from playwright.sync_api import FloatRect, Locator, Page

# The code without line numbers.
_CODE_ALONE = """code => {
    const copy = code.cloneNode(true);
    copy.querySelectorAll(".linenumber").forEach(number => number.remove());
    return copy.textContent;
}"""


@dataclass(frozen=True)
class ConnectionForm:
    """The dialog in which a connection is added or edited."""

    dialog: Locator

    def choose_type(self, name: str) -> None:
        """Choose the connection type by the first letters of its name."""
        box = self.dialog.get_by_role("combobox", name="Connection Type")
        box.click()
        box.fill(name[:4])
        self.dialog.page.get_by_role("option", name=name, exact=True).click()
        self.dialog.get_by_role("heading").click()  # so that no field has the focus
        expect(self.field("Host")).to_be_visible()

    def field(self, label: str) -> Locator:
        """Return the field with this label, with or without the star of a required field."""
        return self.dialog.get_by_label(re.compile(rf"^{re.escape(label)}\s*\*?$"))

    def fill(self, values: Mapping[str, str]) -> None:
        """Fill in fields by their labels."""
        for label, value in values.items():
            self.field(label).fill(value)

    def open_extra_fields(self) -> None:
        """Show the fields of the connection type, and hide the others."""
        self.dialog.get_by_role("button", name="Extra Fields", exact=True).click()
        expect(self.extra_field("timeout")).to_be_visible()
        expect(self.field("Host")).to_be_hidden()

    def extra_field(self, name: str) -> Locator:
        """Return the field of an extra."""
        return self.dialog.locator(f"input[name=element_{name}]")

    def save(self) -> None:
        """Save, and wait until the dialog has closed."""
        self.dialog.get_by_role("button", name="Save").click()
        expect(self.dialog).to_be_hidden()


@dataclass(frozen=True)
class ConnectionsPage:
    """The list of connections."""

    page: Page

    @classmethod
    def opened(cls, page: Page, url: str) -> ConnectionsPage:
        """Open the page."""
        page.goto(f"{url}/connections")
        return cls(page)

    def add(self) -> ConnectionForm:
        """Open the form for a new connection."""
        self.page.get_by_role("button", name="Add Connection").click()
        return self._form()

    def edit(self, connection_id: str) -> ConnectionForm:
        """Open the form of an existing connection."""
        self._row(connection_id).get_by_role("button", name="Edit Connection").click()
        return self._form()

    def test(self, connection_id: str) -> str:
        """Test a connection, and return the message: a headline, and a line of text."""
        self.page.reload()  # an earlier message stays while the pointer is on it
        message = self.page.get_by_role("status").filter(has_text="Test Connection")
        self._row(connection_id).get_by_role("button", name="Test Connection").click()
        expect(message).to_be_visible()
        return message.inner_text()

    def _row(self, connection_id: str) -> Locator:
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("cell", name=connection_id))

    def _form(self) -> ConnectionForm:
        form = ConnectionForm(self.page.get_by_role("dialog"))
        expect(form.field("Connection ID")).to_be_visible()
        return form


@dataclass(frozen=True)
class TriggerForm:
    """The dialog in which a person starts a run."""

    dialog: Locator

    @classmethod
    def opened(cls, page: Page, url: str, dag_id: str) -> TriggerForm:
        """Open the page of a DAG, and its form."""
        page.goto(f"{url}/dags/{dag_id}")
        page.get_by_role("button", name="Trigger Dag", exact=True).click()
        form = cls(page.get_by_role("dialog"))
        expect(form.dialog).to_contain_text(dag_id)
        return form

    def trigger(self) -> None:
        """Press the button that starts the run, and wait until the dialog has closed."""
        button = self.dialog.get_by_role("button", name="Trigger", exact=True)
        expect(button).to_be_enabled()
        button.click()
        expect(self.dialog).to_be_hidden()


@dataclass(frozen=True)
class TaskPage:
    """The page of a task instance."""

    page: Page

    @classmethod
    def opened(cls, page: Page, url: str, task: Mapping[str, Any]) -> TaskPage:
        """Open the page, which shows the log first."""
        run = f"{url}/dags/{task['dag_id']}/runs/{quote(task['dag_run_id'], safe=':+')}"
        mapped = f"/mapped/{task['map_index']}" if task["map_index"] >= 0 else ""
        page.goto(f"{run}/tasks/{task['task_id']}{mapped}")
        return cls(page)

    def log(self) -> Locator:
        """Return the lines of the log."""
        return self.page.get_by_test_id("virtualized-list")

    def rendered(self, field: str) -> Any:
        """Return a rendered template field, read as JSON."""
        self._open("Rendered Templates")
        row = self.page.get_by_role("row").filter(has=self.page.get_by_role("cell", name=field, exact=True))
        return json.loads(row.locator("code").evaluate(_CODE_ALONE))

    def xcom(self, key: str) -> Any:
        """Return what the button beside an XCom copies; the page shows only the first lines."""
        self._open("Storage")
        self._open("XCom")
        row = self.page.get_by_role("row").filter(has=self.page.get_by_role("cell", name=key, exact=True))
        self.page.get_by_role("button", name="Expand all extra JSON").click()
        row.get_by_role("button", name="Copy to clipboard").click()
        return json.loads(self.page.evaluate("navigator.clipboard.readText()"))

    def _open(self, tab: str) -> None:
        self.page.get_by_role("link", name=tab, exact=True).click()


def around(parts: Sequence[Locator], margin: int) -> FloatRect:
    """Return the rectangle around elements that have stopped moving, with a margin."""
    for part in parts:
        part.hover(trial=True)
    boxes = [box for part in parts if (box := part.bounding_box())]
    left, top = (min(box[side] for box in boxes) - margin for side in ("x", "y"))
    right = max(box["x"] + box["width"] for box in boxes) + margin
    bottom = max(box["y"] + box["height"] for box in boxes) + margin
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}
