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
def test_a_withdrawn_consent_is_not_replaced_and_fails_the_task(
    key: dict[str, Any],
    arguments: dict[str, Any],
    status: str,
    sandbox: Sandbox,
    check_message: Callable[[str, str], None],
) -> None:
    sandbox.reset([ANA, BO, CY | {"consent_status": status}])

    with pytest.raises(AirflowFailException) as caught:
        update(payload=key | EXPRESS, on_withdrawn="reject", **arguments)

    error = caught.value.__context__
    assert isinstance(error, EnvokeDataError)
    assert [violation[:2] for violation in error.violations] == [("consent_status", "consent_withdrawn")]
    check_message("update: consent withdrawn", str(error))
    assert sandbox.contact(id=3)["consent_status"] == status
    assert set(methods(sandbox)) == {"GET"}


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
            update(payload={"email": "CY@example.com"} | EXPRESS, on_withdrawn="reject")

    assert [request.method for request in server.requests] == ["GET", "GET"]


@pytest.mark.parametrize(
    "payload", [{"city": "Alma"}, {"consent_status": "Revoked"}], ids=["no consent", "revoked"]
)
def test_a_payload_that_cannot_undo_a_withdrawal_needs_no_lookup(
    payload: dict[str, Any], sandbox: Sandbox
) -> None:
    update(payload={"email": "cy@example.com"} | payload)

    assert methods(sandbox) == ["PATCH"]


@pytest.mark.parametrize("on_withdrawn", ["keep", "reject"])
def test_a_new_contact_with_the_address_of_a_withdrawn_consent_gets_no_consent(
    monkeypatch: pytest.MonkeyPatch, on_withdrawn: Any
) -> None:
    payload = {"remote_id": "R-9", "email": "cy@example.com"} | EXPRESS
    with Sandbox(CONTACTS, duplicate_check=False) as account:
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(account.connection))

        with pytest.raises(AirflowFailException, match="consent_status"):
            update(payload=payload, keyfield="remote_id", on_missing="create", on_withdrawn=on_withdrawn)

        assert len(account.contacts) == len(CONTACTS)


def test_a_withdrawn_consent_is_kept_and_the_rest_is_sent(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    left = {"consent_status": "Revoked", "consent_description": "Left by the link"}
    sandbox.reset([ANA, BO, CY | left])

    result = update(payload={"email": "cy@example.com", "city": "Alma"} | EXPRESS)

    assert result == {"id": 3, "action": "updated", "fields": ["city", "email"], "consent_kept": True}
    contact = sandbox.contact(id=3)
    assert {name: contact[name] for name in ("city", *left)} == {"city": "Alma", **left}
    logged = caplog.text + "".join(capfd.readouterr())
    assert "consent_status and consent_description kept" in logged
    assert "cy@" not in logged
    assert "Web form" not in logged


@pytest.mark.parametrize("consent", [EXPRESS, {"consent_description": "Web form"}, {"consent_status": "Expired"}])
@pytest.mark.parametrize("key", [{"email": "cy@example.com"}, {"id": 3}])
def test_nothing_is_sent_if_nothing_but_a_consent_that_is_kept_was_to_change(
    sandbox: Sandbox, key: dict[str, Any], consent: dict[str, str]
) -> None:
    sandbox.reset([ANA, BO, CY])

    result = update(payload=key | consent)

    assert result == {"id": 3, "action": "unchanged", "fields": [], "consent_kept": True}
    assert set(methods(sandbox)) == {"GET"}


def test_a_result_without_a_withdrawn_consent_does_not_mention_it(sandbox: Sandbox) -> None:
    assert "consent_kept" not in update(payload={"email": "ana@example.com"} | EXPRESS)


@pytest.mark.parametrize("argument", ["Keep", None, "skip"])
def test_on_withdrawn_has_two_words(argument: Any) -> None:
    with pytest.raises(AirflowFailException, match=r"on_withdrawn must be 'keep' or 'reject'"):
        update(payload={"email": "ana@example.com", "city": "Alma"}, on_withdrawn=argument)


def test_with_the_guard_off_the_payload_is_sent_as_it_is(sandbox: Sandbox) -> None:
    sandbox.reset([ANA, BO, CY])

    result = update(payload={"email": "cy@example.com"} | EXPRESS, consent_guard=False)

    assert result["fields"] == ["consent_description", "consent_status", "email"]
    assert methods(sandbox) == ["PATCH"]
