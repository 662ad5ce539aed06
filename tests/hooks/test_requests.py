"""The methods of the hook, against the sandbox."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.exceptions import (
    EnvokeAuthError,
    EnvokeNotFoundError,
    EnvokeRejectedError,
)
from tests.support.contacts import ANA, BO, contacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.hooks.envoke import EnvokeHook
    from airflow_provider_envoke.sandbox.thread import Sandbox

CONTACTS = [ANA, {"id": 2, "email": "bo@example.com", "first_name": "Bo", "interests": {"News": "Set"}}]


EMAIL_OF_ANA, NEW_EMAIL = {"email": "ana@example.com"}, {"email": "new@example.com"}
BY_REMOTE_ID = {"keyfield": "remote_id"}


@pytest.mark.parametrize(
    ("payload", "arguments", "target", "body"),
    [
        pytest.param({"city": "x"}, {"contact_id": 1}, "/1 ", {"city": "x"}, id="id"),
        pytest.param({"city": "x"}, {"contact_id": "1"}, "/1 ", {"city": "x"}, id="id as text"),
        pytest.param({"id": 1, **NEW_EMAIL}, {}, "/1 ", NEW_EMAIL, id="id of the payload"),
        pytest.param({**EMAIL_OF_ANA, "city": "x"}, {}, " ", {**EMAIL_OF_ANA, "city": "x"}, id="email"),
        pytest.param(
            {"id": 2, "remote_id": "R-1", **NEW_EMAIL}, BY_REMOTE_ID, " keyfield=remote_id",
            {"remote_id": "R-1", **NEW_EMAIL}, id="a keyfield before the id of the payload",
        ),
    ],
)  # fmt: skip
def test_a_contact_is_updated_by_its_key(
    payload: Any, arguments: Any, target: str, body: Any, hook: EnvokeHook, sandbox: Sandbox
) -> None:
    response = hook.update_contact(payload, **arguments)

    (request,) = sandbox.requests
    assert f"{request['method']} {request['path']} {request['query']}" == f"PATCH /v1/contacts{target}"
    assert json.loads(request["body"]) == body
    assert (response["success"], response["result_text"], response["result_data"]["id"]) == (True, "Updated", "1")
    names = ("first_name", "email", "city")
    assert [sandbox.contact(id=1)[name] for name in names] == [{**ANA, **body}[name] for name in names]
    assert sandbox.contact(id=2)["email"] == "bo@example.com"


@pytest.mark.parametrize(
    ("payload", "arguments", "shown"),
    [
        pytest.param({"city": "x"}, {"contact_id": 999}, "'999'", id="id"),
        pytest.param({"email": "eve@example.com", "city": "x"}, {}, "'e***@example.com'", id="email"),
        pytest.param({"remote_id": "R-9", "city": "x"}, {"keyfield": "remote_id"}, "'R-9'", id="remote_id"),
    ],
)
def test_a_contact_that_does_not_exist_raises_its_own_exception(
    payload: dict[str, Any], arguments: dict[str, Any], shown: str, hook: EnvokeHook
) -> None:
    with pytest.raises(EnvokeNotFoundError) as caught:
        hook.update_contact(payload, **arguments)

    assert caught.value.status == 400
    assert shown in str(caught.value)


def test_a_rejected_update_has_all_messages_of_the_service(hook: EnvokeHook, sandbox: Sandbox) -> None:
    payload = {"email": "ana@example.com", "consent_status": "Express", "interests": {"News": "Perhaps"}}

    with pytest.raises(EnvokeRejectedError) as caught:
        hook.update_contact(payload)

    assert len(caught.value.messages) == 2
    assert all(message.rstrip(".") in str(caught.value) for message in caught.value.messages)
    assert sandbox.contact(id=1)["consent_status"] == "Not Provided"


def test_a_contact_is_created(hook: EnvokeHook, sandbox: Sandbox) -> None:
    response = hook.create_contact({"email": "cy@example.com", "first_name": "Cy"})

    assert (response["result_text"], response["result_data"]["id"]) == ("Created", "3")
    assert sandbox.contact(id=3)["first_name"] == "Cy"


def test_an_existing_contact_is_not_created_again(hook: EnvokeHook, sandbox: Sandbox) -> None:
    with pytest.raises(EnvokeRejectedError):
        hook.create_contact({"email": "ana@example.com", "first_name": "Other"})

    assert [contact["first_name"] for contact in sandbox.contacts] == ["Ana", "Bo"]


def test_an_upsert_updates_or_creates(hook: EnvokeHook, sandbox: Sandbox) -> None:
    updated = hook.create_contact({"email": BO["email"], "interests": {"Shop": "Set"}}, upsert=True)
    created = hook.create_contact({"email": "dee@example.com"}, upsert=True)

    assert [response["result_text"] for response in (updated, created)] == ["Updated", "Created"]
    assert sandbox.contact(id=2)["interests"] == ["News", "Shop"]
    assert [request["query"] for request in sandbox.requests] == ["upsert=1"] * 2


def test_contacts_are_found_on_many_pages_each_once(hook: EnvokeHook, sandbox: Sandbox) -> None:
    sandbox.reset(contacts(305))

    found = list(hook.find_contacts({"city": "Laval"}, fields=["id", "email"]))

    assert [contact["id"] for contact in found] == list(range(1, 306))
    assert found[-1] == {"id": 305, "email": "p304@example.com"}
    skips = [request["query"].partition("skip=")[2].partition("&")[0] for request in sandbox.requests]
    assert skips == ["", "100", "200", "300"]


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        pytest.param({}, [1, 2], id="all"),
        pytest.param({"email": "ANA@example.com"}, [1], id="equal"),
        pytest.param({"email": {"$in": ["bo@example.com", "ana@example.com", "no@x.com"]}}, [1, 2], id="$in"),
        pytest.param({"id": {"$gt": 1}}, [2], id="$gt"),
        pytest.param({"id": 1, "city": "Laval"}, [1], id="two filters"),
        pytest.param({"id": 2, "city": "Laval"}, [], id="two filters without a match"),
        pytest.param({"$or": [{"id": 2}, {"remote_id": "R-1"}]}, [1, 2], id="$or"),
        pytest.param({"first_name": {"$regex": "^a"}}, [1], id="$regex"),
    ],
)
def test_contacts_are_found_by_filters(filters: dict[str, Any], ids: list[int], hook: EnvokeHook) -> None:
    assert [contact["id"] for contact in hook.find_contacts(filters)] == ids


def test_contacts_are_sorted_as_asked(hook: EnvokeHook) -> None:
    assert [contact["id"] for contact in hook.find_contacts({}, sort={"first_name": "DESC"})] == [2, 1]


def test_an_operator_that_the_service_does_not_support_is_rejected(hook: EnvokeHook) -> None:
    with pytest.raises(EnvokeRejectedError, match=r"\$near"):
        list(hook.find_contacts({"city": {"$near": "Laval"}}))


def test_wrong_credentials_are_rejected(define: Callable[..., EnvokeHook], sandbox: Sandbox) -> None:
    extra = json.dumps({"max_retries": 0})
    with (
        define(sandbox.connection, password="another-key", extra=extra) as hook,
        pytest.raises(EnvokeAuthError),
    ):
        hook.update_contact({"email": "ana@example.com", "city": "x"})

    assert len(sandbox.requests) == 1
    assert sandbox.contact(id=1)["city"] == "Laval"
