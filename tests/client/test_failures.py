"""
What both clients make of each failure of the service and of an open connection.

The expectations follow from what is known of the API: a request that must not be carried out twice is repeated
only if the service cannot have carried it out.
"""

from __future__ import annotations

import gzip
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.exceptions import (
    EnvokeAPIError,
    EnvokeAuthError,
    EnvokeNotFoundError,
    EnvokeRejectedError,
    EnvokeTransientError,
)
from tests.support import faulty_server as faults
from tests.support.clients import IDEMPOTENT, NOT_IDEMPOTENT, check_nothing_is_shown
from tests.support.faulty_server import UPDATED, FaultyServer, answer
from tests.support.leak_markers import EMAIL

if TYPE_CHECKING:
    from airflow_provider_envoke.envoke.requests import Request
    from tests.support.clients import Connect, Sleeps
    from tests.support.faulty_server import Step

REFUSAL = {"success": False, "result_text": "Validation failed", "result_data": {"errors": ["No", f"Nor {EMAIL}"]}}
NOT_FOUND = {"success": False, "result_text": "", "result_data": {"errors": [f"Item with id '{EMAIL}' not found"]}}
HTML = f"<!DOCTYPE html><p>{EMAIL}".encode()
WARNING = b"<br />\n<b>Warning</b>: [0] undefined in <b>/x.php</b><br />\n"


@dataclass(frozen=True)
class Case:
    """A failure, and what both clients make of it; ``tries`` is for an idempotent request and for another one."""

    step: Step
    kind: type[EnvokeAPIError]
    tries: tuple[int, int]
    status: int | None = None
    arrived: bool | None = None
    retry_after: Any = None
    says: str = ""
    timeout_s: float = 10.0


def final(kind: type[EnvokeAPIError], status: int, body: object = REFUSAL, says: str = "", **headers: str) -> Case:
    """A refusal that a retry cannot change."""
    return Case(answer(body, status, **headers), kind, (1, 1), status, says=says)


def not_done(
    status: int, wait: str = "", seconds: float | None = None, tries: int = 3, body: object = b""
) -> Case:
    """The service has not carried out the request; ``wait`` is its ``Retry-After``."""
    step = answer(body, status, retry_after=wait)
    return Case(step, EnvokeTransientError, (tries, tries), status, False, seconds)


def unsure(status: int, body: object, wait: str = "", seconds: float | None = None, tries: int = 3) -> Case:
    """The service has answered, but may have carried out the request; ``wait`` is its ``Retry-After``."""
    step = answer(body, status, retry_after=wait)
    return Case(step, EnvokeTransientError, (tries, 1), status, True, seconds)


def broken(step: Step, says: str, timeout_s: float = 10.0) -> Case:
    """The connection has failed when the service may have carried out the request."""
    return Case(step, EnvokeTransientError, (3, 1), None, True, says=says, timeout_s=timeout_s)


def in_a_minute(exchange: faults.Exchange) -> bool:
    exchange.read()
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=61), usegmt=True)
    exchange.send(b"", 429, 0, **{"Retry-After": date})
    return True


