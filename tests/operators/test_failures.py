"""
Failed requests: the operator of one contact and a run over a table report them with the same message, and leave to
Airflow's retries only what may be temporary.
"""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_envoke.exceptions import (
    EnvokeAuthError,
    EnvokeConfigError,
    EnvokeError,
    EnvokeRejectedError,
    EnvokeTransientError,
)
from airflow_provider_envoke.operators._failure_text import log_failure
from airflow_provider_envoke.sync import EnvokeConfig
from tests.support import faulty_server as faults
from tests.support.faulty_server import FaultyServer, answer, tls_serving
from tests.support.sync_runs import sync
from tests.support.tasks import whole_error
from tests.support.updates import update, update_in_dag

if TYPE_CHECKING:
    from collections.abc import Callable


ROW = {"email": "marker@example.com", "city": "x"}
REJECTION = {"success": False, "result_text": "No", "result_data": {"errors": ["This.", "That."]}}
HTML = b"<html>marker</html>"
TIMEOUT_S = 0.2

# Exception -> case -> what the service does.
FAILURES: dict[type[EnvokeError], dict[str, Any]] = {
    EnvokeAuthError: {
        "401": answer(REJECTION, 401),
        "403": answer({}, 403),
        "403 with HTML": answer(HTML, 403),
    },
    EnvokeRejectedError: {
        "400": answer(REJECTION, 400),
        "400 without a message": answer({}, 400),
        "200 without success": answer(REJECTION),
        "404 without a body": answer(b"", 404),
        "404 with HTML": answer(HTML, 404),
        "redirect": answer(b"", 302, location="https://marker:secret@e2.example.com/marker"),
        "redirect to the same host": answer(b"", 301, location="/marker"),
        "redirect to an invalid address": answer(b"", 308, location="http://[marker"),
    },
    EnvokeTransientError: {
        "429 for a day": answer(b"", 429, retry_after="86400"),
        "500": answer(REJECTION, 500),
        "502 with HTML": answer(HTML, 502),
        "503 without a body": answer(b"", 503),
        "200 without a body": answer(b""),
        "200 with HTML": answer(HTML),
        "200 with broken JSON": answer(b'{"success": true, "email": "marker'),
        "200 with text": answer(b"marker"),
        "200 with a list": answer(["marker"]),
        "200 with an empty object": answer({}),
        "no response in time": faults.stall,
        "connection reset": faults.reset_after_reading,
        "connection closed": faults.close_after_reading,
        "response cut off": faults.cut_off(),
        "response not compressed": faults.lying_gzip,
    },
}

# Exception -> case: the request never reaches the service.
UNREACHABLE: dict[str, type[EnvokeError]] = {
    **dict.fromkeys(("connection refused", "unknown host", "no TLS", "proxy unavailable"), EnvokeTransientError),
    **dict.fromkeys(("proxy invalid", "certificate rejected", "REQUESTS_CA_BUNDLE unusable"), EnvokeConfigError),
}


def error_of_update(url: str, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    """Return the exception of the operator of one contact, after checking whether Airflow retries it."""
    extra = json.dumps({"max_retries": 0, "timeout": TIMEOUT_S})
    connection = {"conn_type": "envoke", "host": url, "login": "an-id", "password": "a-key", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(connection))
    with pytest.raises((EnvokeTransientError, AirflowFailException)) as caught:
        update(payload=ROW)
    return whole_error(caught.value)


def outcome_of_sync(url: str) -> tuple[str, str]:
    """Return the class or reason, and the message, with which a run over a table reports the failure."""
    config = EnvokeConfig("an-id", "a-key", url, timeout_s=TIMEOUT_S, max_retries=0)
    try:
        _, (reject,) = sync(None, [ROW], config=config, strategy="all")
    except EnvokeError as error:
        return type(error).__name__, str(error)
    return reject.reason, reject.message


def check_failure(
    case: str, kind: type[EnvokeError], url: str, monkeypatch: pytest.MonkeyPatch, check_message: Any
) -> None:
    error = error_of_update(url, monkeypatch)
    outcome, message = outcome_of_sync(url)

    reasons = {EnvokeRejectedError: "refused", EnvokeTransientError: "no_answer"}
    assert type(error) is kind
    assert outcome == reasons.get(kind, kind.__name__)
    for text in (str(error), message):
        assert "marker" not in text
        assert "secret" not in text
        check_message(f"failure: {case}", text)


@pytest.mark.parametrize(
    ("case", "kind", "step"),
    [pytest.param(case, kind, step, id=case) for kind, cases in FAILURES.items() for case, step in cases.items()],
)
def test_a_failed_request_is_reported(
    case: str,
    kind: type[EnvokeError],
    step: faults.Step,
    monkeypatch: pytest.MonkeyPatch,
    check_message: Callable[[str, str], None],
) -> None:
    with FaultyServer(step) as server:
        check_failure(case, kind, server.url, monkeypatch, check_message)

    assert len(server.requests) == 2, "one by each"


@pytest.mark.parametrize("case", UNREACHABLE)
def test_a_request_that_cannot_be_sent_is_reported(
    case: str, monkeypatch: pytest.MonkeyPatch, check_message: Callable[[str, str], None]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    tls = tls_serving(trustme.CA().issue_cert("localhost"))
    with FaultyServer(tls=tls, name="localhost") as https, FaultyServer(faults.greets_first) as http:
        urls = {
            "connection refused": f"http://127.0.0.1:{port}",
            "no TLS": http.url.replace("http:", "https:"),
            "certificate rejected": https.url,
        }
        variables = {
            "proxy unavailable": ("HTTPS_PROXY", f"http://marker:secret@127.0.0.1:{port}"),
            "proxy invalid": ("HTTPS_PROXY", "http://marker:secret@["),
            "REQUESTS_CA_BUNDLE unusable": ("REQUESTS_CA_BUNDLE", "/nowhere/marker.pem"),
        }
        if case in variables:
            monkeypatch.setenv(*variables[case])
        url = urls.get(case, "https://envoke.invalid")
        check_failure(case, UNREACHABLE[case], url, monkeypatch, check_message)


@pytest.mark.usefixtures("airflow_db", "envoke_connection")
def test_a_temporary_failure_fails_the_task_with_its_own_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultyServer(answer(b"", 503)) as server:
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(server.connection))
        outcome = update_in_dag(payload=ROW)

    assert outcome.states == ["failed"]
    assert isinstance(outcome.error, EnvokeTransientError)


def test_a_sentence_that_begins_with_a_long_word_is_cut_within_it() -> None:
    shown = log_failure(f"/{'folder' * 30} cannot be read. Correct the path.")

    assert shown.startswith("/folder")
    assert len(shown) <= 100
