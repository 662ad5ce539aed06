"""From an Airflow connection to the configuration and the session of the hook."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.envoke.config import EnvokeConfig
from airflow_provider_envoke.exceptions import EnvokeConfigError
from airflow_provider_envoke.hooks import envoke as hook_module
from airflow_provider_envoke.hooks.envoke import EnvokeHook
from tests.support import faulty_server as faults
from tests.support.faulty_server import FaultyServer, answer

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULTS = EnvokeConfig(api_id="an-id", api_key="the-api-key")


def test_a_connection_becomes_a_configuration(define: Callable[..., EnvokeHook]) -> None:
    extra = {"timeout": 5, "max_retries": 0, "requests_per_second": 2.5, "ca_bundle": "/ca.pem"}

    config = define(host="e1d.envoke.com", port=8443, extra=json.dumps(extra)).get_conn()

    given = {"timeout_s": 5.0, "max_retries": 0, "requests_per_second": 2.5, "ca_bundle": "/ca.pem"}
    assert config == replace(DEFAULTS, base_url="https://e1d.envoke.com:8443", **given)


def test_a_connection_with_credentials_only_has_the_defaults(define: Callable[..., EnvokeHook]) -> None:
    config = define(host=None).get_conn()

    assert config == DEFAULTS
    assert config.base_url == "https://e1.envoke.com"


@pytest.mark.parametrize("host", ["e1.envoke.com", ""])
def test_a_connection_can_be_a_uri(host: str, define: Callable[..., EnvokeHook]) -> None:
    config = define(f"envoke://an-id:the-api-key@{host}/?timeout=5&max_retries=2").get_conn()

    assert (config.base_url, config.timeout_s, config.max_retries) == ("https://e1.envoke.com", 5.0, 2)


def test_empty_fields_of_the_form_mean_the_defaults(define: Callable[..., EnvokeHook]) -> None:
    extra = {"timeout": "", "max_retries": None, "requests_per_second": "", "ca_bundle": None}

    assert define(port=0, schema="", extra=json.dumps(extra)).get_conn() == DEFAULTS


@pytest.mark.parametrize(
    ("parts", "masked"),
    [
        # The key is sent without the white space that was copied with it, and in the Basic header.
        ({"password": " the-api-key\n"}, {"the-api-key", "YW4taWQ6dGhlLWFwaS1rZXk="}),
        ({"login": None}, {"the-api-key"}),
    ],
    ids=["valid", "invalid"],
)
def test_every_form_of_the_key_is_masked_in_airflows_logs(
    parts: dict[str, Any],
    masked: set[str],
    define: Callable[..., EnvokeHook],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secrets: list[str] = []
    monkeypatch.setattr(hook_module, "mask_secret", secrets.append)
    hook = define(**parts)

    try:
        hook.get_conn()
    except EnvokeConfigError:
        assert masked == set(secrets)

    assert masked <= set(secrets)


def test_the_connection_is_read_when_it_is_first_used(define: Callable[..., EnvokeHook]) -> None:
    hook = define(login=None)

    hook.close()
    with pytest.raises(EnvokeConfigError, match="login"):
        hook.account()


def test_a_hook_keeps_one_session_until_it_is_closed(define: Callable[..., EnvokeHook]) -> None:
    with FaultyServer() as server:
        with define(server.connection) as hook:
            assert hook.account() == hook.account() == faults.ACCOUNT
            assert server.connections == 1
        assert server.hung_up.acquire(timeout=10), "the connection is closed"

        assert hook.account() == faults.ACCOUNT
        assert server.connections == 2
        hook.close()


# test_connection


def test_a_valid_connection_shows_the_name_of_the_account(
    envoke_connection: Any, check_message: Callable[[str, str], None]
) -> None:
    works, message = EnvokeHook().test_connection()

    assert works
    assert "'Sandbox account'" in message
    check_message("test_connection: connected", message)
    (request,) = envoke_connection.requests
    assert (request["method"], request["path"]) == ("GET", "/v1/settings")


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        pytest.param({"id": 1}, "without a name", id="no name"),
        pytest.param({"id": 1, "name": None}, "without a name", id="null"),
        pytest.param({"id": 1, "name": "x" * 500}, "x" * 100, id="long"),
        pytest.param({"id": 1, "name": "a\n\x1b[31mb"}, r"a\n\x1b[31mb", id="control characters"),
    ],
)
def test_any_name_of_an_account_can_be_shown(
    settings: dict[str, Any], shown: str, define: Callable[..., EnvokeHook]
) -> None:
    with FaultyServer(answer(settings)) as server:
        works, message = define(server.connection).test_connection()

    assert works
    assert f"'{shown}'" in message


@pytest.mark.parametrize(
    ("case", "named", "step"),
    [
        ("401", "API key", answer({"success": False, "result_text": "No"}, 401)),
        ("HTML", "HTML", answer(b"<html>Hello</html>")),
        ("a list", "cannot be read", answer([1, 2])),
        ("no response in time", "'timeout'", faults.stall),
    ],
)
def test_a_connection_that_fails_is_tested_only_once(
    case: str,
    named: str,
    step: faults.Step,
    define: Callable[..., EnvokeHook],
    check_message: Callable[[str, str], None],
) -> None:
    with FaultyServer(step) as server:
        extra = json.dumps({"timeout": 0.2, "max_retries": 5})
        works, message = define(server.connection, extra=extra).test_connection()

    assert not works
    assert named in message
    assert "a-key" not in message
    check_message(f"test_connection: {case}", message)
    assert len(server.requests) == 1, "a person waits for the result"
