"""One contact by its key: read and deleted by the hook, against the sandbox and against answers of any kind."""

from __future__ import annotations

import json
import logging
import random
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_envoke.exceptions import (
    EnvokeAuthError,
    EnvokeConfigError,
    EnvokeDataError,
    EnvokeError,
    EnvokeNotFoundError,
    EnvokeRejectedError,
    EnvokeTransientError,
)
from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support import faulty_server as faults
from tests.support.contacts import ANA, BO, CY, contacts
from tests.support.faulty_server import FaultyServer, answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.hooks.envoke import EnvokeHook

CONTACTS = [ANA, {**BO, "email": "Bo@Example.com"}, CY]
DELETED = {"success": True, "result_text": "Deleted", "result_data": {"id": "7"}}
NOT_FOUND = {"success": False, "result_text": "No", "result_data": {"errors": ["Item with id '7' not found"]}}
REFUSED = {"success": False, "result_text": "Not allowed"}


@pytest.fixture
def retrying(define: Callable[..., EnvokeHook], monkeypatch: pytest.MonkeyPatch) -> Callable[..., EnvokeHook]:
    """Return a hook on a faulty server that sends a request up to three times, without waiting."""
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)
    extra = json.dumps({"max_retries": 2, "timeout": 10})
    return lambda server: define(server.connection, extra=extra)


def queries(server: FaultyServer) -> list[dict[str, str]]:
    return [dict(parse_qsl(urlsplit(request.target).query)) for request in server.requests]


@pytest.mark.parametrize(
    ("key", "arguments", "found"),
    [
        pytest.param(1, {}, 1, id="id"),
        pytest.param("2", {}, 2, id="id as text, as a template renders it"),
        pytest.param(" 2 ", {"keyfield": "id"}, 2, id="id with space"),
        pytest.param("ana@example.com", {}, 1, id="email"),
        pytest.param("ANA@example.com", {"keyfield": "email"}, 1, id="email in another case"),
        pytest.param("bo@example.com", {}, 2, id="email that is stored in another case"),
        pytest.param("R-2", {"keyfield": "remote_id"}, 2, id="remote id"),
    ],
)
def test_a_contact_is_read_by_its_key(
    key: Any, arguments: dict[str, Any], found: int, hook: EnvokeHook, sandbox: Sandbox
) -> None:
    assert hook.get_contact(key, **arguments) == sandbox.contact(id=found)


@pytest.mark.parametrize("fields", [["city"], ["email"], ["id", "first_name"]])
def test_only_the_fields_that_were_asked_for_are_returned(
    fields: list[str], hook: EnvokeHook, sandbox: Sandbox
) -> None:
    contact = hook.get_contact("ana@example.com", fields=fields)

    assert contact == {name: sandbox.contact(id=1)[name] for name in fields}


def test_an_address_is_asked_for_in_both_spellings(define: Callable[..., EnvokeHook]) -> None:
    """The service may mind the case: then only the second spelling finds the contact."""
    with FaultyServer(answer([]), answer([{"id": "7", "email": "jon@example.com"}])) as server:
        contact = define(server.connection).get_contact("Jon@Example.com")

    assert contact["id"] == "7"
    assert [query["filter[email]"] for query in queries(server)] == ["Jon@Example.com", "jon@example.com"]


def test_a_contact_that_both_spellings_find_is_one_contact(define: Callable[..., EnvokeHook]) -> None:
    page = [{"id": 7, "email": "JON@example.com"}]
    with FaultyServer(answer(page)) as server:
        assert define(server.connection).get_contact("Jon@example.com")["id"] == 7


@pytest.mark.parametrize(
    ("key", "keyfield"),
    [(999, None), ("eve@example.com", None), ("R-9", "remote_id"), ("1", "remote_id"), ("r-1", "remote_id")],
)
@pytest.mark.parametrize("method", ["get_contact", "delete_contact"])
def test_a_key_that_no_contact_has_is_not_found(
    method: str, key: Any, keyfield: str | None, hook: EnvokeHook, sandbox: Sandbox
) -> None:
    with pytest.raises(EnvokeNotFoundError) as caught:
        getattr(hook, method)(key, keyfield=keyfield)

    assert "eve@" not in str(caught.value)
    assert "R-9" not in str(caught.value)
    assert len(sandbox.contacts) == 3


