"""
No way of failing shows the credentials or a person's e-mail address.

Marked credentials and a marked person are driven through every failure that there is; then all that was logged (at
level DEBUG), printed, raised and returned is searched for them.
"""

from __future__ import annotations

import itertools
import json
import re
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from airflow_provider_envoke.core import protocol
from airflow_provider_envoke.core.config import EnvokeConfig
from airflow_provider_envoke.exceptions import EnvokeError
from airflow_provider_envoke.hooks.envoke import EnvokeHook
from airflow_provider_envoke.operators.envoke import EnvokeUpdateContactOperator
from tests import faulty_server as faults
from tests.faulty_server import UPDATED, FaultyServer, answer
from tests.leaks.answers import ANSWERS, SLOW
from tests.leaks.marks import (
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

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.models.dagrun import DagRun

    from airflow_provider_envoke.sandbox.thread import Sandbox

PAYLOAD = {"email": EMAIL, "last_name": "Markedova", "custom_fields": {"note": f"wrote from {EMAIL}"}}
EXPRESS = {"consent_status": "Express", "consent_description": f"{EMAIL} ticked the box"}


class Instance:
    """The little of a task instance that the operator uses."""

    def xcom_push(self, key: str, value: Any) -> None:
        assert not leaks(repr(value))


def execute(**arguments: Any) -> Any:
    return EnvokeUpdateContactOperator(task_id="update", **arguments).execute({"ti": Instance()})


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
    "operator": lambda: execute(payload=PAYLOAD),
    "operator, text": lambda: execute(payload=repr(PAYLOAD)),
    "operator, consent": lambda: execute(payload=PAYLOAD | EXPRESS),
    "operator, create": lambda: execute(payload=PAYLOAD, on_missing="create"),
    "operator, skip": lambda: execute(payload=PAYLOAD, on_missing="skip"),
    "operator, remote id": lambda: execute(payload=PAYLOAD | {"remote_id": EMAIL}, keyfield="remote_id"),
}


@pytest.mark.parametrize("fault", ANSWERS)
def test_no_answer_of_the_service_brings_anything_to_light(
    fault: str, seen: Seen, connect: Callable[..., None]
) -> None:
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
def test_no_connection_that_fails_brings_anything_to_light(
    way: str, seen: Seen, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = faults.tls_serving(trustme.CA().issue_cert("localhost"))
    with (
        socket.create_server(("127.0.0.1", 0)) as nobody,
        FaultyServer(tls=context, name="localhost") as https,
        FaultyServer(faults.greets_first) as http,
    ):
        port = nobody.getsockname()[1]
        nobody.close()
        if way == "refused":
            connect(f"http://127.0.0.1:{port}")
        elif way == "dns":
            connect("https://envoke.invalid")
        elif way == "tls":
            connect(https.url)
        elif way == "no tls":
            connect(http.url.replace("http:", "https:"))
        elif way == "proxy":
            monkeypatch.setenv("HTTPS_PROXY", f"http://marked:{PROXY_PASSWORD}@127.0.0.1:{port}")
            connect("https://envoke.invalid")
        else:
            connect("https://envoke.invalid", extra=json.dumps({"ca_bundle": f"/nowhere/{EMAIL}"}))
        for action in ACTIONS.values():
            seen.attempt(action)

    assert len(seen.errors) == len(ACTIONS) - 1, "test_connection returns what the others raise"
    assert leaks(seen.everything()) == []


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param({"host": f"https://{API_ID}:{API_KEY}@e1.envoke.com"}, id="key-in-the-host"),
        pytest.param({"host": f"https://e1.envoke.com/{API_KEY}"}, id="key-as-a-path"),
        pytest.param({"host": f"ftp://{API_KEY}"}, id="key-as-a-host"),
        pytest.param({"host": f"https://[{API_KEY}"}, id="broken-host"),
        pytest.param(
            {"host": f"https://{API_ID}:{API_KEY}@e1\u2100.envoke.com"},
            id="odd-letters-in-the-host",
        ),
        pytest.param({"host": f"https://e1.envoke.com:{API_KEY}"}, id="key-as-a-port"),
        pytest.param({"conn_type": "http"}, id="wrong-type"),
        pytest.param({"password": API_KEY + "\n\x07"}, id="control-character"),
        pytest.param({"login": f"{API_ID}:{API_KEY}"}, id="key-in-the-login"),
        pytest.param({"extra": json.dumps({"timeout": API_KEY})}, id="key-as-a-timeout"),
        pytest.param({"extra": json.dumps({"max_retries": API_KEY})}, id="key-as-retries"),
        pytest.param({"extra": json.dumps({"ca_bundle": [API_KEY]})}, id="key-as-a-file"),
        pytest.param({"extra": json.dumps({"api_key": API_KEY})}, id="unknown-extra"),
        pytest.param({"extra": f'{{"api_key": "{API_KEY}"'}, id="broken-extra"),
    ],
)
@pytest.mark.filterwarnings("ignore:Encountered")  # Airflow 2.11's own words about such an extra
def test_no_connection_that_is_wrong_brings_the_key_to_light(
    parts: dict[str, Any], seen: Seen, connect: Callable[..., None]
) -> None:
    connect("https://e1.envoke.com", **parts)

    seen.attempt(EnvokeHook().get_conn)
    seen.attempt(EnvokeHook().test_connection)
    seen.attempt(lambda: execute(payload=PAYLOAD))

    assert len(seen.errors) == 2
    assert leaks(seen.everything()) == []


