"""The consent guard of the operator of one contact. Which keys it covers is in tests/sync/test_guard_grid.py."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_envoke.exceptions import EnvokeDataError
from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support.contacts import ANA, BO, CY, EXPRESS
from tests.support.faulty_server import FaultyServer, answer
from tests.support.updates import update

if TYPE_CHECKING:
    from collections.abc import Callable

CONTACTS = [ANA, BO, CY]


def methods(sandbox: Sandbox) -> list[str]:
    return [request["method"] for request in sandbox.requests]


@pytest.mark.parametrize(
    ("key", "arguments", "status"),
    [
        ({"email": "cy@example.com"}, {}, "External Spam Reported"),
        ({"email": "cy@example.com"}, {}, "Envoke Spam Reported"),
        ({"email": "CY@example.com"}, {}, "Revoked"),
        ({"id": 3, "email": "new@example.com"}, {}, "Revoked"),
        ({}, {"contact_id": "3"}, "Revoked"),
    ],
)
def test_a_withdrawn_consent_is_not_replaced(
    key: dict[str, Any],
    arguments: dict[str, Any],
    status: str,
    sandbox: Sandbox,
    check_message: Callable[[str, str], None],
) -> None:
    sandbox.reset([ANA, BO, CY | {"consent_status": status}])

    with pytest.raises(AirflowFailException) as caught:
        update(payload=key | EXPRESS, **arguments)

    error = caught.value.__context__
    assert isinstance(error, EnvokeDataError)
    assert [violation[:2] for violation in error.violations] == [("consent_status", "consent_withdrawn")]
    check_message("update: consent withdrawn", str(error))
    assert sandbox.contact(id=3)["consent_status"] == status
    assert methods(sandbox) == ["GET"]


@pytest.mark.parametrize("status", ["Implied: No Expiry", "express", "Implied - Inquiry"])
def test_consent_is_written_if_it_was_not_withdrawn(status: str, sandbox: Sandbox) -> None:
    update(payload={"email": "ana@example.com"} | EXPRESS | {"consent_status": status})

    assert methods(sandbox) == ["GET", "PATCH"]


def test_both_spellings_of_an_address_are_looked_up(sandbox: Sandbox) -> None:
    update(payload={"email": "Ana@Example.com"} | EXPRESS)

    *reads, patch = sandbox.requests
    asked = [parse_qs(request["query"])["filter[email]"] for request in reads]
    assert asked == [["Ana@Example.com"], ["ana@example.com"]]
    assert patch["method"] == "PATCH"


def test_a_withdrawn_consent_is_found_where_the_service_minds_the_case(monkeypatch: pytest.MonkeyPatch) -> None:
    revoked = answer([{"id": 3, "consent_status": "Revoked"}])
    with FaultyServer(answer([]), revoked) as server:
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(server.connection))
        with pytest.raises(AirflowFailException):
            update(payload={"email": "CY@example.com"} | EXPRESS)

    assert [request.method for request in server.requests] == ["GET", "GET"]


@pytest.mark.parametrize(
    "payload", [{"city": "Alma"}, {"consent_status": "Revoked"}], ids=["no consent", "revoked"]
)
def test_a_payload_that_cannot_undo_a_withdrawal_needs_no_lookup(
    payload: dict[str, Any], sandbox: Sandbox
) -> None:
    update(payload={"email": "cy@example.com"} | payload)

    assert methods(sandbox) == ["PATCH"]


def test_a_new_contact_with_the_address_of_a_withdrawn_consent_gets_no_consent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payload = {"remote_id": "R-9", "email": "cy@example.com"} | EXPRESS
    with Sandbox(CONTACTS, duplicate_check=False) as account:
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(account.connection))

        with pytest.raises(AirflowFailException, match="consent_status"):
            update(payload=payload, keyfield="remote_id", on_missing="create")

        assert len(account.contacts) == len(CONTACTS)
