"""
Airflow's pages in a real browser: the connection form, its test, and what is shown of a task.

``make screenshots`` runs these tests, and keeps the pictures that stand in README.
"""

from __future__ import annotations

import json
import os
from base64 import b64encode
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from airflow_provider_envoke.get_provider_info import CONNECTION_FIELDS
from demo import customers
from demo.rest import RestError, wait_for
from demo.standalone import LINE
from tests.leftovers import processes_of
from tests.system.conftest import ROOT
from tests.system.examples import CUSTOMERS, NOEMIE, trigger
from tests.system.pages import ConnectionsPage, TaskPage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from playwright.sync_api import Browser, FloatRect, Locator, Page

    from demo.scene import Scene

pytestmark = pytest.mark.skipif(LINE != 3, reason="the pages of Airflow 2 are other ones; these are of Airflow 3")

CHROMIUM = Path("/usr/bin/chromium")
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PICTURES = os.environ.get("SCREENSHOTS")
WAIT_S, RUN_S, END_S = 60.0, 120.0, 20.0
LARGEST_PICTURE_BYTES = 150_000
INSIDE = -6  # a dialog's corners are round

CONNECTION_ID = "envoke_by_hand"
WRONG_KEY = "not-the-sandbox-key"
DEFAULTS = {"timeout": 30, "max_retries": 5, "requests_per_second": None, "ca_bundle": None}

Json = dict[str, Any]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium; where it is missing the tests are skipped, unless they are what somebody waits for."""
    if not CHROMIUM.exists():
        missing = f"{CHROMIUM} is missing: apt-get install chromium"
        if PICTURES or os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    expect.set_options(timeout=WAIT_S * 1000)
    directory = tmp_path_factory.mktemp("chromium")
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TMPDIR", str(directory))  # its profile goes there, and its processes can be told by it
            playwright = stack.enter_context(sync_playwright())
        yield stack.enter_context(playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS))
    wait_for("Chromium to end", lambda: processes_of(directory) == [], END_S)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page of a person who has never been here."""
    with browser.new_context(
        viewport={"width": 1280, "height": 1100},
        device_scale_factor=1.5,
        locale="en-CA",
        timezone_id="America/Toronto",
        permissions=["clipboard-read", "clipboard-write"],
    ) as context:
        context.set_default_timeout(WAIT_S * 1000)
        yield context.new_page()


@pytest.fixture
def picture(page: Page, tmp_path: Path) -> Callable[..., None]:
    """Keep a part of the page as a picture: in ``$SCREENSHOTS``, or with the test's own files."""
    directory = ROOT / PICTURES if PICTURES else tmp_path
    directory.mkdir(parents=True, exist_ok=True)

    def take(name: str, *parts: Locator, margin: int) -> None:
        path = directory / f"{name}.png"
        page.screenshot(path=path, clip=around(parts, margin), animations="disabled")
        assert path.stat().st_size < LARGEST_PICTURE_BYTES

    return take


@pytest.fixture
def connections(page: Page, scene: Scene) -> Iterator[ConnectionsPage]:
    """The list of connections; the one of ``CONNECTION_ID`` is gone afterwards."""
    yield ConnectionsPage.opened(page, scene.airflow.url)
    try:
        scene.airflow.rest.call("DELETE", f"/connections/{CONNECTION_ID}")
    except RestError as error:
        if error.status != 404:
            raise


@pytest.fixture(scope="module")
def sync(scene: Scene) -> Json:
    """A task that brought a whole table over, in which five customers had changed."""
    (task,) = (task for task in ran(scene, "envoke_plan_then_sync", {}) if task["task_id"] == "sync")
    return task


