"""What the operator of one contact sends, for which key, and what it returns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeNotFoundError, EnvokeRejectedError
from airflow_provider_envoke.operators.envoke import EnvokeUpdateContactOperator
from tests.support.contacts import ANA, BO, CY
from tests.support.faulty_server import FaultyServer, answer
from tests.support.tasks import context
from tests.support.updates import update, update_in_dag

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.sandbox.thread import Sandbox

CONTACTS = [ANA, BO, CY]
KEY = {"email": "ana@example.com"}
NEW, R_1 = {"email": "n@x.com"}, {"remote_id": "R-1"}
UNKNOWN = {"email": "eve@example.com", "city": "Laval"}


def requests(sandbox: Sandbox) -> list[tuple[str, str, str]]:
    return [(request["method"], request["path"], request["query"]) for request in sandbox.requests]


def last_body(sandbox: Sandbox) -> Any:
    return json.loads(sandbox.requests[-1]["body"])


@pytest.mark.parametrize(
    ("arguments", "payload", "path", "query", "body"),
    [
        ({"contact_id": 1}, {"city": "x"}, "/1", "", {"city": "x"}),
        ({}, {"id": "1", "city": "x"}, "/1", "", {"city": "x"}),
        ({}, {"id": 1, **NEW}, "/1", "", NEW),
        ({"keyfield": "email"}, {"id": 2, **KEY, "city": "x"}, "", "", {**KEY, "city": "x"}),
        ({"keyfield": "remote_id"}, {**R_1, **NEW}, "", "keyfield=remote_id", {**R_1, **NEW}),
    ],
    ids=["contact_id", "id", "id before email", "keyfield email before id", "keyfield remote_id"],
)
def test_the_key_decides_which_contact_is_updated(
    arguments: dict[str, Any], payload: dict[str, Any], path: str, query: str, body: Any, sandbox: Sandbox
) -> None:
    result = update(payload=payload, **arguments)

    assert requests(sandbox) == [("PATCH", f"/v1/contacts{path}", query)]
    assert last_body(sandbox) == body
    assert (result["id"], result["action"]) == (1, "updated")


def test_nulls_are_left_out_or_clear_their_fields(sandbox: Sandbox) -> None:
    row = {**KEY, "remote_id": None, "phone": None, "custom_fields": {"a": None}, "city": "x"}

    update(payload=row)
    assert last_body(sandbox) == {**KEY, "city": "x"}

    update(payload=row, nulls="clear")
    assert last_body(sandbox) == {**KEY, "phone": "", "custom_fields": {"a": ""}, "city": "x"}


def test_an_overlong_value_is_truncated_where_that_is_safe(sandbox: Sandbox) -> None:
    update(payload={**KEY, "city": "x" * 30}, on_overlong="truncate")
    assert last_body(sandbox)["city"] == "x" * 20

    with pytest.raises(AirflowFailException, match="language"):
        update(payload={**KEY, "language": "french"}, on_overlong="truncate")
    assert len(sandbox.requests) == 1


def test_a_field_that_is_newer_than_the_provider_is_sent_as_text(sandbox: Sandbox) -> None:
    update(payload={**KEY, "nickname": 7}, extra_fields=["nickname"])

    assert last_body(sandbox) == {**KEY, "nickname": "7"}


def test_an_unknown_contact_fails_the_task(sandbox: Sandbox, check_message: Callable[[str, str], None]) -> None:
    with pytest.raises(AirflowFailException) as caught:
        update(payload=UNKNOWN)

    assert isinstance(caught.value.__context__, EnvokeNotFoundError)
    message = str(caught.value.__context__)
    assert "on_missing='skip'" in message
    assert "'create'" in message
    check_message("update: contact not found", message)
    assert len(sandbox.contacts) == len(CONTACTS)


@pytest.mark.usefixtures("airflow_db")
def test_an_unknown_contact_skips_the_task(sandbox: Sandbox) -> None:
    outcome = update_in_dag(payload=UNKNOWN, on_missing="skip")

    assert (outcome.run.state, outcome.states) == ("success", ["skipped"])
    assert outcome.result() == {"id": None, "action": "skipped", "fields": []}
    assert len(sandbox.contacts) == len(CONTACTS)


def test_a_skip_pushes_its_result_also_without_a_dag(
    sandbox: Sandbox, check_message: Callable[[str, str], None]
) -> None:
    run = context()

    with pytest.raises(AirflowSkipException) as caught:
        EnvokeUpdateContactOperator(task_id="update", payload=UNKNOWN, on_missing="skip").execute(run)

    check_message("update: skipped", str(caught.value))
    assert run["ti"].pushed == {"return_value": {"id": None, "action": "skipped", "fields": []}}


def test_an_unknown_email_creates_a_contact(sandbox: Sandbox) -> None:
    result = update(payload=UNKNOWN | {"interests": {"News": "Set"}}, on_missing="create")

    assert result == {"id": 4, "action": "created", "fields": ["city", "email", "interests.News"]}
    created = sandbox.contact(id=4)
    assert (created["email"], created["city"], created["interests"]) == ("eve@example.com", "Laval", ["News"])
    assert created["consent_status"] == "Not Provided", "nobody is subscribed by accident"
    assert requests(sandbox) == [("PATCH", "/v1/contacts", ""), ("POST", "/v1/contacts", "upsert=1")]


def test_an_unknown_remote_id_creates_a_contact(sandbox: Sandbox) -> None:
    payload = UNKNOWN | {"remote_id": "R-9", "id": 77}

    result = update(payload=payload, keyfield="remote_id", on_missing="create")

    assert result == {"id": 4, "action": "created", "fields": ["city", "email", "remote_id"]}
    assert sandbox.contact(remote_id="R-9")["email"] == "eve@example.com"
    assert requests(sandbox) == [("PATCH", "/v1/contacts", "keyfield=remote_id"), ("POST", "/v1/contacts", "")]
    assert "id" not in last_body(sandbox), "Envoke assigns the ids"


def test_an_unknown_remote_id_with_the_email_of_a_contact_creates_nothing(sandbox: Sandbox) -> None:
    payload = {"remote_id": "R-9", **KEY, "city": "x"}

    with pytest.raises(AirflowFailException) as caught:
        update(payload=payload, keyfield="remote_id", on_missing="create")

    assert isinstance(caught.value.__context__, EnvokeRejectedError)
    assert sandbox.contact(id=1)["remote_id"] == "R-1"
    assert len(sandbox.contacts) == len(CONTACTS)


def test_an_unknown_id_cannot_create_a_contact(
    sandbox: Sandbox, check_message: Callable[[str, str], None]
) -> None:
    with pytest.raises(AirflowFailException) as caught:
        update(payload={"email": "eve@example.com"}, contact_id=99, on_missing="create")

    assert isinstance(caught.value.__context__, EnvokeConfigError)
    check_message("update: create by id", str(caught.value.__context__))
    assert requests(sandbox) == [("PATCH", "/v1/contacts/99", "")]


@pytest.mark.parametrize("on_missing", ["skip", "create"])
def test_an_existing_contact_is_updated_whatever_on_missing_is(on_missing: Any, sandbox: Sandbox) -> None:
    assert update(payload={**KEY, "city": "x"}, on_missing=on_missing)["action"] == "updated"
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("on_missing", ["skip", "create"])
def test_another_rejection_does_not_count_as_an_unknown_contact(on_missing: Any, sandbox: Sandbox) -> None:
    with pytest.raises(AirflowFailException) as caught:
        update(payload={"id": 1, "email": "bo@example.com"}, on_missing=on_missing)

    assert isinstance(caught.value.__context__, EnvokeRejectedError)
    assert len(sandbox.requests) == 1


def test_the_response_of_the_service_is_returned_on_request(sandbox: Sandbox) -> None:
    result = update(payload={**KEY, "city": "Alma"}, return_contact=True)

    answered = result.pop("answer")
    assert result == {"id": 1, "action": "updated", "fields": ["city", "email"]}
    assert answered["result_text"] == "Updated"
    assert (answered["result_data"]["id"], answered["result_data"]["city"]) == ("1", "Alma")


@pytest.mark.parametrize("data", [{"id": "x"}, {}, [], None, {"id": None}], ids=repr)
def test_a_response_without_an_id_is_a_success_too(data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultyServer(answer({"success": True, "result_text": "Updated", "result_data": data})) as server:
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(server.connection))
        result = update(payload={**KEY, "city": "x"})

    assert result == {"id": None, "action": "updated", "fields": ["city", "email"]}
