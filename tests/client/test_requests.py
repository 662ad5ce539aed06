"""What both clients send, over which connections, and how they read what comes back."""

from __future__ import annotations

import json
import logging
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_envoke.envoke.requests import account, create_contact, find_contacts, update_contact
from airflow_provider_envoke.exceptions import EnvokeDataError, EnvokeRejectedError
from tests.support import faulty_server as faults
from tests.support.clients import check_nothing_is_shown
from tests.support.faulty_server import UPDATED, FaultyServer, answer
from tests.support.leak_markers import API_KEY, BASIC, EMAIL, leaks

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_envoke.envoke.requests import Request
    from tests.support.clients import Connect, Sleeps
    from tests.support.faulty_server import Step

UPDATE = update_contact({"email": "jon@example.com", "city": "Québec"})
LARGEST_ANSWER = 32 * 1024 * 1024


def test_a_request_carries_json_and_the_connection_s_credentials_only(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login other password other\ndefault login other password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    # By its name: cookies of a host that is an IP address are ignored anyway.
    with FaultyServer(answer(UPDATED, set_cookie="session=1; Path=/"), name="localhost") as server:
        client = connect(server.url)
        assert [client.send(UPDATE), client.send(UPDATE)] == [UPDATED, UPDATED]

    for sent in server.requests:
        assert sent.body == b'{"email": "jon@example.com", "city": "Qu\\u00e9bec"}'
        assert sent.headers["content-type"] == sent.headers["accept"] == "application/json"
        assert sent.headers["authorization"] == f"Basic {BASIC}"
        assert re.fullmatch(r"airflow-provider-envoke/\d+\.\d+\.\d+.*", sent.headers["user-agent"])
        assert "cookie" not in sent.headers


def test_credentials_are_sent_as_utf_8(connect: Connect) -> None:
    with FaultyServer() as server:
        connect(server.url, api_id="ид", api_key="ключ").send(account())

    assert server.requests[0].headers["authorization"] == "Basic 0LjQtDrQutC70Y7Rhw=="


@pytest.mark.parametrize(
    ("request_", "method", "target"),
    [
        (update_contact({"city": "x"}, contact_id=7), "PATCH", "/v1/contacts/7"),
        (create_contact({"email": "jon@example.com"}, upsert=True), "POST", "/v1/contacts?upsert=1"),
        (
            find_contacts({"email": {"$in": ["a+b@x.com", "é&=#@x.com"]}}, fields=["id"]),
            "GET",
            "/v1/contacts?limit=100&sort%5Bid%5D=ASC&fields=id&filter%5Bemail%5D%5B%24in%5D%5B%5D=a%2Bb%40x.com"
            "&filter%5Bemail%5D%5B%24in%5D%5B%5D=%C3%A9%26%3D%23%40x.com",
        ),
    ],
    ids=["update", "upsert", "search"],
)
def test_the_target_is_sent_as_it_was_built(request_: Request, method: str, target: str, connect: Connect) -> None:
    with FaultyServer(answer([] if method == "GET" else UPDATED)) as server:
        connect(server.url).send(request_)

    assert [(sent.method, sent.target) for sent in server.requests] == [(method, target)]


@pytest.mark.parametrize("value", [object(), float("nan"), datetime(2026, 1, 1, tzinfo=UTC), {1, 2}, "\ud800"])
def test_a_payload_that_is_not_json_is_not_sent(value: Any, connect: Connect) -> None:
    with FaultyServer(answer(UPDATED)) as server, pytest.raises(EnvokeDataError, match="JSON") as caught:
        connect(server.url).send(update_contact({"email": EMAIL, "city": value}))

    assert server.requests == []
    check_nothing_is_shown(caught.value)


# Connections


def test_many_requests_share_one_connection(connect: Connect) -> None:
    refusal = answer({"success": False}, 400)
    script = (answer(UPDATED), faults.chunked(UPDATED), refusal, faults.good_gzip, answer(UPDATED))
    with FaultyServer(*script) as server:
        client = connect(server.url)
        for request in (UPDATE, UPDATE, UPDATE, account(), *[UPDATE] * 16):
            with suppress(EnvokeRejectedError):
                client.send(request)

    assert (len(server.requests), server.connections) == (20, 1)


def test_a_connection_that_the_service_has_closed_is_not_used_again(connect: Connect, sleeps: Sleeps) -> None:
    def answer_and_close(exchange: faults.Exchange) -> bool:
        answer(UPDATED)(exchange)
        return False

    create = create_contact({"email": "jon@example.com"})
    with FaultyServer(answer_and_close) as server:
        client = connect(server.url)
        client.send(create)
        assert server.hung_up.acquire(timeout=10)
        client.send(create)

    assert (server.connections, len(server.requests), sleeps) == (2, 2, [])


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_not_followed(status: int, connect: Connect) -> None:
    with FaultyServer() as other, FaultyServer(answer(b"", status, location=f"{other.url}/x")) as server:
        client = connect(server.url)
        with pytest.raises(EnvokeRejectedError, match=r"'127\.0\.0\.1'.*connection's host") as caught:
            client.send(account())

    assert caught.value.status == status
    assert (len(server.requests), other.connections) == (1, 0)


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        *((nowhere, "the same host") for nowhere in ("", "/elsewhere", "//", "\xff\xfe")),
        *((invalid, "invalid address") for invalid in ("http://[bad", f"http://[{EMAIL}")),
        ("http://a b", "'a b'"),
        ("http://e1.envoke.com:port/", "'e1.envoke.com'"),
        ("ftp://x", "'x'"),
        (f"https://an-id:{API_KEY}@elsewhere.example/?email={EMAIL}", "'elsewhere.example'"),
    ],
)
def test_a_redirect_to_anywhere_is_a_refusal(location: str, shown: str, connect: Connect) -> None:
    with FaultyServer(answer(b"", 302, location=location)) as server:
        client = connect(server.url)
        with pytest.raises(EnvokeRejectedError, match=shown) as caught:
            client.send(account())

    assert len(server.requests) == 1
    check_nothing_is_shown(caught.value)


