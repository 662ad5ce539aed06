"""``Sandbox``: the sandbox in a thread, and the pytest fixture for it."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import warnings

import pytest
import requests

from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support.sandbox import ANA, JON, call


def test_it_can_be_filled_before_it_starts_started_twice_and_read_after_it_stops() -> None:
    sandbox, other = Sandbox(), Sandbox()
    sandbox.reset([JON])

    for city in ("Alma", "Lévis"):
        with sandbox:
            assert call(sandbox, "PATCH", "/v1/contacts/1234", {"city": city}).json()["success"]

    assert (sandbox.contacts[0]["city"], other.contacts) == ("Lévis", [])
    assert sandbox.stats["requests"] == len(sandbox.requests) == 2


def test_it_leaves_no_thread_and_no_socket_behind() -> None:
    before = threading.active_count()
    with Sandbox() as sandbox, requests.Session() as session:
        session.get(f"{sandbox.url}/v1/settings", timeout=10)

    assert threading.active_count() == before
    with pytest.raises(requests.ConnectionError):
        call(sandbox, "GET", "")


def test_a_sandbox_that_is_never_started_leaves_nothing_open() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Sandbox([JON])
        gc.collect()

    assert [str(warning.message) for warning in caught if warning.category is ResourceWarning] == []


def test_contacts_are_copied_on_the_way_in_and_on_the_way_out() -> None:
    plan, interests = {"plan": "gold"}, ["News"]
    sandbox = Sandbox([{**JON, "custom_fields": plan, "interests": interests}])
    before = sandbox.contacts

    plan["plan"] = "none"
    for contacts in (interests, sandbox.contacts[0]["interests"]):
        contacts.append("Shop")
    (sandbox.contact(id=1234) or {})["city"] = "Alma"

    assert sandbox.contacts == before
    assert before[0]["custom_fields"] == {"plan": "gold"}


@pytest.mark.parametrize(
    "key", [{"id": 1234}, {"id": "1234"}, {"email": "JON@doe.com"}, {"remote_id": "436D-SF92-J4G5"}]
)
def test_a_contact_is_found_and_deleted_by_each_of_its_keys(key: dict[str, object]) -> None:
    sandbox = Sandbox([JON, ANA])
    assert sandbox.contact(**key) == sandbox.contacts[0]

    sandbox.delete_contact(**key)

    assert sandbox.contact(**key) is None
    assert [contact["id"] for contact in sandbox.contacts] == [2000]
    with pytest.raises(LookupError, match=next(iter(key))):
        sandbox.delete_contact(**key)


def test_credentials_and_latency_can_be_chosen() -> None:
    with Sandbox(api_id="me", api_key="secret") as sandbox:
        login, password = sandbox.connection["login"], sandbox.connection["password"]
        sandbox.latency_s = 0.2
        accepted = call(sandbox, "GET", "/v1/settings", auth=(login, password))
        rejected = call(sandbox, "GET", "/v1/settings")

    assert (accepted.status_code, rejected.status_code) == (200, 401)
    assert accepted.elapsed.total_seconds() >= sandbox.latency_s == 0.2
    assert "secret" not in repr(sandbox)


USES = "from airflow_provider_envoke.sandbox.thread import Sandbox; Sandbox().__enter__()"
IMPORTS = """
import sys, airflow_provider_envoke.sandbox.pytest_plugin
sys.exit(bool({'aiohttp', 'requests', 'airflow'} & set(sys.modules)))
"""


@pytest.mark.parametrize("script", [USES, IMPORTS], ids=["running", "imported"])
def test_a_process_ends_although_its_sandbox_runs_and_the_plugin_imports_nothing_heavy(script: str) -> None:
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=30).returncode == 0
