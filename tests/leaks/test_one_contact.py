"""
Hook and operator of one contact never show credentials or personal data.

Every failure happens with marked credentials and marked personal data; then everything that was logged (from level
DEBUG on), printed, raised and returned is searched for them.
"""

from __future__ import annotations

import itertools
import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from airflow_provider_envoke.envoke import requests
from airflow_provider_envoke.envoke.config import EnvokeConfig
from airflow_provider_envoke.exceptions import EnvokeError
from airflow_provider_envoke.hooks.envoke import EnvokeHook
from airflow_provider_envoke.operators.envoke import EnvokeUpdateContactOperator
from tests.support import faulty_server as faults
from tests.support.faulty_server import UPDATED, FaultyServer, answer
from tests.support.leak_markers import (
    API_ID,
    API_KEY,
    EMAIL,
    LAST_NAME,
    PROXY_PASSWORD,
    MarkedSandbox,
    Seen,
    leaks,
    texts_of,
)
from tests.support.leaking_answers import ANSWERS, SLOW
from tests.support.updates import update

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.models.dagrun import DagRun

    from airflow_provider_envoke.sandbox.thread import Sandbox

PAYLOAD = {"email": EMAIL, "last_name": "Markedova", "custom_fields": {"note": f"wrote from {EMAIL}"}}
EXPRESS = {"consent_status": "Express", "consent_description": f"{EMAIL} ticked the box"}


ACTIONS: dict[str, Callable[[], object]] = {
    "update by email": lambda: EnvokeHook().update_contact(PAYLOAD),
    "update by id": lambda: EnvokeHook().update_contact(PAYLOAD, contact_id=7),
    "update by remote id": lambda: EnvokeHook().update_contact(
        {"remote_id": EMAIL} | PAYLOAD, keyfield="remote_id"
    ),
    "create": lambda: EnvokeHook().create_contact(PAYLOAD),
    "upsert": lambda: EnvokeHook().create_contact(PAYLOAD, upsert=True),
    "find": lambda: list(EnvokeHook().find_contacts({"email": {"$in": [EMAIL, f"x{EMAIL}"]}})),
    "find by remote id": lambda: list(EnvokeHook().find_contacts({"remote_id": EMAIL})),
    "account": lambda: bool(EnvokeHook().account()),
    "test connection": lambda: EnvokeHook().test_connection(),
    "operator": lambda: update(payload=PAYLOAD),
    "operator, text": lambda: update(payload=repr(PAYLOAD)),
    "operator, consent": lambda: update(payload=PAYLOAD | EXPRESS),
    "operator, create": lambda: update(payload=PAYLOAD, on_missing="create"),
    "operator, skip": lambda: update(payload=PAYLOAD, on_missing="skip"),
    "operator, remote id": lambda: update(payload=PAYLOAD | {"remote_id": EMAIL}, keyfield="remote_id"),
}


@pytest.mark.parametrize("fault", ANSWERS)
def test_no_response_of_the_service_leaks(fault: str, seen: Seen, connect: Callable[..., None]) -> None:
    with FaultyServer(ANSWERS[fault]) as server:
        connect(server.url)
        names = ["find", "operator", "test connection"] if fault in SLOW else list(ACTIONS)
        for name in names:
            seen.attempt(ACTIONS[name])

    assert server.requests or fault == "reset before reading"
    assert seen.errors
    everything = seen.everything()
    assert "PATCH /v1/contacts" in everything
    assert leaks(everything) == []


@pytest.mark.parametrize("way", ["refused", "dns", "tls", "no tls", "proxy", "ca_bundle"])
def test_no_failing_connection_leaks(
    way: str, seen: Seen, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = faults.tls_serving(trustme.CA().issue_cert("localhost"))
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        FaultyServer(tls=context, name="localhost") as https,
        FaultyServer(faults.greets_first) as http,
    ):
        port = listener.getsockname()[1]
        listener.close()
        urls = {
            "refused": f"http://127.0.0.1:{port}",
            "tls": https.url,
            "no tls": http.url.replace("http:", "https:"),
        }
        extra = {"extra": json.dumps({"ca_bundle": f"/nowhere/{EMAIL}"})} if way == "ca_bundle" else {}
        if way == "proxy":
            monkeypatch.setenv("HTTPS_PROXY", f"http://marked:{PROXY_PASSWORD}@127.0.0.1:{port}")
        connect(urls.get(way, "https://envoke.invalid"), **extra)
        for action in ACTIONS.values():
            seen.attempt(action)

    assert len(seen.errors) == len(ACTIONS) - 1, "test_connection returns the message instead of raising it"
    assert leaks(seen.everything()) == []