@pytest.mark.parametrize("method", ["get_contact", "delete_contact"])
def test_several_contacts_with_the_key_are_an_error(method: str, define: Callable[..., EnvokeHook]) -> None:
    with Sandbox([ANA, {**BO, "email": "Ana@example.com"}], duplicate_check=False) as sandbox:
        with define(sandbox.connection) as hook, pytest.raises(EnvokeDataError) as caught:
            getattr(hook, method)("ana@example.com")

        assert "2 contacts" in str(caught.value)
        assert len(sandbox.contacts) == 2


OTHERS = [{"id": number, "email": f"p{number}@example.com", "remote_id": f"P{number}"} for number in range(1, 101)]


@pytest.mark.parametrize("method", ["get_contact", "delete_contact"])
@pytest.mark.parametrize(
    ("page", "kind"),
    [
        pytest.param(OTHERS[:5], EnvokeNotFoundError, id="a small account"),
        pytest.param([{"id": 7}], EnvokeNotFoundError, id="no key in the answer"),
        pytest.param([{"id": 7, "email": ["jon@example.com"]}], EnvokeNotFoundError, id="a list for a key"),
        pytest.param(OTHERS, EnvokeDataError, id="a page of the account"),
        pytest.param(
            [*OTHERS[:99], {"id": 7, "email": "jon@example.com"}], EnvokeDataError, id="with the contact"
        ),
        pytest.param([{"email": "jon@example.com"}], EnvokeTransientError, id="no id"),
        pytest.param([{"id": "7/../8", "email": "jon@example.com"}], EnvokeTransientError, id="hostile id"),
    ],
)
def test_an_answer_that_ignores_the_filter_is_never_taken_for_the_contact(
    page: Any, kind: type[EnvokeError], method: str, define: Callable[..., EnvokeHook]
) -> None:
    with FaultyServer(answer(page)) as server, pytest.raises(kind) as caught:
        getattr(define(server.connection), method)("jon@example.com")

    assert {request.method for request in server.requests} == {"GET"}
    assert "jon@" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "keyfield", "kind", "named"),
    [
        (None, None, EnvokeDataError, "NoneType"), (True, None, EnvokeDataError, "bool"),
        (1.0, None, EnvokeDataError, "float"), ({"$ne": ""}, "email", EnvokeDataError, "dict"),
        (["a@b.c"], None, EnvokeDataError, "list"), ("", None, EnvokeDataError, "empty"),
        (" ", "remote_id", EnvokeDataError, "empty"), (0, None, EnvokeDataError, "4294967295"),
        ("4294967296", None, EnvokeDataError, "4294967295"), ("7/../8", "id", EnvokeDataError, "key"),
        ("R-1", None, EnvokeDataError, "remote_id"), ("None", None, EnvokeDataError, "remote_id"),
        ("R-1", "id", EnvokeDataError, "'id'"), ("ana", "email", EnvokeDataError, "email"),
        ("a@b.c", "phone", EnvokeConfigError, "keyfield"), ("a@b.c\0", None, EnvokeConfigError, "NUL"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["get_contact", "delete_contact"])
def test_an_invalid_key_is_refused_before_any_request(
    method: str,
    key: Any,
    keyfield: str | None,
    kind: type[EnvokeError],
    named: str,
    hook: EnvokeHook,
    sandbox: Sandbox,
) -> None:
    with pytest.raises(kind) as caught:
        getattr(hook, method)(key, keyfield=keyfield)

    assert named in str(caught.value)
    assert sandbox.requests == []


# delete_contact


@pytest.mark.parametrize(
    ("key", "keyfield", "methods"),
    [
        (1, None, ["DELETE"]), ("1", "id", ["DELETE"]), ("ana@example.com", None, ["GET", "DELETE"]),
        ("Ana@Example.com", "email", ["GET", "GET", "DELETE"]), ("R-1", "remote_id", ["GET", "DELETE"]),
    ],
)  # fmt: skip
def test_a_contact_is_deleted_by_its_id(
    key: Any,
    keyfield: str | None,
    methods: list[str],
    hook: EnvokeHook,
    sandbox: Sandbox,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO)
    hook.delete_contact(key, keyfield=keyfield)

    assert [contact["id"] for contact in sandbox.contacts] == [2, 3]
    assert [request["method"] for request in sandbox.requests] == methods
    last = sandbox.requests[-1]
    assert (last["path"], last["query"], last["body"]) == ("/v1/contacts/1", "", "")
    logged = capsys.readouterr().out + caplog.text  # Airflow 3 prints the log of a hook
    assert "Deleted the contact 1." in logged
    assert "ana@" not in logged.lower()


def test_a_contact_who_revoked_consent_is_not_deleted(hook: EnvokeHook, sandbox: Sandbox) -> None:
    with pytest.raises(EnvokeRejectedError) as caught:
        hook.delete_contact("cy@example.com")

    assert (caught.value.status, caught.value.path) == (400, "/v1/contacts/{id}")
    assert len(sandbox.contacts) == 3


@pytest.mark.parametrize(
    "step",
    [
        answer(DELETED), answer(b""), answer(b"", 204), answer({}), answer([]), answer(b"true"), answer(b"null"),
        answer({"id": 7}), answer(b'"Deleted"'), answer(b"<b>Warning</b>\n" + json.dumps(DELETED).encode()),
    ],
)  # fmt: skip
def test_any_shape_of_a_success_is_accepted(step: faults.Step, define: Callable[..., EnvokeHook]) -> None:
    with FaultyServer(step) as server:
        define(server.connection).delete_contact(7)

    ((method, target),) = [(request.method, request.target) for request in server.requests]
    assert (method, target) == ("DELETE", "/v1/contacts/7")


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (answer(REFUSED), EnvokeRejectedError), (answer(REFUSED, 400), EnvokeRejectedError),
        (answer(b"", 405), EnvokeRejectedError), (answer(b"<html>No</html>", 404), EnvokeRejectedError),
        (answer(NOT_FOUND, 400), EnvokeNotFoundError), (answer(NOT_FOUND), EnvokeNotFoundError),
        (answer(REFUSED, 401), EnvokeAuthError), (answer(REFUSED, 403), EnvokeAuthError),
        (answer(b"", 302, location="/"), EnvokeRejectedError), (answer(b"<html>ok</html>"), EnvokeTransientError),
        (answer({"success": "no"}), EnvokeTransientError), (answer(b'{"succ'), EnvokeTransientError),
        (answer(b"", 503), EnvokeTransientError), (faults.close_after_reading, EnvokeTransientError),
    ],
)  # fmt: skip
def test_a_refused_deletion_says_so(
    step: faults.Step, kind: type[EnvokeError], define: Callable[..., EnvokeHook]
) -> None:
    with FaultyServer(step) as server, pytest.raises(EnvokeError) as caught:
        define(server.connection).delete_contact(7)

    assert type(caught.value) is kind
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        # The first attempt may have deleted the contact, so "not found" means that it is gone.
        ([faults.close_after_reading, answer(NOT_FOUND, 400)], None),
        ([answer(b"", 502), answer(NOT_FOUND, 400)], None),
        ([answer(b'{"succ'), answer(b"", 429), answer(NOT_FOUND, 400)], None),
        ([faults.close_after_reading, answer(DELETED)], None),
        # These attempts have deleted nothing.
        ([answer(b"", 429), answer(NOT_FOUND, 400)], EnvokeNotFoundError),
        ([answer(b"", 401), answer(NOT_FOUND, 400)], EnvokeNotFoundError),
        ([faults.close_after_reading, answer(REFUSED, 400)], EnvokeRejectedError),
    ],
)  # fmt: skip
def test_a_contact_that_is_gone_after_a_lost_answer_counts_as_deleted(
    script: list[faults.Step], kind: type[EnvokeError] | None, retrying: Callable[..., EnvokeHook]
) -> None:
    with FaultyServer(*script) as server:
        hook = retrying(server)
        if kind is None:
            hook.delete_contact(7)
        else:
            with pytest.raises(kind):
                hook.delete_contact(7)

    assert [request.method for request in server.requests] == ["DELETE"] * len(script)


