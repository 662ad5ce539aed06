"""Answers of the service: the data that they hold, or the exception that they mean."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from airflow_provider_envoke.exceptions import (
    EnvokeAPIError,
    EnvokeAuthError,
    EnvokeNotFoundError,
    EnvokeRejectedError,
    EnvokeTransientError,
)
from tests.support.answers import (
    ACCOUNT,
    CONTACTS,
    FIND,
    UPDATE,
    UPDATED,
    VALIDATION_FAILED,
    failure,
    read,
    refused,
)

if TYPE_CHECKING:
    from airflow_provider_envoke.envoke.requests import Request

MANY = [f"e{number}" for number in range(10_000)]
NOT_FOUND = "Item with id '9' not found"


@pytest.mark.parametrize("status", [200, 201, 204, 299])
@pytest.mark.parametrize(
    ("request_", "body"),
    [(UPDATE, UPDATED), (FIND, CONTACTS), (FIND, []), (ACCOUNT, {"id": 1, "name": "Acme"})],
    ids=["envelope", "list", "empty list", "object"],
)
def test_a_success_is_returned(request_: Request, body: object, status: int) -> None:
    assert read(request_, status, body) == body


@pytest.mark.parametrize(
    "around",
    [
        b"\xef\xbb\xbf%s",
        b"\xef\xbb\xbf \r\n%s\n\n",
        b"\nWarning: Undefined index in /srv/x.php on line 3\n%s",
        b"\nWarning: Undefined array key [0] in {main}\n  %s\n",
        b"Notice: trace:\n[0] => {closure}\n{main}\n%s",
        b"<br />\n<b>Warning</b>: [0] { in <b>/x.php</b> on line <b>3</b><br />%s",
        b"Warning: caf\xe9\n%s",
    ],
)
@pytest.mark.parametrize(("request_", "body"), [(UPDATE, UPDATED), (FIND, CONTACTS)], ids=["envelope", "list"])
def test_json_is_found_after_printed_warnings(request_: Request, body: object, around: bytes) -> None:
    assert read(request_, 200, around % json.dumps(body).encode()) == body


def test_a_refusal_after_a_warning_is_a_refusal() -> None:
    error = failure(UPDATE, 200, b"Warning: x\n" + json.dumps(refused(["too long"])).encode())

    assert (type(error), error.messages) == (EnvokeRejectedError, ("too long",))


CLASS_OF_STATUS = {
    **dict.fromkeys([401, 403], EnvokeAuthError),
    **dict.fromkeys([400, 404, 422], EnvokeRejectedError),
    **dict.fromkeys([408, 425, 429, 500, 502, 503, 599], EnvokeTransientError),
}


@pytest.mark.parametrize(("status", "expected"), CLASS_OF_STATUS.items())
@pytest.mark.parametrize(
    ("body", "fragment"),
    [
        (refused(["e1", "e2"]), "e1; e2"), (b"", "empty"), (b" \n", "empty"),
        (b"<!DOCTYPE html><p>marker", "HTML"), (b"\n <HTML>marker", "HTML"), (b"marker", "not JSON, 6 bytes"),
        ({"error": "marker"}, "without a message"), (UPDATED | {"result_text": ""}, "without a message"),
    ],
    ids=ascii,
)  # fmt: skip
def test_the_status_decides_the_class_whatever_the_body(
    status: int, expected: type[EnvokeAPIError], body: object, fragment: str
) -> None:
    error = failure(UPDATE, status, body)

    assert type(error) is expected
    assert fragment in str(error)


def test_rejected_credentials_name_the_parts_of_the_connection() -> None:
    assert {"login", "password"} <= set(re.findall(r"\w+", str(failure(UPDATE, 401, b""))))


@pytest.mark.parametrize("body", [b'{"success": false, "marker', b' [{"success": false, "mark'])
@pytest.mark.parametrize("status", CLASS_OF_STATUS)
def test_an_incomplete_refusal_may_be_retried_because_it_may_have_said_anything(status: int, body: bytes) -> None:
    error = failure(UPDATE, status, body)

    assert type(error) is (EnvokeAuthError if status in (401, 403) else EnvokeTransientError)
    assert "incomplete" in str(error)
    assert "26 bytes" in str(error)


UNTRUSTED_UPDATES: list[object] = [
    *({**UPDATED, "success": success} for success in ("true", 1, None)),
    {"result_text": "Updated"},
    {**refused(["e1"]), "success": "false"},
    *({}, [], None, b"<html>marker", b"", b"[" * 100_000, b"\n[" * 100_000),
]


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        *((UPDATE, body) for body in UNTRUSTED_UPDATES),
        *((FIND, body) for body in ({"id": 7}, [{"id": 7}, None], b'[{"id": 7}, {"id"')),
        *((ACCOUNT, body) for body in ([], {})),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_http_200_alone_is_not_a_success(request_: Request, body: object) -> None:
    assert type(failure(request_, 200, body)) is EnvokeTransientError
    assert type(failure(request_, 200, refused(["e1"]))) is EnvokeRejectedError


@pytest.mark.timeout(20)
def test_a_million_brackets_are_read_quickly() -> None:
    assert type(failure(UPDATE, 200, b"x\n{" * 1_000_000)) is EnvokeTransientError


@pytest.mark.parametrize(
    ("status", "arrived"), [(408, False), (425, False), (429, False), (500, True), (503, True), (200, True)]
)
def test_the_error_tells_whether_the_request_may_have_been_carried_out(status: int, arrived: bool) -> None:
    error = failure(UPDATE, status, b"")

    assert isinstance(error, EnvokeTransientError)
    assert error.may_have_arrived is arrived


@pytest.mark.parametrize(
    ("errors", "messages"),
    [
        (["a", "b"], ("a", "b")), ({"city": "a", "x": "b"}, ("a", "b")), ("a", ("a",)),
        *((empty, (VALIDATION_FAILED,)) for empty in ([], None, 5)),
        pytest.param(["a", "", None, []], ("a",), id="blank ones are left out"),
        pytest.param([{"f": ["a"]}, 7], ('{"f": ["a"]}', "7"), id="not text"),
        pytest.param(["a\r\nERROR b\x1b[31m\u202e"], ("a  ERROR b [31m ",), id="one line, no controls"),
        pytest.param(["x" * 500, "x" * 501], ("x" * 500, "x" * 500 + "…"), id="a long one is cut"),
        pytest.param(["jon@doe.com is taken"], ("j***@doe.com is taken",), id="masked"),
        pytest.param([{"email": "jon@doe.com"}], ('{"email": "j***@doe.com"}',), id="masked in JSON"),
        pytest.param({"marker@x.ca": "a"}, ("a",), id="keys are not shown"),
        pytest.param(MANY[:50], tuple(MANY[:50]), id="50"),
        pytest.param(MANY, (*MANY[:50], "and 9950 more"), id="10,000"),
    ],
)  # fmt: skip
def test_all_messages_reach_the_user(errors: object, messages: tuple[str, ...]) -> None:
    error = failure(UPDATE, 400, refused(errors))

    assert error.messages == messages
    assert "; ".join(messages) in str(error)


@pytest.mark.parametrize("data", [{}, {"result_data": [1]}, {"result_data": None}], ids=str)
def test_a_refusal_without_errors_is_told_by_its_text(data: dict[str, object]) -> None:
    assert failure(UPDATE, 400, {"success": False, "result_text": "a", **data}).messages == ("a",)


def test_no_local_part_is_left_where_a_long_message_is_cut() -> None:
    addresses = ",".join(f"{'nmarker' * 20}{number}@x.ca" for number in range(200))

    assert "marker" not in failure(UPDATE, 400, refused([addresses])).messages[0]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        *((f"Item with {key} not found", EnvokeNotFoundError) for key in ("id '9'", "remote_id 'it's \\n'")),
        ("item with email 'jon@doe.com' not found.", EnvokeNotFoundError),
        ("Item with tag 'x' not found", EnvokeRejectedError),
        *((message, EnvokeRejectedError) for message in (f"Oh: {NOT_FOUND}", f"{NOT_FOUND}, and more")),
    ],
)
def test_only_the_message_tells_that_a_contact_does_not_exist(
    message: str, expected: type[EnvokeAPIError]
) -> None:
    assert type(failure(UPDATE, 400, refused([message]))) is expected
    assert type(failure(UPDATE, 400, {"success": False, "result_text": message})) is expected
    assert type(failure(UPDATE, 500, refused([message]))) is EnvokeTransientError


def test_a_missing_contact_among_other_errors_is_a_refusal() -> None:
    assert type(failure(UPDATE, 400, refused([NOT_FOUND, "b"]))) is EnvokeRejectedError
