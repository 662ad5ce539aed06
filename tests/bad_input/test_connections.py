"""Connections that cannot work: each is refused in these words, by hook and operators alike, unsent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.core.config import EnvokeConfig
from airflow_provider_envoke.exceptions import EnvokeConfigError
from airflow_provider_envoke.hooks.envoke import EnvokeHook
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator, EnvokeUpdateContactOperator
from tests.bad_input.judging import as_params, check_message, check_refused, fits
from tests.leaks.marks import API_ID, API_KEY, EMAIL
from tests.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.leaks.marks import MarkedSandbox

WHERE = " (envoke_conn_id: 'envoke_default')"
ROW = {"email": EMAIL, "last_name": "Markedova"}


def extra(**extras: Any) -> dict[str, Any]:
    return {"extra": json.dumps(extras)}


# What the person on call reads (and in the end WHERE) -> what was wrong, by name.
REFUSALS: dict[str, dict[str, dict[str, Any]]] = {
    "The connection's login (the API ID) is empty: fill it in.": {
        "no-login": {"login": None},
        "blank-login": {"login": " "},
    },
    "The connection's password (the API key) is empty: fill it in.": {
        "no-password": {"password": None},
        "blank-password": {"password": "\t"},
    },
    (
        "The connection's login (the API ID) holds a character that cannot be part of it: copy it again "
        "from Envoke."
    ): {
        "colon-in-the-login": {"login": f"{API_ID}:{API_KEY}"},
    },
    (
        "The connection's password (the API key) holds a character that cannot be part of it: copy it "
        "again from Envoke."
    ): {
        "header-in-the-password": {"password": f"{API_KEY}\r\nX-Evil: 1"},
        "direction-mark-in-the-password": {"password": f"{API_KEY}\u202e"},
    },
    (
        "The connection 'envoke_default' (envoke_conn_id) is of type 'http', not 'envoke': name one of "
        "type Envoke."
    ): {
        "wrong-type": {"conn_type": "http"},
    },
    (
        "The connection 'envoke_default' (envoke_conn_id) is of type 'envoke ', not 'envoke': name one "
        "of type Envoke."
    ): {
        "nearly-the-type": {"conn_type": "envoke "},
    },
    (
        "The connection's host e1.envoke.com is addressed by http://, which would send the API key and "
        "people's data in the clear: use https:// (http:// is for a sandbox on this machine alone)."
    ): {
        "plain-http": {"host": "http://e1.envoke.com"},
        "http-by-schema": {"host": "e1.envoke.com", "schema": "http"},
    },
    (
        "The connection's host 127.0.0.1.example.com is addressed by http://, which would send the API "
        "key and people's data in the clear: use https:// (http:// is for a sandbox on this machine "
        "alone)."
    ): {
        "http-to-a-look-alike": {"host": "http://127.0.0.1.example.com"},
    },
    (
        "The connection's host 10.0.0.7 is addressed by http://, which would send the API key and "
        "people's data in the clear: use https:// (http:// is for a sandbox on this machine alone)."
    ): {
        "http-to-the-network": {"host": "http://10.0.0.7"},
    },
    "The connection's host or schema has to be https (or http, for a sandbox).": {
        "ftp": {"host": "ftp://e1.envoke.com"},
    },
    (
        "The connection's host holds user information (…@): put the API ID into the login and the API "
        "key into the password."
    ): {
        "user-info": {"host": f"https://{API_ID}:{API_KEY}@e1.envoke.com"},
    },
    (
        "The connection's host holds a path, a query or a fragment: give the host alone, such as "
        "https://e1.envoke.com."
    ): {
        "path": {"host": "https://e1.envoke.com/v1"},
        "dots": {"host": "https://e1.envoke.com/../x"},
        "query": {"host": "https://e1.envoke.com?x=1"},
        "fragment": {"host": "https://e1.envoke.com#x"},
    },
    "The connection's host holds a line break or another invisible character: type it anew.": {
        "line-break-in-the-host": {"host": "https://e1.envoke.com\r\nX: 1"},
        "direction-mark-in-the-host": {"host": "https://e1\u200f.envoke.com"},
    },
    (
        "The connection's host is not a host name: it is e1.envoke.com, or a URL such as "
        "https://e1.envoke.com (ASCII letters, digits, dots and hyphens)."
    ): {
        "cyrillic-look-alike": {"host": "\u0435nvoke.com"},
        "blanks-in-the-host": {"host": "e1 envoke com"},
        "host-without-end": {"host": "x" * 300},
    },
    "The connection's host is not a valid URL: give the host alone, such as https://e1.envoke.com.": {
        "broken-ipv6": {"host": "https://[::1"},
    },
    "The connection's port has to be between 1 and 65535.": {
        "port-too-high": {"host": "e1.envoke.com", "port": 65_536},
        "port-negative": {"host": "e1.envoke.com", "port": -1},
        "port-in-the-host-too-high": {"host": "https://e1.envoke.com:99999"},
        "port-in-the-host-zero": {"host": "https://e1.envoke.com:0"},
    },
    'The connection\'s extra is not a JSON object, such as {"timeout": 30}.': {
        "extra-a-list": {"extra": "[1]"},
    },
    (
        "The connection has an unknown extra 'timeuot'; the known ones are timeout, max_retries, "
        "requests_per_second, ca_bundle. Did you mean 'timeout'?"
    ): {
        "extra-misspelt": extra(timeuot=5),
    },
    (
        "The connection has an unknown extra 'Authorization'; the known ones are timeout, max_retries, "
        "requests_per_second, ca_bundle."
    ): {
        "extra-a-header": extra(Authorization=API_KEY),
    },
    (
        "The connection has an unknown extra 'z***@leak.example.com\\r\\n'; the known ones are timeout, "
        "max_retries, requests_per_second, ca_bundle."
    ): {
        "extra-with-a-hostile-name": extra(**{f"{EMAIL}\r\n": 1}),
    },
    (
        "The connection has an unknown extra 'verify'; the known ones are timeout, max_retries, "
        "requests_per_second, ca_bundle."
    ): {
        "extra-that-would-switch-tls-off": extra(verify=False),
    },
    "The connection's extra 'timeout' has to be a number from 0.001 to 600.": {
        "timeout-zero": extra(timeout=0),
        "timeout-negative": extra(timeout=-5),
        "timeout-a-word": extra(timeout="soon"),
        "timeout-a-bool": extra(timeout=True),
        "timeout-a-day": extra(timeout=86_400),
    },
    "The connection's extra 'max_retries' has to be a number from 0 to 20.": {
        "retries-negative": extra(max_retries=-1),
        "retries-huge": extra(max_retries=10**400),
    },
    "The connection's extra 'max_retries' has to be a whole number.": {
        "retries-a-fraction": extra(max_retries=2.5),
    },
    "The connection's extra 'requests_per_second' has to be a number from 0.001 to 10000.": {
        "rate-zero": extra(requests_per_second=0),
        "rate-nan": extra(requests_per_second="nan"),
        "rate-a-list": extra(requests_per_second=[EMAIL]),
    },
    "The connection's extra 'ca_bundle' has to be the path of a file.": {
        "bundle-a-number": extra(ca_bundle=5),
        "bundle-with-a-line-break": extra(ca_bundle="/a\nb"),
    },
}
CASES = as_params(REFUSALS)


@pytest.mark.parametrize(("parts", "message"), CASES)
def test_a_connection_that_cannot_work_is_refused(
    parts: dict[str, Any], message: str, sandbox: MarkedSandbox, connect: Callable[..., None]
) -> None:
    connect(**parts)
    message += "" if "(envoke_conn_id)" in message else WHERE

    works, said = EnvokeHook().test_connection()
    check_refused(EnvokeHook().get_conn, message, sandbox)
    check_refused(
        lambda: EnvokeUpdateContactOperator(task_id="t", payload=ROW).execute(context()), message, sandbox
    )
    check_refused(lambda: EnvokeSyncContactsOperator(task_id="t", rows=[ROW]).execute(context()), message, sandbox)

    assert (works, fits(said, message)) == (False, True)


# Parts that Airflow's own forms cannot hold, and a secrets backend's JSON can.
ODD_PARTS = [
    pytest.param(
        {"login": True}, "The connection's login (the API ID) has to be text, not bool.", id="login-a-bool"
    ),
    pytest.param(
        {"login": [API_KEY]}, "The connection's login (the API ID) has to be text, not list.", id="login-a-list"
    ),
    pytest.param(
        {"password": {"key": API_KEY}},
        "The connection's password (the API key) has to be text, not dict.",
        id="password-an-object",
    ),
    pytest.param(
        {"password": 1.5},
        "The connection's password (the API key) has to be text, not float.",
        id="password-a-fraction",
    ),
    pytest.param({"host": 5}, "The connection's host has to be text, not int.", id="host-a-number"),
    pytest.param({"host": ["e1.envoke.com"]}, "The connection's host has to be text, not list.", id="host-a-list"),
    pytest.param(
        {"host": "e1.envoke.com", "schema": 443},
        "The connection's schema has to be text, not int.",
        id="schema-a-number",
    ),
    pytest.param({"port": "https"}, "The connection's port has to be between 1 and 65535.", id="port-a-word"),
    pytest.param({"port": 443.5}, "The connection's port has to be text, not float.", id="port-a-fraction"),
    pytest.param({"port": [443]}, "The connection's port has to be text, not list.", id="port-a-list"),
]


@pytest.mark.parametrize(("parts", "message"), ODD_PARTS)
def test_a_part_of_the_wrong_type_is_refused_by_name(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(EnvokeConfigError) as caught:
        EnvokeConfig.from_connection(**{"login": API_ID, "password": API_KEY, **parts})

    check_message(caught.value, message)


def test_numbers_in_the_place_of_texts_are_taken() -> None:
    config = EnvokeConfig.from_connection(login=4711, password=42, port="8443")

    assert (config.api_id, config.api_key, config.base_url) == ("4711", "42", "https://e1.envoke.com:8443")


BUNDLES = [
    pytest.param(
        "missing",
        "The connection's extra 'ca_bundle' names a file that is no use: No such file or directory.",
        id="bundle-missing",
    ),
    pytest.param(
        "directory",
        "The connection's extra 'ca_bundle' names a file that is no use: Is a directory.",
        id="bundle-a-directory",
    ),
    pytest.param(
        "empty",
        "The connection's extra 'ca_bundle' names a file that is no use: it holds no certificate in PEM form.",
        id="bundle-empty",
    ),
    pytest.param(
        "text",
        "The connection's extra 'ca_bundle' names a file that is no use: it holds no certificate in PEM form.",
        id="bundle-no-pem",
    ),
]


@pytest.mark.parametrize(("kind", "message"), BUNDLES)
def test_a_bundle_that_is_no_use_is_refused_before_a_byte_is_sent(
    kind: str, message: str, tmp_path: Path, sandbox: MarkedSandbox, connect: Callable[..., None]
) -> None:
    path = tmp_path / "authorities.pem"
    if kind == "directory":
        path.mkdir()
    elif kind != "missing":
        path.write_text("" if kind == "empty" else "no certificate")
    connect(host=sandbox.url.replace("http:", "https:"), **extra(ca_bundle=str(path), max_retries=0))

    check_refused(
        lambda: EnvokeUpdateContactOperator(task_id="t", payload=ROW).execute(context()), message, sandbox
    )
    check_refused(lambda: EnvokeSyncContactsOperator(task_id="t", rows=[ROW]).execute(context()), message, sandbox)


def _update(**arguments: Any) -> object:
    return EnvokeUpdateContactOperator(task_id="t", payload=ROW, **arguments).execute(context())


def _sync(**arguments: Any) -> object:
    return EnvokeSyncContactsOperator(task_id="t", rows=[ROW], **arguments).execute(context())


IDS = [
    pytest.param(
        "", "envoke_conn_id is empty: give a connection's id, or check its template.", id="conn-id-empty"
    ),
    pytest.param(
        None, "envoke_conn_id is empty: give a connection's id, or check its template.", id="conn-id-none"
    ),
    pytest.param(
        "envoke_defualt",
        "There is no connection 'envoke_defualt' (envoke_conn_id): add one of type Envoke, or correct the id.",
        id="conn-id-misspelt",
    ),
    pytest.param(
        f"{EMAIL}\r\n",
        (
            "There is no connection 'z***@leak.example.com\\r\\n' (envoke_conn_id): add one of type "
            "Envoke, or correct the id."
        ),
        id="conn-id-hostile",
    ),
]


@pytest.mark.parametrize("run", [_update, _sync])
@pytest.mark.parametrize(("conn_id", "message"), IDS)
@pytest.mark.usefixtures("airflow_db")  # Airflow looks for the id there, too
def test_a_connection_that_does_not_exist_is_told_as_such(
    conn_id: str | None, message: str, run: Callable[..., object], sandbox: MarkedSandbox
) -> None:
    check_refused(lambda: run(envoke_conn_id=conn_id), message, sandbox)