def test_an_update_that_is_sent_again_and_finds_nothing_is_still_not_found(
    retrying: Callable[..., EnvokeHook],
) -> None:
    with (
        FaultyServer(faults.close_after_reading, answer(NOT_FOUND, 400)) as server,
        pytest.raises(EnvokeNotFoundError),
    ):
        retrying(server).update_contact({"city": "Laval"}, contact_id=7)


# The names of filters


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"filters": {"ville": "x"}}, "ville"), ({"filters": {"citty": "x"}}, "Did you mean city"),
        ({"filters": {"Email": "x"}}, "Did you mean email"), ({"filters": {"interests.News": "Set"}}, "interests"),
        ({"filters": {"custom_fields": "x"}}, "custom_fields.NAME"),
        ({"filters": {"custom_fields.": "x"}}, "custom_fields.NAME"),
        ({"filters": {"$or": [{"city": "x"}, {"citty": "y"}]}}, "city"),
        ({"filters": {"$and": [{"$or": [{"frist_name": "y"}]}]}}, "first_name"),
        ({"filters": {"$or": {"0": {"citty": "y"}}}}, "city"), ({"filters": {"0": "y"}}, "'0'"),
        ({"filters": {}, "fields": ["id", "custom_fields.plan"]}, "Use custom_fields"),
        ({"filters": {}, "fields": ["emial"]}, "email"), ({"filters": {}, "sort": {"nmae": "ASC"}}, "sort"),
    ],
)  # fmt: skip
def test_a_name_that_envoke_does_not_document_is_refused_with_the_nearest(
    arguments: dict[str, Any], named: str, hook: EnvokeHook, sandbox: Sandbox
) -> None:
    with pytest.raises(EnvokeConfigError) as caught:
        hook.find_contacts(**arguments)  # before the first contact is asked for

    assert named in str(caught.value)
    assert sandbox.requests == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"filters": {"date_created": {"$gt": "2026"}}}, {"filters": {"consent_expiry": ""}},
        {"filters": {"custom_fields.plan": "gold"}}, {"filters": {"interests": "News"}},
        {"filters": {"mobile": "1"}, "extra_fields": ["mobile"]}, {"filters": {"$or": [{"id": 1}, {"city": "x"}]}},
        {"filters": {}, "fields": ["custom_fields", "interests", "external_id"], "sort": {"external_id": "DESC"}},
        {"filters": {}, "fields": ["mobile"], "sort": {"mobile": "ASC"}, "extra_fields": ["mobile"]},
    ],
)  # fmt: skip
def test_a_documented_name_or_an_extra_one_is_asked_for(
    arguments: dict[str, Any], hook: EnvokeHook, sandbox: Sandbox
) -> None:
    list(hook.find_contacts(**arguments))

    assert [request["status"] for request in sandbox.requests] == [200]


