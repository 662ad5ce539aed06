"""The faults that change contacts or reject queries, and which requests get a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_envoke.sandbox.faults import CHANGED_FEEDBACK, FAULTS
from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support.sandbox import ANA, AUTH, JON, call

if TYPE_CHECKING:
    from collections.abc import Mapping

READ_JON = "/v1/contacts?filter[email][$in][]=jon@doe.com"


@pytest.mark.parametrize("path", [READ_JON, "/v1/contacts?filter[$or][0][email][$in][]=jon@doe.com"])
def test_only_filters_with_in_are_rejected(path: str) -> None:
    with Sandbox([JON], faults={"in_refused": 1}) as sandbox:
        with_in, without = call(sandbox, "GET", path), call(sandbox, "GET", "/v1/contacts?filter[id]=1234")

    assert (with_in.status_code, without.status_code) == (400, 200)
    assert "$in" in with_in.json()["result_text"]


def test_a_contact_is_deleted_just_before_it_is_updated() -> None:
    with Sandbox([JON, ANA], faults={"deleted": 1}) as sandbox:
        assert call(sandbox, "GET", "/v1/contacts").status_code == 200
        response = call(sandbox, "PATCH", "/v1/contacts/1234", {"city": "Alma"})

        assert "not found" in response.text
        assert [contact["id"] for contact in sandbox.contacts] == [2000]
        assert sandbox.contact(email="jon@doe.com") is None
        assert sandbox.contact(remote_id="436D-SF92-J4G5") is None


def test_a_contact_is_changed_just_before_it_is_updated() -> None:
    with Sandbox([JON, ANA], faults={"changed": 1}) as sandbox:
        call(sandbox, "PATCH", "/v1/contacts", {"email": "jon@doe.com", "city": "Alma"})

        changed = [(contact["city"], contact["feedback"]) for contact in sandbox.contacts]
        assert changed == [("Alma", CHANGED_FEEDBACK), ("Québec", "")]


def test_consents_are_revoked_just_after_they_were_read() -> None:
    with Sandbox([JON, ANA], faults={"revoked": 1}) as sandbox:
        first, second = (call(sandbox, "GET", READ_JON).json() for _ in range(2))

        assert [contact["consent_status"] for contact in (*first, *second)] == ["Not Provided", "Revoked"]
        assert sandbox.contacts[1]["consent_status"] == "Express"


@pytest.mark.parametrize("key", ["1234", "JON@doe.com", "436D-SF92-J4G5"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/contacts/1234", {}), ("/v1/contacts", {"email": "Jon@doe.com"}),
        ("/v1/contacts?keyfield=remote_id", {"remote_id": "436D-SF92-J4G5"}),
    ],
)  # fmt: skip
def test_every_update_of_a_chosen_contact_gets_its_fault(key: str, path: str, body: Mapping[str, str]) -> None:
    with Sandbox([JON, ANA], faults_for={key: "error_500"}) as sandbox:
        chosen = [call(sandbox, "PATCH", path, {**body, "city": "Alma"}).status_code for _ in range(3)]
        other = call(sandbox, "PATCH", "/v1/contacts/2000", {"city": "Alma"}).status_code
        read = call(sandbox, "GET", "/v1/contacts").status_code

    assert (chosen, other, read) == ([500] * 3, 200, 200)


def test_a_contact_can_be_chosen_before_it_is_created() -> None:
    with Sandbox(faults_for={"new@example.com": "unsuccessful"}) as sandbox:
        for email in ("new@example.com", "other@example.com"):
            call(sandbox, "POST", "/v1/contacts", {"email": email})

        assert [contact["email"] for contact in sandbox.contacts] == ["other@example.com"]


def statuses(sandbox: Sandbox, order: list[int]) -> dict[int, list[int]]:
    """Send a different update for each number, in this order; return the statuses of each number's responses."""
    found: dict[int, list[int]] = {}
    for number in order:
        response = call(sandbox, "PATCH", "/v1/contacts/1234", {"city": str(number)})
        found.setdefault(number, []).append(response.status_code)
    return found


def test_the_same_seed_chooses_the_same_requests_in_any_order_and_after_a_reset() -> None:
    numbers = [*range(15)] * 2
    with Sandbox([JON], faults={"error_500": 0.5}, fault_seed=7) as sandbox:
        first, second = statuses(sandbox, numbers), statuses(sandbox, numbers)
        sandbox.reset([JON])
        repeated = statuses(sandbox, numbers[::-1])
    with Sandbox([JON], faults={"error_500": 0.5}, fault_seed=8) as sandbox:
        other_seed = statuses(sandbox, numbers)

    assert first == repeated
    assert first not in (second, other_seed)
    assert 5 <= sum(answers.count(500) for answers in first.values()) <= 25


def test_each_fault_gets_its_share_of_the_requests() -> None:
    with Sandbox([JON], faults={"error_500": 0.2, "html_502": 0.1}) as sandbox, requests.Session() as session:
        for number in range(500):
            session.patch(f"{sandbox.url}/v1/contacts/1234", json={"city": str(number)}, auth=AUTH, timeout=10)

    counts = sandbox.stats["faults"]
    assert 70 <= counts["error_500"] <= 130
    assert 30 <= counts["html_502"] <= 75


def test_a_request_with_wrong_credentials_gets_401_and_no_fault() -> None:
    with Sandbox([JON], faults={"deleted": 1}) as sandbox:
        response = call(sandbox, "PATCH", "/v1/contacts/1234", {"city": "Alma"}, auth=("sandbox-id", "wrong"))

        assert response.status_code == 401
        assert (len(sandbox.contacts), sandbox.stats["faults"]) == (1, {})


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        ({"faults": {"stal": 0.1}}, r"'stal'.* connection_refused, .*in_refused"),
        *(({"faults": {"stall": share}}, rf"stall is {share}") for share in (1.1, -0.1, float("nan"))),
        ({"faults": {"stall": 0.6, "drip": 0.5}}, r"1\.1"),
        *(({"faults_for": {"1": name}}, name) for name in ("stal", "in_refused", "revoked")),
    ],
)
def test_invalid_faults_raise(options: dict[str, Any], fragment: str) -> None:
    with pytest.raises(ValueError, match=fragment):
        Sandbox(**options)


def test_shares_may_add_up_to_one() -> None:
    assert Sandbox(faults=dict.fromkeys(list(FAULTS)[:10], 0.1)).stats["faults"] == {}
