"""
Airflow's UI in a real browser: the connection form, the connection test, and the pages of a task.

``make screenshots`` runs these tests, and keeps the pictures for the documentation.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from airflow_provider_envoke.get_provider_info import CONNECTION_FIELDS
from tests.support import ROOT, customers
from tests.system.airflow.pages import ConnectionsPage, TaskPage, around
from tests.system.airflow.rest import RestError
from tests.system.airflow.standalone import LINE
from tests.system.conftest import PICTURES
from tests.system.examples import CUSTOMERS, NOEMIE, trigger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from tests.system.airflow.with_sandbox import AirflowWithSandbox

pytestmark = pytest.mark.skipif(LINE != 3, reason="the UI of Airflow 2 is different")

RUN_S = 120.0
LARGEST_PICTURE_BYTES = 150_000
INSIDE = -6  # a dialog's corners are round

CONNECTION_ID = "envoke_by_hand"
WRONG_KEY = "not-the-sandbox-key"
DEFAULTS = {"timeout": 30, "max_retries": 5, "requests_per_second": None, "ca_bundle": None}

Json = dict[str, Any]


@pytest.fixture
def picture(page: Page, tmp_path: Path) -> Callable[..., None]:
    """Save a part of the page as a picture: in ``$SCREENSHOTS``, or in the test's temporary directory."""
    directory = ROOT / PICTURES if PICTURES else tmp_path
    directory.mkdir(parents=True, exist_ok=True)

    def take(name: str, *parts: Locator, margin: int) -> None:
        path = directory / f"{name}.png"
        page.screenshot(path=path, clip=around(parts, margin), animations="disabled")
        assert path.stat().st_size < LARGEST_PICTURE_BYTES

    return take


@pytest.fixture
def connections(page: Page, running: AirflowWithSandbox) -> Iterator[ConnectionsPage]:
    """The list of connections; the connection ``CONNECTION_ID`` is deleted afterwards."""
    yield ConnectionsPage.opened(page, running.airflow.url)
    try:
        running.airflow.rest.call("DELETE", f"/connections/{CONNECTION_ID}")
    except RestError as error:
        if error.status != 404:
            raise


@pytest.fixture(scope="module")
def sync(running: AirflowWithSandbox) -> Json:
    """A task that synced a whole table, with five changed customers."""
    (task,) = (task for task in ran(running, "envoke_plan_then_sync", {}) if task["task_id"] == "sync")
    return task


def test_the_form_has_envokes_names_and_four_extra_fields_with_their_defaults(
    connections: ConnectionsPage, picture: Callable[..., None]
) -> None:
    form = connections.add()
    form.fill({"Connection ID": "envoke_default"})

    form.choose_type("Envoke")

    placeholders = {
        "Host": "https://e1.envoke.com",
        "API ID": "API ID of your Envoke account",
        "API key": "API key of your Envoke account",
        "Port": "",
    }
    for label, placeholder in placeholders.items():
        field = form.field(label)
        expect(field).to_be_visible()
        assert field.get_attribute("placeholder") == placeholder
    for label in ("Login", "Password", "Schema"):
        expect(form.field(label)).to_have_count(0)
    expect(form.field("API key")).to_have_attribute("type", "password")
    picture("connection-form", form.dialog, margin=INSIDE)

    form.open_extra_fields()

    expect(form.dialog.locator("input[name^=element_]")).to_have_count(4)
    for name, field in CONNECTION_FIELDS.items():
        expect(form.extra_field(name)).to_have_value(str(field["schema"].get("default", "")))
        expect(form.dialog.get_by_text(field["label"], exact=True)).to_be_visible()
        expect(form.dialog.get_by_text(field["description"], exact=True)).to_be_visible()
    picture("connection-extras", form.dialog, margin=INSIDE)


def test_the_form_saves_what_is_entered_and_edited(
    connections: ConnectionsPage, running: AirflowWithSandbox
) -> None:
    form = connections.add()
    form.choose_type("Envoke")
    form.fill({"Connection ID": CONNECTION_ID, "Host": "https://e1.envoke.com", "API ID": "7", "API key": "k" * 9})
    form.save()
    saved = stored(running)

    form = connections.edit(CONNECTION_ID)
    expect(form.field("API ID")).to_have_value("7")
    form.fill({"API ID": "8", "Port": "443"})
    form.open_extra_fields()
    edited = {"timeout": 12.5, "max_retries": 0, "requests_per_second": 20, "ca_bundle": "/etc/ssl/envoke.pem"}
    for name, value in edited.items():
        form.extra_field(name).fill(str(value))
    form.save()

    whole = {"conn_type": "envoke", "host": "https://e1.envoke.com", "schema": None, "password": "***"}
    assert saved == whole | {"login": "7", "port": None, "extra": DEFAULTS}
    assert stored(running) == whole | {"login": "8", "port": 443, "extra": edited}