# What tests/bad_input does not have of invalid connections and arguments; it searches for leaks too.
CONNECTIONS: list[dict[str, Any]] = [
    {"host": f"https://e1.envoke.com/{API_KEY}"},
    {"host": f"ftp://{API_KEY}"},
    {"host": f"https://[{API_KEY}"},
    {"host": f"https://{API_ID}:{API_KEY}@e1\u2100.envoke.com"},
    {"host": f"https://e1.envoke.com:{API_KEY}"},
    *({"extra": json.dumps({name: API_KEY})} for name in ("timeout", "max_retries", "api_key")),
    {"extra": json.dumps({"ca_bundle": [API_KEY]})},
    {"extra": f'{{"api_key": "{API_KEY}"'},
]
ARGUMENTS: list[Callable[[], object]] = [
    *(lambda payload=payload: update(payload=payload) for payload in (
        {"email": EMAIL, "last_name": f"{LAST_NAME} " * 20},
        {"email": EMAIL, "last_name": {LAST_NAME: EMAIL}},
        {"email": EMAIL, "custom_fields": {EMAIL: "x"}},
        {"email": EMAIL, "last_name": "None", "first_name": LAST_NAME},
        f"{{'email': '{EMAIL}', 'city': Markedova_Leakson}}",
        repr(PAYLOAD)[:-5],
        json.dumps([EMAIL]),
        json.dumps({EMAIL: {"last_name": LAST_NAME}}),
    )),
    lambda: update(payload=PAYLOAD, nulls=EMAIL),
    lambda: list(EnvokeHook().find_contacts({EMAIL: "x"})),
    lambda: list(EnvokeHook().find_contacts({"email": {EMAIL: "x"}})),
    lambda: list(EnvokeHook().find_contacts({}, sort={"email": EMAIL})),
    lambda: list(EnvokeHook().find_contacts({}, fields=[EMAIL])),
]  # fmt: skip


@pytest.mark.parametrize("parts", CONNECTIONS)
@pytest.mark.filterwarnings("ignore:Encountered")  # Airflow 2.11 warns of an extra that is not JSON
def test_no_invalid_connection_leaks_the_key(
    parts: dict[str, Any], seen: Seen, connect: Callable[..., None]
) -> None:
    connect("https://e1.envoke.com", **parts)

    for action in (EnvokeHook().get_conn, EnvokeHook().test_connection, ACTIONS["operator"]):
        seen.attempt(action)

    assert len(seen.errors) == 2
    assert leaks(seen.everything()) == []


@pytest.mark.parametrize("action", ARGUMENTS)
def test_no_rejected_argument_leaks(
    action: Callable[[], object], seen: Seen, connect: Callable[..., None], envoke_sandbox: Sandbox
) -> None:
    connect(envoke_sandbox.url)

    seen.attempt(action)

    assert isinstance(seen.errors[0].__context__ or seen.errors[0], EnvokeError)
    assert envoke_sandbox.requests == []
    assert leaks(seen.everything()) == []


# What succeeds


def test_a_dry_run_masks_every_value(seen: Seen, connect: Callable[..., None]) -> None:
    connect("https://e1.envoke.com")
    operator = EnvokeUpdateContactOperator(task_id="dry", payload={**PAYLOAD, "feedback": f"at {EMAIL}, {EMAIL}"})

    seen.attempt(operator.dry_run)

    everything = seen.everything()
    assert '"email": "z***"' in everything
    assert leaks(everything) == []