cut_off_gzip = answer(gzip.compress(json.dumps(UPDATED).encode())[:-12], content_encoding="gzip")
CASES = {
    "400": final(EnvokeRejectedError, 400, says="No; Nor z***@leak.example.com"),
    "400 html": final(EnvokeRejectedError, 400, HTML, "HTML"),
    "400 not found": final(EnvokeNotFoundError, 400, NOT_FOUND),
    "400 cut off": unsure(400, b'{"success": false, "result_te'),
    "200 success false": final(EnvokeRejectedError, 200, says="No; Nor z***"),
    "200 refusal after a warning": final(EnvokeRejectedError, 200, WARNING + json.dumps(REFUSAL).encode()),
    "400 that says 503": final(EnvokeRejectedError, 400, {"success": False, "result_text": "503, try again"}),
    "404": final(EnvokeRejectedError, 404),
    "405 empty": final(EnvokeRejectedError, 405, b"", "empty"),
    "413 html": final(EnvokeRejectedError, 413, HTML),
    "301": final(EnvokeRejectedError, 301, b"", "'elsewhere.example'", location=f"http://elsewhere.example/{EMAIL}"),
    "401": Case(answer(REFUSAL, 401), EnvokeAuthError, (2, 2), 401, says="API key"),
    "401 html": Case(answer(HTML, 401), EnvokeAuthError, (2, 2), 401),
    "403": final(EnvokeAuthError, 403),
    "403 html": final(EnvokeAuthError, 403, HTML),
    "408": not_done(408),
    "425": not_done(425),
    "429": not_done(429),
    "429 json": not_done(429, body=REFUSAL),
    "429 in 17 s": not_done(429, "17", 17.0),
    "429 in 300 s": not_done(429, "300", 300.0),
    "429 in 301 s": not_done(429, "301", 301.0, tries=1),
    "429 in a day": not_done(429, "86400", 86_400.0, tries=1),
    "429 in years": not_done(429, "9" * 400, 999_999_999.0, tries=1),
    "429 at a date": Case(in_a_minute, EnvokeTransientError, (3, 3), 429, False, pytest.approx(60, abs=2)),
    "429 at a date in the past": not_done(429, "Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    "429 soon": not_done(429, "soon"),
    "429 in -5 s": not_done(429, "-5"),
    "429 at an invalid date": not_done(429, "Thu, 99 Foo 2026 00:00:00 GMT"),
    "500": unsure(500, REFUSAL),
    "502 html": unsure(502, HTML),
    "503 empty": unsure(503, b""),
    "503 in 17 s": unsure(503, HTML, "17", 17.0),
    "503 in 301 s": unsure(503, HTML, "301", 301.0, tries=1),
    "504 html": unsure(504, HTML),
    "200 empty": unsure(200, b""),
    "200 html": unsure(200, HTML),
    "200 cut off": unsure(200, b'{"success": tr'),
    "200 without success": unsure(200, {"result_text": "Updated"}),
    "200 success as text": unsure(200, {"success": "true"}),
    "200 list": unsure(200, [1]),
    "200 cut off, gzip": Case(cut_off_gzip, EnvokeTransientError, (3, 1), 200, True),
    "204": unsure(204, b""),
    # The reset arrives while the request is being sent: nobody knows how much of it was read.
    "reset before reading": broken(faults.reset_before_reading, "broke"),
    "reset after reading": broken(faults.reset_after_reading, "broke"),
    "closed without a response": broken(faults.close_after_reading, "broke"),
    "not http": broken(faults.not_http, "broke"),
    "stall": broken(faults.stall, "0.15 s", timeout_s=0.15),
    "drip": broken(faults.drip(), "0.15 s", timeout_s=0.15),
    "drip of a redirect": broken(faults.drip(status=302, Location="/x"), "0.15 s", timeout_s=0.15),
    "cut off": broken(faults.cut_off(), "broke off"),
    "cut off by a byte": broken(faults.cut_off(missing=1), "broke off"),
    "cut off gzip": broken(faults.cut_off(encoding="gzip"), "broke off"),
    "cut off chunks": broken(faults.cut_off_chunks, "broke off"),
    "lying gzip": broken(faults.lying_gzip, "decoded"),
    "huge": broken(faults.huge(33 * 1024 * 1024), "broke off"),
    "gzip bomb": broken(faults.gzip_bomb(33 * 1024 * 1024), "broke off"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("request_", [IDEMPOTENT, NOT_IDEMPOTENT], ids=["idempotent", "not idempotent"])
def test_a_failure_that_stays_ends_in_an_exception(
    name: str, request_: Request, connect: Connect, sleeps: Sleeps
) -> None:
    case = CASES[name]
    started = time.monotonic()
    with FaultyServer(case.step) as server, pytest.raises(EnvokeAPIError) as caught:
        connect(server.url, timeout_s=case.timeout_s).send(request_)

    error = caught.value
    assert type(error) is case.kind
    assert (error.status, error.method, error.path) == (case.status, request_.method, request_.path)
    assert error.retry_after == case.retry_after
    assert case.says in str(error)
    if case.arrived is not None:
        assert error.may_have_arrived is case.arrived
    if case.status in (None, 200):
        assert ("not known whether" in str(error)) is (case.arrived is True)

    tries = case.tries[0 if request_.idempotent else 1]
    read = 0 if case.step is faults.reset_before_reading else tries
    assert (server.connections if read == 0 else len(server.requests)) == tries
    assert len(sleeps) == tries - 1
    assert {sent.body for sent in server.requests} <= {request_.content()}
    assert time.monotonic() - started < 5

    check_nothing_is_shown(error)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.tries[0] > 1])
def test_a_failure_that_passes_ends_in_success(name: str, connect: Connect, sleeps: Sleeps) -> None:
    case = CASES[name]
    with FaultyServer(case.step, answer(UPDATED)) as server:
        assert connect(server.url, timeout_s=max(case.timeout_s, 0.5)).send(IDEMPOTENT) == UPDATED

    assert len(sleeps) == 1
    assert server.requests[-1].body == IDEMPOTENT.content()