def test_the_connection_test_names_the_account_or_the_problem(
    connections: ConnectionsPage, running: AirflowWithSandbox
) -> None:
    save_connection_to_the_sandbox(connections, running)
    shown = [connections.test(CONNECTION_ID)]
    for change in ({"Description": "the key is unchanged"}, {"API key": WRONG_KEY}):
        form = connections.edit(CONNECTION_ID)
        form.fill(change)
        form.save()
        shown.append(connections.test(CONNECTION_ID))

    first, after_an_edit, with_a_wrong_key = shown
    assert after_an_edit == first
    assert [words for words in ("Successful", "'Sandbox account'") if words not in first] == []
    assert [words for words in ("Failed", "HTTP 401", "API key") if words not in with_a_wrong_key] == []
    assert WRONG_KEY not in connections.page.content()


def test_the_connection_of_make_airflow_passes_its_test(connections: ConnectionsPage) -> None:
    assert "Successful" in connections.test("envoke_default")


def test_airflow_cannot_test_a_connection_without_a_port(
    connections: ConnectionsPage, running: AirflowWithSandbox
) -> None:
    """The documentation says so; remove it there once this fails."""
    save_connection_to_the_sandbox(connections, running, port=False)
    before = running.sandbox.stats()["requests"]

    first = connections.test(CONNECTION_ID)

    assert "Bad Request" in first
    assert running.sandbox.stats()["requests"] == before


def test_a_rendered_payload_is_json_and_shows_no_secret(page: Page, running: AirflowWithSandbox) -> None:
    tasks = ran(running, "envoke_update_many", {"changed_since": customers.CHANGED_SINCE})
    (noemie,) = (task for task in tasks if task["map_index"] == 4)  # the last of the five latest changes

    payload = TaskPage.opened(page, running.airflow.url, noemie).rendered("payload")

    columns = ("email", "first_name", "last_name", "company", "phone", "city", "language")
    assert payload == {name: CUSTOMERS[NOEMIE][name] for name in columns}
    assert [secret for secret in secrets_of(running) if secret in page.content()] == []


def test_the_report_of_a_sync_is_in_its_log(
    page: Page, running: AirflowWithSandbox, sync: Json, picture: Callable[..., None]
) -> None:
    log = TaskPage.opened(page, running.airflow.url, sync).log()

    expect(log).to_contain_text("rows read")
    lines = [line.split() for line in log.inner_text().splitlines()]
    for counted in (["rows", "read", "300"], ["updated", "5"], ["unchanged", "294"], ["changed:", "city", "3"]):
        assert counted in lines
    assert [secret for secret in secrets_of(running) if secret in page.content()] == []
    picture("sync-report", page.get_by_role("heading", name="sync", exact=True), log, margin=16)


def test_the_report_of_a_sync_is_in_its_xcom(page: Page, running: AirflowWithSandbox, sync: Json) -> None:
    report = TaskPage.opened(page, running.airflow.url, sync).xcom("return_value")

    assert report == running.airflow.rest.xcom(sync)
    assert (report["rows"], report["updated"], report["skipped_reasons"]) == (300, 5, {"not_found": 1})
    expect(page.locator(".view-lines")).to_contain_text('"updated": 5')


def save_connection_to_the_sandbox(
    connections: ConnectionsPage, running: AirflowWithSandbox, *, port: bool = True
) -> None:
    parts = running.sandbox.connection
    form = connections.add()
    form.choose_type("Envoke")
    form.fill({"Connection ID": CONNECTION_ID, "API ID": parts["login"], "API key": parts["password"]})
    form.fill({"Host": parts["host"], "Port": str(parts["port"])} if port else {"Host": running.sandbox.url})
    form.save()


def stored(running: AirflowWithSandbox) -> Json:
    """Return the connection as Airflow has it, with the parts that are in the form."""
    parts = running.airflow.rest.call("GET", f"/connections/{CONNECTION_ID}")
    names = ("conn_type", "host", "login", "password", "port", "schema")
    return {**{name: parts[name] for name in names}, "extra": json.loads(parts["extra"])}


def ran(running: AirflowWithSandbox, dag_id: str, conf: Json) -> list[Json]:
    """Reset the sandbox, run a DAG, and return the task instances."""
    running.airflow.wait_for_dags([dag_id])
    running.sandbox.reset(customers.contacts())
    run_id = trigger(running, dag_id, conf)
    assert running.airflow.rest.wait_for_run(dag_id, run_id, RUN_S) == "success"
    return running.airflow.rest.tasks(dag_id, run_id)


def secrets_of(running: AirflowWithSandbox) -> tuple[str, str]:
    """Return the API key, and the credentials as HTTP Basic sends them."""
    connection = running.sandbox.connection
    both = f"{connection['login']}:{connection['password']}"
    return connection["password"], b64encode(both.encode()).decode()