def test_a_success_leaks_nothing(seen: Seen, connect: Callable[..., None]) -> None:
    with MarkedSandbox([{"id": 7, "email": EMAIL, "remote_id": EMAIL}]) as sandbox:
        connect(sandbox.url)
        for name in ("operator", "operator, text", "operator, consent", "operator, create", "operator, remote id"):
            seen.attempt(ACTIONS[name])
        seen.attempt(lambda: len(list(EnvokeHook().find_contacts({"email": EMAIL}))))
        seen.attempt(ACTIONS["test connection"])
        seen.texts.append(repr(sandbox))

    everything = seen.everything()
    assert (seen.errors, "'action': 'updated'" in everything) == ([], True)
    assert "GET /v1/contacts?" in everything, "urllib3 has logged the URL"
    assert leaks(everything) == []


def test_a_consent_that_is_kept_leaks_nothing(seen: Seen, connect: Callable[..., None]) -> None:
    with MarkedSandbox([{"id": 7, "email": EMAIL, "remote_id": EMAIL, "consent_status": "Revoked"}]) as sandbox:
        connect(sandbox.url)
        seen.attempt(ACTIONS["operator, consent"])
        seen.attempt(lambda: update(payload={"email": EMAIL} | EXPRESS))
        seen.attempt(lambda: update(payload={"remote_id": EMAIL} | EXPRESS, keyfield="remote_id"))
        assert seen.errors == []
        seen.attempt(lambda: update(payload=PAYLOAD | EXPRESS, on_withdrawn="reject"))

    assert len(seen.errors) == 1
    everything = seen.everything()
    assert everything.count("'consent_kept': True") == 3
    assert leaks(everything) == []


def test_no_repr_leaks(connect: Callable[..., None], envoke_sandbox: Sandbox) -> None:
    connect(envoke_sandbox.url)
    hook = EnvokeHook()
    config = hook.get_conn()
    built = (
        requests.update_contact(PAYLOAD),
        requests.create_contact(PAYLOAD),
        requests.find_contacts({"email": EMAIL}),
    )
    parts = [part for part in vars(hook.client).values() if not isinstance(part, str)]  # such as its session
    shown = [hook, config, hook.client, *parts, envoke_sandbox, *built]

    texts = [text for each in shown for text in (repr(each), str(each), f"{each}")]

    assert [leaks(text) for text in texts if leaks(text)] == []
    assert envoke_sandbox.api_key not in repr(envoke_sandbox)
    assert "e1.envoke.com" in repr(EnvokeConfig(API_ID, API_KEY)), "a useful repr"


# Through Airflow


_numbers = itertools.count()


@pytest.mark.parametrize(
    "fault",
    ["400", "401", "500", "200 html", "redirect", "cut off", "malformed headers", "bad payload", "success"],
)
def test_a_task_in_airflow_leaks_no_credentials_and_no_personal_data_of_ours(
    fault: str, seen: Seen, connect: Callable[..., None], run_dag: Callable[..., DagRun]
) -> None:
    from airflow.providers.common.compat.sdk import DAG

    step = answer(UPDATED) if fault in ("success", "bad payload") else ANSWERS[fault]
    payload = PAYLOAD | ({"surname": LAST_NAME} if fault == "bad payload" else {})
    errors: list[BaseException] = []
    with FaultyServer(step) as server:
        connect(server.url)
        with DAG(f"envoke_leaks_{next(_numbers)}", schedule=None) as dag:
            EnvokeUpdateContactOperator(
                task_id="update",
                payload=payload,
                on_failure_callback=lambda context: errors.append(context["exception"]),
            )
        run = run_dag(dag)

    (instance,) = run.get_task_instances()
    assert instance.state == ("success" if fault == "success" else "failed")
    everything = seen.everything()
    assert leaks(everything, personal=False) == []
    # Airflow itself logs the rendered payload, at level DEBUG.
    lines = [line for line in everything.splitlines() if not re.search(r"\bdebug\b", line, re.IGNORECASE)]
    assert leaks("\n".join(lines)) == []
    assert [leaks(text) for error in errors for text in texts_of(error) if leaks(text)] == []
    assert leaks(repr(instance.xcom_pull(task_ids="update"))) == []