def test_contacts_are_found_by_tag_and_by_custom_field(hook: EnvokeHook, sandbox: Sandbox) -> None:
    tagged = {"interests": {"News": "Set", "VIP": "Set"}}
    gold = {"custom_fields": {"plan": "gold"}}
    sandbox.reset([{**ANA, **tagged}, {**BO, "interests": {"News": "Set"}, **gold}, CY])

    def ids(filters: dict[str, Any]) -> list[int]:
        return [contact["id"] for contact in hook.find_contacts(filters)]

    assert ids({"interests": "News"}) == [1, 2]
    assert ids({"interests": "VIP"}) == [1]
    assert ids({"interests": {"$ne": "News"}}) == [3]
    assert ids({"custom_fields.plan": "gold"}) == [2]


def test_a_lookup_reads_one_page_at_most(hook: EnvokeHook, sandbox: Sandbox) -> None:
    sandbox.reset(contacts(305))

    assert hook.get_contact("p304@example.com")["id"] == 305
    assert len(sandbox.requests) == 1


def test_a_text_of_digits_is_deleted_only_if_it_is_called_an_id(hook: EnvokeHook, sandbox: Sandbox) -> None:
    with pytest.raises(EnvokeConfigError, match="remote_id"):
        hook.delete_contact("4711")

    assert sandbox.requests == []
