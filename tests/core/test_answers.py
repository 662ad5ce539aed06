"""What an answer of the service means: a value, or which error, in which words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from airflow_provider_envoke.exceptions import (
    EnvokeAPIError,
    EnvokeAuthError,
    EnvokeNotFoundError,
    EnvokeRejectedError,
    EnvokeTransientError,
)
from tests.core.answering import ACCOUNT, CONTACTS, FIND, REFUSAL, UPDATE, UPDATED, failure, read, refused

if TYPE_CHECKING:
    from airflow_provider_envoke.core.protocol import Request


@pytest.mark.parametrize("status", [200, 201, 204, 299])
@pytest.mark.parametrize(
    ("request_", "body"),
    [
        pytest.param(UPDATE, UPDATED, id="envelope"),
        pytest.param(FIND, CONTACTS, id="list"),
        pytest.param(FIND, [], id="empty list"),
        pytest.param(ACCOUNT, {"id": 1, "name": "Acme"}, id="object"),
    ],
)
def test_a_success_is_returned(request_: Request, body: object, status: int) -> None:
    assert read(request_, status, body) == body


@pytest.mark.parametrize(
    "around",
    [
        pytest.param(b"%s", id="nothing"),
        pytest.param(b"\xef\xbb\xbf%s", id="BOM"),
        pytest.param(b"\xef\xbb\xbf \r\n%s\n\n", id="BOM and space"),
        pytest.param(b"\nWarning: Undefined index in /srv/x.php on line 3\n%s", id="warning"),
        pytest.param(b"\nWarning: Undefined array key [0] in {main}\n  %s\n", id="brackets within a line"),
        pytest.param(b"Notice: trace:\n[0] => {closure}\n{main}\n%s", id="brackets that begin a line"),
        pytest.param(
            b"<br />\n<b>Warning</b>: [0] { in <b>/x.php</b> on line <b>3</b><br />%s", id="HTML warning"
        ),
        pytest.param(b"Warning: caf\xe9\n%s", id="Latin-1 in the warning"),
    ],
)
@pytest.mark.parametrize(
    ("request_", "body"), [pytest.param(UPDATE, UPDATED, id="envelope"), pytest.param(FIND, CONTACTS, id="list")]
)
def test_json_is_found_behind_what_php_prints(request_: Request, body: object, around: bytes) -> None:
    assert read(request_, 200, around % json.dumps(body).encode()) == body


def test_a_refusal_behind_a_warning_is_a_refusal() -> None:
    error = failure(UPDATE, 200, b"Warning: x\n" + json.dumps(refused(["too long"])).encode())

    assert type(error) is EnvokeRejectedError
    assert error.messages == ("too long",)


@pytest.mark.parametrize(
    ("status", "expected", "words"),
    [
        (401, EnvokeAuthError, "Check the connection's login (API ID) and password (API key)"),
        (403, EnvokeAuthError, "Check the connection's login"),
        (400, EnvokeRejectedError, "Envoke refused PATCH /v1/contacts/{id} with HTTP 400"),
        (404, EnvokeRejectedError, "Envoke refused"),
        (422, EnvokeRejectedError, "Envoke refused"),
        (408, EnvokeTransientError, "run the task again"),
        (425, EnvokeTransientError, "run the task again"),
        (429, EnvokeTransientError, "run the task again"),
        (500, EnvokeTransientError, "run the task again"),
        (502, EnvokeTransientError, "run the task again"),
        (503, EnvokeTransientError, "run the task again"),
        (599, EnvokeTransientError, "run the task again"),
    ],
)
@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(refused(["e1", "e2"]), ": e1; e2.", id="errors"),
        pytest.param(b"", "(an empty answer)", id="empty"),
        pytest.param(b" \n", "(an empty answer)", id="blank"),
        pytest.param(b"<!DOCTYPE html><p>marker", "an HTML page: a proxy or another server answered", id="HTML"),
        pytest.param(b"\n <HTML>marker", "an HTML page", id="HTML upper case"),
        pytest.param(b"marker", "(not JSON, 6 bytes)", id="text"),
        pytest.param({"error": "marker"}, "(JSON without a message)", id="another JSON"),
        pytest.param(UPDATED | {"result_text": ""}, "(JSON without a message)", id="success in the body"),
    ],
)
def test_the_status_decides_the_class_whatever_the_body(
    status: int, expected: type[EnvokeAPIError], words: str, body: object, said: str
) -> None:
    error = failure(UPDATE, status, body)

    assert type(error) is expected
    assert words in str(error)
    assert said in str(error)
    assert (error.method, error.path) == ("PATCH", "/v1/contacts/{id}")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, EnvokeTransientError),  # it may have said "not found", or anything
        (404, EnvokeTransientError),
        (422, EnvokeTransientError),
        (401, EnvokeAuthError),
        (403, EnvokeAuthError),
        (429, EnvokeTransientError),
        (500, EnvokeTransientError),
    ],
)
@pytest.mark.parametrize("body", [b'{"success": false, "marker', b' [{"success": false, "mark'])
def test_a_refusal_that_was_cut_off_may_be_asked_for_again(
    status: int, expected: type[EnvokeAPIError], body: bytes
) -> None:
    error = failure(UPDATE, status, body)

    assert type(error) is expected
    assert f"HTTP {status} (JSON that is cut off or broken, 26 bytes)" in str(error)


@pytest.mark.parametrize(
    ("request_", "body", "expected", "said"),
    [
        pytest.param(UPDATE, {**UPDATED, "success": "true"}, EnvokeTransientError, "Updated", id='success "true"'),
        pytest.param(UPDATE, {**UPDATED, "success": 1}, EnvokeTransientError, "Updated", id="success 1"),
        pytest.param(UPDATE, {"result_text": "Updated"}, EnvokeTransientError, "Updated", id="success missing"),
        pytest.param(
            UPDATE,
            {**refused(["e1"]), "success": "false"},
            EnvokeTransientError,
            ": e1",
            id="text",
        ),
        pytest.param(UPDATE, refused(["e1"]), EnvokeRejectedError, ": e1", id="success false"),
        pytest.param(UPDATE, {}, EnvokeTransientError, "JSON without a message", id="empty object"),
        pytest.param(UPDATE, [], EnvokeTransientError, "JSON without a message", id="a list for an envelope"),
        pytest.param(UPDATE, None, EnvokeTransientError, "not JSON", id="null"),
        pytest.param(UPDATE, b"<html>marker", EnvokeTransientError, "HTML page", id="HTML"),
        pytest.param(UPDATE, b"", EnvokeTransientError, "an empty answer", id="empty"),
        pytest.param(UPDATE, b"[" * 100_000, EnvokeTransientError, "cut off or broken", id="100,000 brackets"),
        pytest.param(UPDATE, b"\n[" * 100_000, EnvokeTransientError, "cut off or broken", id="100,000 lines"),
        pytest.param(UPDATE, b"x\n{" * 100_000, EnvokeTransientError, "not JSON", id="100,000 starts"),
        pytest.param(FIND, {"id": 7}, EnvokeTransientError, "JSON without a message", id="an object for a list"),
        pytest.param(FIND, [{"id": 7}, None], EnvokeTransientError, "JSON without", id="a null in a list"),
        pytest.param(FIND, refused(["e1"]), EnvokeRejectedError, ": e1", id="a refusal for a list"),
        pytest.param(FIND, b'[{"id": 7}, {"id"', EnvokeTransientError, "cut off", id="a list cut off"),
        pytest.param(ACCOUNT, [], EnvokeTransientError, "JSON without a message", id="a list for an object"),
        pytest.param(ACCOUNT, {}, EnvokeTransientError, "JSON without a message", id="nothing for an object"),
        pytest.param(ACCOUNT, refused(["e1"]), EnvokeRejectedError, ": e1", id="a refusal for an object"),
    ],
)
def test_200_alone_is_not_trusted(
    request_: Request, body: object, expected: type[EnvokeAPIError], said: str
) -> None:
    error = failure(request_, 200, body)

    assert type(error) is expected
    assert said in str(error)


@pytest.mark.parametrize(
    ("status", "arrived"), [(408, False), (425, False), (429, False), (500, True), (503, True), (200, True)]
)
def test_it_is_told_whether_the_request_may_have_been_carried_out(status: int, arrived: bool) -> None:
    error = failure(UPDATE, status, b"")

    assert isinstance(error, EnvokeTransientError)
    assert error.may_have_arrived is arrived


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        pytest.param(refused(["a", "b"]), ("a", "b"), id="list"),
        pytest.param(refused({"city": "a", "x": "b"}), ("a", "b"), id="object"),
        pytest.param(refused("a"), ("a",), id="text"),
        pytest.param(refused([]), (REFUSAL,), id="empty list"),
        pytest.param(refused(None), (REFUSAL,), id="null"),
        pytest.param(refused(["a", "", None, []]), ("a",), id="blank ones are left out"),
        pytest.param(refused([{"f": ["a"]}, 7]), ('{"f": ["a"]}', "7"), id="not text"),
        pytest.param({"success": False, "result_text": "a"}, ("a",), id="no result_data"),
        pytest.param({"success": False, "result_text": "a", "result_data": [1]}, ("a",), id="a list for data"),
        pytest.param(refused(["a\r\nERROR b\x1b[31m\u202e"]), ("a  ERROR b [31m ",), id="one line, no controls"),
        pytest.param(refused(["x" * 501]), ("x" * 500 + "…",), id="a long one is cut"),
        pytest.param(refused(["jon@doe.com is taken"]), ("j***@doe.com is taken",), id="masked"),
        pytest.param(refused([{"email": "jon@doe.com"}]), ('{"email": "j***@doe.com"}',), id="masked in JSON"),
        pytest.param(refused({"marker@x.ca": "a"}), ("a",), id="keys are not shown"),
    ],
)
def test_all_messages_reach_the_user(body: object, messages: tuple[str, ...]) -> None:
    error = failure(UPDATE, 400, body)

    assert error.messages == messages
    assert "; ".join(messages) in str(error)


def test_of_10_000_messages_the_first_are_shown_and_the_rest_counted() -> None:
    error = failure(UPDATE, 400, refused([f"e{number}" for number in range(10_000)]))

    assert error.messages[:50] == tuple(f"e{number}" for number in range(50))
    assert error.messages[50:] == ("and 9950 more",)


def test_no_local_part_is_left_where_a_long_message_was_cut() -> None:
    addresses = ",".join(f"{'marker' * 20}{number}@x.ca" for number in range(200))

    assert "marker" not in failure(UPDATE, 400, refused([addresses.replace("marker", "n" + "marker")])).messages[0]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Item with id '999999' not found", EnvokeNotFoundError),
        ("item with email 'jon@doe.com' not found.", EnvokeNotFoundError),
        ("Item with remote_id 'it's \\n' not found", EnvokeNotFoundError),
        ("Item with tag 'x' not found", EnvokeRejectedError),
        ("Oh: Item with id '9' not found", EnvokeRejectedError),
        ("Item with id '9' not found, and more", EnvokeRejectedError),
    ],
)
def test_only_its_words_tell_that_a_contact_does_not_exist(message: str, expected: type[EnvokeAPIError]) -> None:
    assert type(failure(UPDATE, 400, refused([message]))) is expected
    assert type(failure(UPDATE, 400, {"success": False, "result_text": message})) is expected
    assert type(failure(UPDATE, 500, refused([message]))) is EnvokeTransientError


def test_a_missing_contact_among_other_errors_is_a_refusal() -> None:
    assert type(failure(UPDATE, 400, refused(["Item with id '9' not found", "b"]))) is EnvokeRejectedError


@pytest.mark.timeout(20)
def test_an_answer_of_a_million_brackets_takes_no_time() -> None:
    assert "not JSON" in str(failure(UPDATE, 200, b"x\n{" * 1_000_000))