# Payloads


def _nested(depth: int) -> Any:
    value: Any = EMAIL
    for _ in range(depth):
        value = {"a": value}
    return value


BAD_PAYLOADS: dict[str, Any] = {
    "not an address": {"email": f"{EMAIL} {EMAIL}", "last_name": LAST_NAME},
    "long address": {"email": f"{'x' * 60}{EMAIL}", "last_name": LAST_NAME},
    "overlong name": {"email": EMAIL, "last_name": f"{LAST_NAME} " * 20},
    "surrogate": {"email": EMAIL, "last_name": f"{LAST_NAME}\ud800"},
    "nul": {"email": EMAIL, "last_name": f"{LAST_NAME}\0"},
    "object": {"email": EMAIL, "last_name": {LAST_NAME: EMAIL}},
    "bytes": {"email": EMAIL, "last_name": LAST_NAME.encode()},
    "address as id": {"id": EMAIL, "last_name": LAST_NAME},
    "consent": {"email": EMAIL, "consent_status": f"{EMAIL} said yes"},
    "tag": {"email": EMAIL, "interests": {"News": EMAIL}},
    "custom fields as text": {"email": EMAIL, "custom_fields": f"{EMAIL} Markedova"},
    "custom fields as json": {"email": EMAIL, "custom_fields": f'{{"a": "{EMAIL}", "a": "Markedova"}}'},
    "number": {"email": EMAIL, "custom_fields": {"a": float("inf")}, "last_name": LAST_NAME},
    "unknown field": {"email": EMAIL, "surname": LAST_NAME},
    "rendered null": {"email": EMAIL, "last_name": "None", "first_name": LAST_NAME},
    "nothing to update": {"email": EMAIL},
    "deep": _nested(200),
    "list": [PAYLOAD, PAYLOAD],
    "tuple": (EMAIL, LAST_NAME),
    "text": f"{EMAIL} {LAST_NAME}",
    "cut-off json": json.dumps(PAYLOAD)[:-5],
    "cut-off repr": repr(PAYLOAD)[:-5],
    "repr with a call": f"{{'email': '{EMAIL}', 'city': datetime.date(2026, 1, 1)}}",
    "repr with a name": f"{{'email': '{EMAIL}', 'city': Markedova_Leakson}}",
    "json twice": f'{{"email": "{EMAIL}", "email": "x{EMAIL}"}}',
    "json list": json.dumps([EMAIL]),
    "json text": json.dumps(EMAIL),
}


@pytest.mark.parametrize("name", BAD_PAYLOADS)
def test_no_payload_that_is_refused_brings_the_person_to_light(
    name: str, seen: Seen, connect: Callable[..., None], envoke_sandbox: Sandbox
) -> None:
    connect(envoke_sandbox.url)

    seen.attempt(lambda: execute(payload=BAD_PAYLOADS[name]))
    with suppress(Exception):
        EnvokeUpdateContactOperator(task_id="dry", payload=BAD_PAYLOADS[name]).dry_run()

    assert len(seen.errors) == 1
    assert envoke_sandbox.requests == []
    assert leaks(seen.everything()) == []


