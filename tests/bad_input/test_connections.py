"""Invalid connections: hook and operators name the invalid part, and send nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.envoke.config import EnvokeConfig
from airflow_provider_envoke.exceptions import EnvokeConfigError
from airflow_provider_envoke.hooks.envoke import EnvokeHook
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator, EnvokeUpdateContactOperator
from tests.support.leak_markers import API_ID, API_KEY, EMAIL
from tests.support.messages import Each, as_params, each

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.leak_markers import MarkedSandbox

ROW = {"email": EMAIL, "last_name": "Markedova"}


def tasks(**arguments: Any) -> list[Any]:
    return [
        EnvokeUpdateContactOperator(task_id="update", payload=ROW, **arguments),
        EnvokeSyncContactsOperator(task_id="sync", rows=[ROW], **arguments),
    ]


def extra(name: str, *values: object) -> Each:
    return each("extra", *(json.dumps({name: value}) for value in values))


# Case -> parts of the connection. The message must name what the case has in backticks.
CONNECTIONS: dict[str, Any] = {
    "`login` empty": each("login", None, " "),
    "`login` with a colon": {"login": f"{API_ID}:{API_KEY}"},
    "`password` empty": each("password", None, "\t"),
    "`password` with an invisible character": each(
        "password", f"{API_KEY}\r\nX-Evil: 1", f"{API_KEY}\u202e", f"{API_KEY[:4]}\n{API_KEY[4:]}"
    ),
    "`type` of another provider": {"conn_type": "http"},
    "`type` with a space": {"conn_type": "envoke "},
    "`host` with plain http": Each(
        [{"host": "http://e1.envoke.com"}, {"host": "e1.envoke.com", "schema": "http"}]
    ),
    "`host` with plain http, like a loopback address": {"host": "http://127.0.0.1.example.com"},
    "`host` with plain http, in the local network": {"host": "http://10.0.0.7"},
    "`host` with another scheme": {"host": "ftp://e1.envoke.com"},
    "`host` with credentials": {"host": f"https://{API_ID}:{API_KEY}@e1.envoke.com"},
    "`host` with a path": each(
        "host", *(f"https://e1.envoke.com{rest}" for rest in ("/v1", "/../x", "?x=1", "#x"))
    ),
    "`host` with an invisible character": each(
        "host", "https://e1.envoke.com\r\nX: 1", "https://e1\u200f.envoke.com"
    ),
    "`host` that is not a name": each("host", "\u0435nvoke.com", "e1 envoke com", "x" * 300),
    "`host` that is not a URL": {"host": "https://[::1"},
    "`port` out of range": Each(
        [
            *({"host": "e1.envoke.com", "port": port} for port in (65_536, -1)),
            *({"host": f"https://e1.envoke.com:{port}"} for port in (99_999, 0)),
        ]
    ),
    "`extra` that is not an object": each("extra", "[1]", '{"timeout": 3', "timeout=3"),
    "`extra` misspelled": extra("timeuot", 5),
    "`extra` that is a header": extra("Authorization", API_KEY),
    "`extra` with a hostile name": extra(f"{EMAIL}\r\n", 1),
    "`extra` that would switch TLS off": extra("verify", False),
    "`timeout`": extra("timeout", 0, -5, "soon", True, 86_400),
    "`max_retries`": extra("max_retries", -1, 10**400),
    "`max_retries` as a fraction": extra("max_retries", 2.5),
    "`requests_per_second`": extra("requests_per_second", 0, "nan", [EMAIL]),
    "`ca_bundle`": extra("ca_bundle", 5, "/a\nb"),
}


@pytest.mark.parametrize(("case", "kind", "parts"), as_params({EnvokeConfigError: CONNECTIONS}))
@pytest.mark.filterwarnings("ignore:Encountered")  # Airflow 2.11 warns of an extra that is not JSON
def test_an_invalid_connection_is_rejected_before_any_request(
    case: str,
    kind: type[Exception],
    parts: dict[str, Any],
    connect: Callable[..., None],
    check_message_of_failure: Callable[..., None],
) -> None:
    connect(**parts)

    works, message = EnvokeHook().test_connection()

    for action in (EnvokeHook().get_conn, *tasks()):
        check_message_of_failure(f"connection: {case}", kind, action)
    with pytest.raises(kind) as caught:
        EnvokeHook().get_conn()
    assert (works, message) == (False, str(caught.value))
    assert "'envoke_default'" in message


# Parts that Airflow's own forms cannot have, but the JSON of a secrets backend can.
TYPES: dict[str, Any] = {
    "`login` of another type": {"login": True},
    "`login` as a list": {"login": [API_KEY]},
    "`password` as an object": {"password": {"key": API_KEY}},
    "`password` as a fraction": {"password": 1.5},
    "`host` as a number": {"host": 5},
    "`host` as a list": {"host": ["e1.envoke.com"]},
    "`schema` as a number": {"host": "e1.envoke.com", "schema": 443},
    "`port` as a word": {"port": "https"},
    "`port` as a fraction": {"port": 443.5},
    "`port` as a list": {"port": [443]},
}


@pytest.mark.parametrize(("case", "kind", "parts"), as_params({EnvokeConfigError: TYPES}))
def test_a_part_of_the_wrong_type_is_rejected_by_name(
    case: str, kind: type[Exception], parts: dict[str, Any], check_message_of_failure: Callable[..., None]
) -> None:
    def read() -> object:
        return EnvokeConfig.from_connection(**{"login": API_ID, "password": API_KEY, **parts})

    check_message_of_failure(f"connection: {case}", kind, read)


def test_numbers_are_accepted_as_text() -> None:
    config = EnvokeConfig.from_connection(login=4711, password=42, port="8443")

    assert (config.api_id, config.api_key, config.base_url) == ("4711", "42", "https://e1.envoke.com:8443")


@pytest.mark.parametrize(
    ("problem", "content"), [("missing", None), ("a folder", None), ("without a certificate", ""),
                             ("without a certificate", "no certificate")]
)  # fmt: skip
def test_an_unusable_ca_bundle_is_rejected_before_any_request(
    problem: str,
    content: str | None,
    tmp_path: Path,
    sandbox: MarkedSandbox,
    connect: Callable[..., None],
    check_message_of_failure: Callable[..., None],
) -> None:
    path = tmp_path / "authorities.pem"
    if problem == "a folder":
        path.mkdir()
    elif content is not None:
        path.write_text(content)
    connect(
        host=sandbox.url.replace("http:", "https:"),
        extra=json.dumps({"ca_bundle": str(path), "max_retries": 0}),
    )

    works, message = EnvokeHook().test_connection()

    assert (works, "'ca_bundle'" in message) == (False, True)
    for action in tasks():
        check_message_of_failure(f"connection: `ca_bundle` {problem}", EnvokeConfigError, action)


IDS = {
    "`envoke_conn_id` empty": each("envoke_conn_id", "", None),
    "`envoke_conn_id` misspelled": {"envoke_conn_id": "envoke_defualt"},
    "`envoke_conn_id` hostile": {"envoke_conn_id": f"{EMAIL}\r\n"},
}


@pytest.mark.parametrize(("case", "kind", "arguments"), as_params({EnvokeConfigError: IDS}))
@pytest.mark.usefixtures("airflow_db")  # Airflow looks for the connection there too
def test_a_connection_that_does_not_exist_is_reported(
    case: str,
    kind: type[Exception],
    arguments: dict[str, Any],
    check_message_of_failure: Callable[..., None],
) -> None:
    for task in tasks(**arguments):
        check_message_of_failure(f"connection: {case}", kind, task)