# Answers


def test_json_after_printed_warnings_is_read(connect: Connect) -> None:
    with FaultyServer(answer(b"<b>Warning</b>: [0] in /x.php<br />\n" + json.dumps(UPDATED).encode())) as server:
        assert connect(server.url).send(UPDATE) == UPDATED


def test_an_answer_of_the_maximum_size_is_read(connect: Connect) -> None:
    with FaultyServer(faults.huge(LARGEST_ANSWER)) as server:
        found = connect(server.url).send(account())

    assert len(found["name"]) == LARGEST_ANSWER - len('{"name": ""}')


def contacts(count: int, limit: int) -> Step:
    """Serve the pages of an account with contacts 1 to ``count``."""

    def step(exchange: faults.Exchange) -> bool:
        request = exchange.read()
        assert request
        skip = int(parse_qs(urlsplit(request.target).query).get("skip", ["0"])[0])
        page = json.dumps([{"id": number + 1} for number in range(count)][skip : skip + limit]).encode()
        exchange.send(page, length=len(page))
        return True

    return step


@pytest.mark.parametrize(
    ("count", "limit", "skips"),
    [
        *((count, 100, [0]) for count in (0, 1, 99)),
        *((count, 100, [0, 100]) for count in (100, 101)),
        (250, 100, [0, 100, 200]),
        pytest.param(250, 100_000, [0, 250], id="the limit is ignored"),
    ],
)
def test_pages_are_requested_until_one_is_not_full(
    count: int, limit: int, skips: list[int], connect: Connect
) -> None:
    with FaultyServer(contacts(count, limit)) as server:
        found = connect(server.url).find({"city": "Laval"}, fields=["id"])

    assert [contact["id"] for contact in found] == list(range(1, count + 1))
    queries = [parse_qs(urlsplit(sent.target).query) for sent in server.requests]
    assert [int(query.pop("skip", ["0"])[0]) for query in queries] == skips
    expected = {"limit": ["100"], "sort[id]": ["ASC"], "fields": ["id"], "filter[city]": ["Laval"]}
    assert all(query == expected for query in queries)


def test_neither_the_log_nor_a_representation_holds_credentials_or_addresses(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = {"success": False, "result_text": f"{EMAIL} is locked"}
    with caplog.at_level(logging.DEBUG), FaultyServer(answer(refusal, 503), answer([])) as server:
        client = connect(server.url)
        client.find({"email": {"$in": [EMAIL, "ü@leak.example.com"]}})

    assert "z***@leak.example.com is locked" in caplog.text
    shown = [caplog.text, *(repr(each) for each in (client, *vars(client).values()))]
    assert [leaks(text) for text in shown if leaks(text)] == []
    assert not re.search("(ü|%C3%BC)(@|%40)", caplog.text)