ADDRESS_IN_A_NAME: dict[str, Callable[[], object]] = {
    "field": lambda: execute(payload={EMAIL: "x", "email": EMAIL}),
    "member of a group": lambda: execute(payload={"email": EMAIL, "custom_fields": {EMAIL: "x"}}),
    "tag": lambda: execute(payload={"email": EMAIL, "interests": {EMAIL: "perhaps"}}),
    "json field": lambda: execute(payload=json.dumps({EMAIL: {"last_name": LAST_NAME}})),
    "keyfield": lambda: execute(payload=PAYLOAD, keyfield=EMAIL),
    "filter": lambda: list(EnvokeHook().find_contacts({EMAIL: "x"})),
    "operator": lambda: list(EnvokeHook().find_contacts({"email": {EMAIL: "x"}})),
    "sort": lambda: list(EnvokeHook().find_contacts({}, sort={"email": EMAIL})),
    "fields": lambda: list(EnvokeHook().find_contacts({}, fields=[EMAIL])),
    "rule": lambda: execute(payload=PAYLOAD, nulls=EMAIL),
}
ADDRESS_AS_A_VALUE: dict[str, Callable[[], object]] = {
    "contact_id": lambda: execute(payload={"city": "x"}, contact_id=EMAIL),
    "filter": lambda: list(EnvokeHook().find_contacts({"email": EMAIL.encode()})),
    "raw value": lambda: EnvokeHook().update_contact({"email": EMAIL, "city": {EMAIL}}),
    "raw name": lambda: EnvokeHook().update_contact({"email": EMAIL, (EMAIL,): "x"}),
}


@pytest.mark.parametrize(
    "action",
    [
        *(pytest.param(action, id=f"name-{name}") for name, action in ADDRESS_IN_A_NAME.items()),
        *(pytest.param(action, id=f"value-{name}") for name, action in ADDRESS_AS_A_VALUE.items()),
    ],
)
def test_an_address_in_the_wrong_place_is_not_shown(
    action: Callable[[], object], seen: Seen, connect: Callable[..., None], envoke_sandbox: Sandbox
) -> None:
    connect(envoke_sandbox.url)

    seen.attempt(action)

    assert isinstance(seen.errors[0].__cause__ or seen.errors[0], EnvokeError)
    assert leaks(seen.everything()) == []


# What works


def test_a_dry_run_masks_every_address(seen: Seen, connect: Callable[..., None]) -> None:
    connect("https://e1.envoke.com")
    operator = EnvokeUpdateContactOperator(
        task_id="dry", payload={"email": EMAIL, "feedback": f"at {EMAIL}, {EMAIL}"}
    )

    seen.attempt(operator.dry_run)

    everything = seen.everything()
    assert '"email": "z***@leak.example.com"' in everything
    assert leaks(everything) == []


def test_what_succeeds_brings_nothing_to_light_either(seen: Seen, connect: Callable[..., None]) -> None:
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


def test_nothing_that_describes_itself_shows_the_credentials_or_the_person(
    connect: Callable[..., None], envoke_sandbox: Sandbox
) -> None:
    connect(envoke_sandbox.url)
    hook = EnvokeHook()
    config = hook.get_conn()
    requests = (
        protocol.update_contact(PAYLOAD),
        protocol.create_contact(PAYLOAD),
        protocol.find_contacts({"email": EMAIL}),
    )
    shown = [hook, config, hook.client, hook.client._session, hook.client._session.auth, envoke_sandbox, *requests]

    texts = [text for each in shown for text in (repr(each), str(each), f"{each}")]

    assert [leaks(text) for text in texts if leaks(text)] == []
    assert envoke_sandbox.api_key not in repr(envoke_sandbox)
    assert "e1.envoke.com" in repr(EnvokeConfig(API_ID, API_KEY)), "a repr that helps"


# Through Airflow


_numbers = itertools.count()


@pytest.mark.parametrize(
    "fault",
    ["400", "401", "500", "200 html", "redirect", "cut off", "malformed headers", "bad payload", "success"],
)
def test_a_run_of_airflow_brings_no_credentials_to_light_and_our_words_no_person(
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
    # Airflow itself shows the rendered payload at level DEBUG; from INFO on nobody does.
    lines = [line for line in everything.splitlines() if not re.search(r"\bdebug\b", line, re.IGNORECASE)]
    assert leaks("\n".join(lines)) == []
    assert [leaks(text) for error in errors for text in texts_of(error) if leaks(text)] == []
    assert leaks(repr(instance.xcom_pull(task_ids="update"))) == []