def test_the_form_has_the_names_that_envoke_uses(
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


def test_the_form_has_the_four_extra_fields_with_their_defaults(
    connections: ConnectionsPage, picture: Callable[..., None]
) -> None:
    form = connections.add()
    form.fill({"Connection ID": "envoke_default"})
    form.choose_type("Envoke")

    form.open_extra_fields()

    expect(form.dialog.locator("input[name^=element_]")).to_have_count(4)
    for name, field in CONNECTION_FIELDS.items():
        expect(form.extra_field(name)).to_have_value(str(field["schema"].get("default", "")))
        expect(form.dialog.get_by_text(field["label"], exact=True)).to_be_visible()
        expect(form.dialog.get_by_text(field["description"], exact=True)).to_be_visible()
    picture("connection-extras", form.dialog, margin=INSIDE)


def test_what_is_saved_and_edited_in_the_form_arrives(connections: ConnectionsPage, scene: Scene) -> None:
    form = connections.add()
    form.choose_type("Envoke")
    form.fill({"Connection ID": CONNECTION_ID, "Host": "https://e1.envoke.com", "API ID": "7", "API key": "k" * 9})
    form.save()
    saved = stored(scene)

    form = connections.edit(CONNECTION_ID)
    expect(form.field("API ID")).to_have_value("7")
    form.fill({"API ID": "8", "Port": "443"})
    form.open_extra_fields()
    form.extra_field("timeout").fill("12.5")
    form.extra_field("max_retries").fill("0")
    form.extra_field("requests_per_second").fill("20")
    form.extra_field("ca_bundle").fill("/etc/ssl/envoke.pem")
    form.save()

    whole = {"conn_type": "envoke", "host": "https://e1.envoke.com", "schema": None, "password": "***"}
    assert saved == whole | {"login": "7", "port": None, "extra": DEFAULTS}
    edited = {"timeout": 12.5, "max_retries": 0, "requests_per_second": 20, "ca_bundle": "/etc/ssl/envoke.pem"}
    assert stored(scene) == whole | {"login": "8", "port": 443, "extra": edited}


def test_the_test_says_whose_account_it_is_or_what_is_wrong(connections: ConnectionsPage, scene: Scene) -> None:
    save_connection_to_the_stand_in(connections, scene)
    told = connections.test(CONNECTION_ID)

    form = connections.edit(CONNECTION_ID)
    form.fill({"Description": "the key is left as it is"})
    form.save()
    told_after_an_edit = connections.test(CONNECTION_ID)

    form = connections.edit(CONNECTION_ID)
    form.fill({"API key": WRONG_KEY})
    form.save()
    told_of_a_wrong_key = connections.test(CONNECTION_ID)

    assert told == "Test Connection Successful\nConnected to the Envoke account 'Sandbox account'."
    assert told_after_an_edit == told
    assert told_of_a_wrong_key == (
        "Test Connection Failed\nEnvoke refused the credentials of GET /v1/settings with HTTP 401: Authentication "
        "failed. Check the connection's login (API ID) and password (API key)."
    )
    assert WRONG_KEY not in connections.page.content()


def test_without_a_port_airflow_does_not_test_as_readme_says(connections: ConnectionsPage, scene: Scene) -> None:
    """Once Airflow does, README need not say so any more."""
    save_connection_to_the_stand_in(connections, scene, port=False)
    asked = scene.stand_in.stats()["requests"]

    told = connections.test(CONNECTION_ID)

    assert told == "Test Connection Failed\nBad Request"
    assert scene.stand_in.stats()["requests"] == asked


def test_a_rendered_payload_is_json_and_shows_no_secret(page: Page, scene: Scene) -> None:
    tasks = ran(scene, "envoke_update_many", {"changed_since": customers.CHANGED_SINCE})
    (first,) = (task for task in tasks if task["map_index"] == 0)

    payload = TaskPage.opened(page, scene.airflow.url, first).rendered("payload")

    columns = ("email", "first_name", "last_name", "company", "phone", "city", "language")
    assert payload == {name: CUSTOMERS[NOEMIE][name] for name in columns}
    assert [secret for secret in secrets_of(scene) if secret in page.content()] == []


def test_the_report_of_a_sync_is_in_its_log(
    page: Page, scene: Scene, sync: Json, picture: Callable[..., None]
) -> None:
    log = TaskPage.opened(page, scene.airflow.url, sync).log()

    expect(log).to_contain_text("rows read")
    lines = [line.split() for line in log.inner_text().splitlines()]
    for counted in (["rows", "read", "300"], ["updated", "5"], ["unchanged", "294"], ["changed:", "city", "3"]):
        assert counted in lines
    assert [secret for secret in secrets_of(scene) if secret in page.content()] == []
    picture("sync-report", page.get_by_role("heading", name="sync", exact=True), log, margin=16)


def test_the_report_of_a_sync_is_in_its_xcom(page: Page, scene: Scene, sync: Json) -> None:
    report = TaskPage.opened(page, scene.airflow.url, sync).xcom("return_value")

    assert report == scene.airflow.rest.xcom(sync)
    assert (report["rows"], report["updated"], report["skipped_reasons"]) == (300, 5, {"not_found": 1})
    expect(page.locator(".view-lines")).to_contain_text('"updated": 5')


def save_connection_to_the_stand_in(connections: ConnectionsPage, scene: Scene, *, port: bool = True) -> None:
    address = urlsplit(scene.stand_in.url)
    parts = scene.stand_in.connection
    form = connections.add()
    form.choose_type("Envoke")
    form.fill({"Connection ID": CONNECTION_ID, "API ID": parts["login"], "API key": parts["password"]})
    form.fill(
        {"Host": f"http://{address.hostname}", "Port": str(address.port)} if port else {"Host": parts["host"]}
    )
    form.save()


def stored(scene: Scene) -> Json:
    """The connection as Airflow has it, without what the form does not ask for."""
    parts = scene.airflow.rest.call("GET", f"/connections/{CONNECTION_ID}")
    names = ("conn_type", "host", "login", "password", "port", "schema")
    return {**{name: parts[name] for name in names}, "extra": json.loads(parts["extra"])}


def ran(scene: Scene, dag_id: str, conf: Json) -> list[Json]:
    """The task instances of a run that updated a freshly filled stand-in."""
    scene.airflow.wait_for_dags([dag_id])
    scene.stand_in.reset(customers.contacts())
    run_id = trigger(scene, dag_id, conf)
    assert scene.airflow.rest.wait_for_run(dag_id, run_id, RUN_S) == "success"
    return scene.airflow.rest.tasks(dag_id, run_id)


def secrets_of(scene: Scene) -> tuple[str, str]:
    """The API key, and what HTTP Basic makes of it."""
    connection = scene.stand_in.connection
    both = f"{connection['login']}:{connection['password']}"
    return connection["password"], b64encode(both.encode()).decode()


def around(parts: Sequence[Locator], margin: int) -> FloatRect:
    """The rectangle that holds all of these, once they stand still, and a margin."""
    for part in parts:
        part.hover(trial=True)
    boxes = [box for part in parts if (box := part.bounding_box())]
    left, top = (min(box[side] for box in boxes) - margin for side in ("x", "y"))
    right = max(box["x"] + box["width"] for box in boxes) + margin
    bottom = max(box["y"] + box["height"] for box in boxes) + margin
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}
