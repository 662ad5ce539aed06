"""The sandbox in a thread: one for each ``with``, and readable afterwards."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import warnings

import pytest
import requests

from airflow_provider_envoke.sandbox.thread import Sandbox

AUTH = ("sandbox-id", "sandbox-key")
JON = {"id": 1, "email": "jon@doe.com", "remote_id": "R1"}


def test_two_sandboxes_do_not_share_contacts() -> None:
    with Sandbox([JON]) as one, Sandbox() as other:
        assert one.url != other.url
        assert (len(one.contacts), len(other.contacts)) == (1, 0)


def test_what_happened_can_be_read_after_it_has_stopped() -> None:
    with Sandbox([JON]) as sandbox:
        requests.patch(f"{sandbox.url}/v1/contacts/1", json={"city": "Laval"}, auth=AUTH, timeout=10)

    assert sandbox.contacts[0]["city"] == "Laval"
    assert sandbox.stats["requests"] == len(sandbox.requests) == 1


def test_it_can_be_filled_before_it_starts_and_started_twice() -> None:
    sandbox = Sandbox()
    sandbox.reset([JON])

    for _ in range(2):
        with sandbox:
            found = requests.get(f"{sandbox.url}/v1/contacts", auth=AUTH, timeout=10).json()
            assert [contact["id"] for contact in found] == [1]


def test_it_leaves_neither_thread_nor_socket_behind() -> None:
    before = threading.active_count()
    with Sandbox() as sandbox, requests.Session() as session:
        session.get(f"{sandbox.url}/v1/settings", auth=AUTH, timeout=10)

    assert threading.active_count() == before
    with pytest.raises(requests.ConnectionError):
        requests.get(sandbox.url, timeout=10)


def test_one_that_is_never_started_leaves_nothing_open() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Sandbox([JON])
        gc.collect()

    assert [str(warning.message) for warning in caught if warning.category is ResourceWarning] == []


def test_what_it_hands_out_are_copies() -> None:
    with Sandbox([{**JON, "interests": ["News"]}]) as sandbox:
        sandbox.contacts[0]["interests"].append("Shop")
        found = sandbox.contact(email="jon@doe.com")
        assert found is not None
        found["city"] = "Laval"

        assert sandbox.contacts[0]["interests"] == ["News"]
        assert sandbox.contacts[0]["city"] == ""


@pytest.mark.parametrize("key", [{"id": 1}, {"id": "1"}, {"email": "JON@doe.com"}, {"remote_id": "R1"}])
def test_a_contact_is_found_by_each_of_its_keys(key: dict[str, object]) -> None:
    found = Sandbox([JON]).contact(**key)

    assert found is not None
    assert found["id"] == 1


def test_a_bad_reset_reaches_the_caller_and_changes_nothing() -> None:
    with Sandbox([JON]) as sandbox:
        with pytest.raises(ValueError, match="two contacts"):
            sandbox.reset([{"id": 7}, {"id": 7}])

        assert [contact["id"] for contact in sandbox.contacts] == [1]


def test_a_process_that_never_leaves_the_context_still_ends() -> None:
    script = "from airflow_provider_envoke.sandbox.thread import Sandbox; Sandbox().__enter__()"

    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=30).returncode == 0
