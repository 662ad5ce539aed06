"""Requests that the hook has no method for: what may be sent, what was sent, and what comes back."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.envoke.custom import custom_request
from airflow_provider_envoke.exceptions import (
    EnvokeAuthError,
    EnvokeConfigError,
    EnvokeDataError,
    EnvokeError,
    EnvokeNotFoundError,
    EnvokeRejectedError,
    EnvokeTransientError,
)
from tests.support import faulty_server as faults
from tests.support.faulty_server import FaultyServer, answer
from tests.support.leak_markers import EMAIL, leaks

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.hooks.envoke import EnvokeHook
    from airflow_provider_envoke.sandbox.thread import Sandbox

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
NOT_FOUND = {"success": False, "result_text": "Item with id '7' not found"}

# Every way that is known to leave the path, the host or the line of a request.
HOSTILE_PATHS = [
    "", "/", "v2/tags", "/v2", "/v2/", "/v2/tags/", "/v/tags", "/vx/tags", "/v2x/tags", "/V2/tags",
    "/__sandbox__/stats",
    "//evil.example.com/v2/tags", "https://evil.example.com/v2/tags", "/v2//tags", "/v2/tags//7", "///v2/tags",
    "/v2/../v1/contacts", "/v2/tags/..", "/v2/tags/../../x", "/v2/./tags", "/v2/tags/.", "/v2/.env", "/v2/...",
    "/v2/tags?limit=1", "/v2/tags#x", "/v2/tags;x=1", "/v2/tags%2e%2e", "/v2/%2e%2e/x", "/v2/tags%00",
    "/v2/tags%0d%0a",
    "/v2/tags\r\nHost: evil", "/v2/tags\n", "\n/v2/tags", "/v2/tags\0", "/v2/tags\x7f", "/v2/tags\t", "/v2/ta gs",
    "/v2/tags ", " /v2/tags", "/v2/tags\\..\\x", "\\v2\\tags", "/v2@evil.example.com/tags", "/v2/tags@evil",
    "@evil/v2/x",
    ":80/v2/tags", "/v2:80/tags", "/v2/täg", "/v2/tags/\uff17", "/v\u0662/tags", "/v2/tags\u2028x",
    "/v2/tags/\ud800",
    "/v2/tags/" + EMAIL, "/v1/contacts/*", "/v2/{id}", "/v2/tags/'or'1", '/v2/"x"', "/v2/<x>", "/v2/a|b",
    "/v2/~root",
    "/v1234/tags", "/v2/" + "x" * 9_000,
    None, 7, b"/v2/tags", ["/v2/tags"],
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE_PATHS, ids=lambda path: ascii(path)[:40])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_hostile_path_is_refused_before_any_request(
    method: str, path: Any, hook: EnvokeHook, sandbox: Sandbox
) -> None:
    with pytest.raises(EnvokeConfigError) as caught:
        hook.request(method, path)

    assert sandbox.requests == []
    assert leaks(str(caught.value)) == []
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/v2/tags", "/v2/tags"), ("/v2/tags/123/contacts", "/v2/tags/{id}/contacts"),
        ("/v1/contacts/7", "/v1/contacts/{id}"), ("/v12/a-b_c.d", "/v12/a-b_c.d"),
        ("/v1/hooks/436D-SF92/x", "/v1/hooks/{id}/x"), ("/v1/reports/emailActivityMetrics", None),
        ("/v1/contacts/d41d8cd98f00b204e9800998ecf8427e", "/v1/contacts/{id}"), ("/v2/-/_", None),
    ],
)  # fmt: skip
def test_a_plain_path_is_sent_as_it_is_and_shown_without_ids(path: str, template: str | None) -> None:
    request = custom_request("GET", path)

    assert (request.target, request.path_template) == (path, template or path)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"method": "get"}, "method"), ({"method": "HEAD"}, "method"),
        ({"method": "GET /x HTTP/1.1\r\n"}, "method"),
        ({"method": None}, "method"), ({"method": "TRACE"}, "method"), ({"params": [("a", 1)]}, "params"),
        ({"params": "a=1"}, "params"), ({"params": {"": 1}}, "parameter"), ({"params": {"a&b": 1}}, "parameter"),
        ({"params": {"a=b": 1}}, "parameter"), ({"params": {"a\r\n": 1}}, "parameter"),
        ({"params": {7: 1}}, "parameter"),
        ({"params": {"a": None}}, "NoneType"), ({"params": {"a": True}}, "bool"),
        ({"params": {"a": 1.5}}, "float"),
        ({"params": {"a": {"b": 1}}}, "dict"), ({"params": {"a": []}}, "empty"),
        ({"params": {"a": [[1]]}}, "list"),
        ({"params": {"a": "x\0"}}, "NUL"), ({"params": {"a": "\ud800"}}, "surrogate"),
        ({"params": {"a": "x" * 9_000}}, "URL"), ({"body": {"a": 1}}, "GET"),
        ({"method": "POST", "body": "a"}, "str"),
        ({"method": "POST", "body": (1,)}, "tuple"), ({"method": "PUT", "body": b"{}"}, "bytes"),
    ],
    ids=lambda value: ascii(value)[:40],
)  # fmt: skip
def test_another_invalid_argument_is_refused_before_any_request(
    arguments: dict[str, Any], named: str, hook: EnvokeHook, sandbox: Sandbox
) -> None:
    with pytest.raises(EnvokeConfigError) as caught:
        hook.request(**{"method": "GET", "path": "/v2/tags", **arguments})

    assert named in str(caught.value)
    assert sandbox.requests == []


def test_a_body_that_json_cannot_carry_is_refused(hook: EnvokeHook, sandbox: Sandbox) -> None:
    with pytest.raises(EnvokeDataError):
        hook.request("POST", "/v2/tags", body={"name": {EMAIL}})

    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("params", "query"),
    [
        ({}, ""), ({"limit": 5, "fields": "id,name"}, "?limit=5&fields=id%2Cname"),
        ({"message_id": [1, "2"]}, "?message_id%5B%5D=1&message_id%5B%5D=2"),
        ({"message_id[]": (1,)}, "?message_id%5B%5D=1"), ({"filter[group][(ne)]": "a&b=c#"},
         "?filter%5Bgroup%5D%5B%28ne%29%5D=a%26b%3Dc%23"), ({"a": "é\r\n"}, "?a=%C3%A9%0D%0A"), ({"a": ""}, "?a="),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", METHODS)
def test_what_is_sent_is_what_was_asked_for(
    method: str, params: dict[str, Any], query: str, define: Callable[..., EnvokeHook]
) -> None:
    body = None if method == "GET" else {"contact_ids": [1, 2], "name": "é"}
    with FaultyServer(answer([])) as server:
        assert define(server.connection).request(method, "/v2/tags/7/contacts", params=params, body=body) == []

    (sent,) = server.requests
    assert (sent.method, sent.target) == (method, f"/v2/tags/7/contacts{query}")
    assert (json.loads(sent.body) if sent.body else None) == body
    assert sent.headers["authorization"] == "Basic YW4taWQ6YS1rZXk="
    assert sent.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("content", "result"),
    [
        (b"", None), (b" \n", None), (b"null", None), (b"[]", []), (b"{}", {}), (b"7", 7), (b'"x"', "x"),
        (b"true", True),
        (b'[1, "a"]', [1, "a"]), (b'{"id": 1}', {"id": 1}),
        (b'{"success": true, "x": 1}', {"success": True, "x": 1}),
        (b"\xef\xbb\xbf[1]", [1]), (b"<br />\n<b>Warning</b>: x\n[1]", [1]),
    ],
)  # fmt: skip
def test_the_answer_is_the_decoded_json_whatever_its_type(
    content: bytes, result: Any, define: Callable[..., EnvokeHook]
) -> None:
    with FaultyServer(answer(content)) as server:
        assert define(server.connection).request("GET", "/v2/tags") == result


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (answer({"success": False, "result_text": f"No {EMAIL}"}), EnvokeRejectedError),
        (answer({"success": False, "failed": [{"contact_id": "456"}]}), EnvokeRejectedError),
        (answer({"success": None}), EnvokeTransientError), (answer(b"", 404), EnvokeRejectedError),
        (answer(NOT_FOUND, 400), EnvokeNotFoundError), (answer(b"", 401), EnvokeAuthError),
        (answer(b"", 301, location="https://evil.example.com/"), EnvokeRejectedError),
        (answer(b"<html></html>"), EnvokeTransientError), (answer(b"[1,"), EnvokeTransientError),
        (answer(b"no json"), EnvokeTransientError), (answer(b"", 500), EnvokeTransientError),
        (faults.huge(40 * 1024 * 1024), EnvokeTransientError), (faults.reset_after_reading, EnvokeTransientError),
    ],
)  # fmt: skip
def test_a_failure_raises_what_the_other_methods_raise_and_shows_no_id(
    step: faults.Step, kind: type[EnvokeError], define: Callable[..., EnvokeHook]
) -> None:
    with FaultyServer(step) as server, pytest.raises(EnvokeError) as caught:
        define(server.connection).request("GET", "/v2/tags/4711/contacts", params={"x": EMAIL})

    assert type(caught.value) is kind
    assert "/v2/tags/{id}/contacts" in str(caught.value)
    assert "4711" not in str(caught.value)
    assert leaks(str(caught.value)) == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("step", "arrived"), [(answer(b"", 500), True), (faults.close_after_reading, True), (answer(b"", 429), False)]
)
def test_a_post_is_not_sent_again_once_it_may_have_arrived(
    method: str,
    step: faults.Step,
    arrived: bool,
    define: Callable[..., EnvokeHook],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)
    extra = json.dumps({"max_retries": 2, "timeout": 10})
    with FaultyServer(step, answer([])) as server:
        hook = define(server.connection, extra=extra)
        if method == "POST" and arrived:
            with pytest.raises(EnvokeTransientError):
                hook.request(method, "/v2/tags")
            assert len(server.requests) == 1
        else:
            assert hook.request(method, "/v2/tags") == []
            assert len(server.requests) == 2


def test_a_rate_limit_holds_for_it_too(define: Callable[..., EnvokeHook], monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    with FaultyServer(answer([])) as server:
        hook = define(server.connection, extra=json.dumps({"requests_per_second": 0.5}))
        monkeypatch.setattr(hook.client, "_sleep", pauses.append)
        for _ in range(2):
            hook.request("GET", "/v2/tags")

    assert len(pauses) == 1
    assert 1 < pauses[0] <= 2
