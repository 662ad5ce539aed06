"""The configuration of a client, from the parts of an Airflow connection."""

from __future__ import annotations

import base64
import math
from typing import Any

import pytest

from airflow_provider_envoke.envoke.config import DEFAULT_HOST, EXTRAS, EnvokeConfig
from airflow_provider_envoke.exceptions import EnvokeConfigError

LONE_SURROGATE = "\ud800"


def configure(**parts: Any) -> EnvokeConfig:
    return EnvokeConfig.from_connection(**{"login": "an-id", "password": "a-key", **parts})


def refusal(**parts: Any) -> str:
    with pytest.raises(EnvokeConfigError) as caught:
        configure(**parts)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 400
    assert "hidden-word" not in message
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return message


def test_a_connection_with_credentials_only_gets_the_documented_defaults() -> None:
    assert configure() == EnvokeConfig(
        api_id="an-id", api_key="a-key", base_url="https://e1.envoke.com", timeout_s=30.0, max_retries=5,
        requests_per_second=None, ca_bundle=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        *(("timeout", value, float(value)) for value in (12, 0.5, "12.5", 600)),
        *(("max_retries", value, count) for value, count in ((0, 0), (20, 20), ("7", 7), (3.0, 3))),
        *(("requests_per_second", value, float(value)) for value in (2, 0.5, "2.5", 10_000)),
        ("ca_bundle", "/etc/ça.pem", "/etc/ça.pem"),
    ],
)
def test_a_valid_extra_is_accepted(name: str, value: Any, expected: Any) -> None:
    attribute, _ = EXTRAS[name]

    accepted = getattr(configure(extra={name: value}), attribute)

    assert accepted == expected
    assert type(accepted) is type(expected)


@pytest.mark.parametrize("name", EXTRAS)
@pytest.mark.parametrize("empty", [None, ""], ids=["null", "empty text"])
def test_an_empty_extra_means_its_default(name: str, empty: Any) -> None:
    assert configure(extra={name: empty}) == configure()


NOT_NUMBERS = [
    True, False, math.nan, "nan", math.inf, "inf", -math.inf, "soon", [1], {"a": 1}, -1, 10**400, "1e999", " "
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("timeout", "max_retries", "requests_per_second") for value in NOT_NUMBERS),
        *(("timeout", value) for value in (0, 600.5)),
        *(("max_retries", value) for value in (21, 2.5, "2.5")),
        *(("requests_per_second", value) for value in (0, 10_001)),
        *(("ca_bundle", value) for value in (5, True, ["/a"], "/a\0b", f"/a{LONE_SURROGATE}")),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_an_invalid_extra_is_refused_by_name(name: str, value: Any) -> None:
    assert repr(name) in refusal(extra={name: value})


@pytest.mark.parametrize(
    ("name", "suggestion"), [("timeuot", "timeout"), ("max_retry", "max_retries"), ("ca-bundle", "ca_bundle")]
)
def test_an_unknown_extra_is_named_with_a_suggestion(name: str, suggestion: str) -> None:
    message = refusal(extra={name: "hidden-word"})

    assert repr(name) in message
    assert message.count(repr(suggestion)) == 1


def test_an_unknown_extra_unlike_any_is_named_with_the_list_of_all() -> None:
    message = refusal(extra={"Authorization": "hidden-word"})
    refusal(extra={"a\r\nb\x1b[31m" + "x" * 1000: 1})  # quoted and cut

    assert all(name in message for name in ["'Authorization'", *EXTRAS])
    assert not any(repr(name) in message for name in EXTRAS)


HOSTS: dict[str, list[dict[str, Any]]] = {
    DEFAULT_HOST: [{}, {"host": None}, {"host": ""}, {"host": "   "}, {"port": None}, {"schema": ""}],
    f"{DEFAULT_HOST}:8443": [{"port": 8443}, {"port": "8443"}],
    "https://e1d.envoke.com": [
        *({"host": host} for host in ("e1d.envoke.com", " e1d.envoke.com ", "HTTPS://E1D.Envoke.com/")),
        {"host": "https://e1d.envoke.com"},
        {"host": "e1d.envoke.com", "port": 0},  # an empty port in the form of Airflow 3.3
        {"host": "e1d.envoke.com", "schema": "https"},
    ],
    "https://h:8443": [{"host": "h:8443"}, {"host": "h", "port": 8443}, {"host": "h:8443", "port": 1}],
    "http://127.0.0.1:8025": [
        {"host": "http://127.0.0.1:8025"},
        {"host": "127.0.0.1", "port": 8025, "schema": "http"},
    ],
    **{url: [{"host": url}] for url in ("http://localhost:8025", "http://[::1]:8025", "https://[2001:db8::7]")},
    "https://h:1": [{"host": "h:1"}],
    "https://h:65535": [{"host": "h", "port": 65_535}],
    "https://192.0.2.7": [{"host": "192.0.2.7"}],
}


@pytest.mark.parametrize(
    ("parts", "expected"), [(each, url) for url, parts in HOSTS.items() for each in parts], ids=str
)
def test_a_host_is_read_from_its_parts(parts: dict[str, Any], expected: str) -> None:
    assert configure(**parts).base_url == expected


INVALID_HOSTS = {
    "https://": [  # unencrypted, and not to this machine
        "http://e1.envoke.com", "http://192.0.2.7", "http://127.0.0.1.example.com", "http://localhost.example.com",
        "http://0.0.0.0", "http://127.1",
    ],
    "scheme": ["ftp://e1.envoke.com", "file:///etc/passwd"],
    "path": ["https://e1.envoke.com/v1", "e1.envoke.com/v1/contacts"],
    "query": ["https://e1.envoke.com?x=1"],
    "fragment": ["https://e1.envoke.com#x"],
    "login": ["https://me:hidden-word@e1.envoke.com", "hidden-word@e1.envoke.com"],
    "host name": ["https://", ".", "-x", "е1.envoke.com", "e1 .envoke.com", "x" * 300],  # noqa: RUF001
    "host": [
        "é1.envoke.com", "e1.envoke。com", "e1.envoke.com\r\nX: y", "e1.en\nvoke.com", "e1.en\tvoke.com",
        "e1.envoke.com\0", "[::1", "https://[not-an-ip]", "a\\@e1.envoke.com",
    ],
    "port": ["h:0", "h:65536", "h:-1", "h:abc"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "fragment"),
    [
        *(({"host": host}, fragment) for fragment, hosts in INVALID_HOSTS.items() for host in hosts),
        ({"host": "e1.envoke.com", "schema": "http"}, "https://"),
        ({"host": "e1.envoke.com", "schema": "ftp"}, "scheme"),
        ({"host": "h", "port": 70_000}, "port"), ({"host": "h", "port": -1}, "port"), ({"host": ["h"]}, "host"),
        ({"schema": True}, "schema"),
    ],
    ids=lambda value: ascii(value)[:60],
)  # fmt: skip
def test_an_invalid_host_is_refused_with_the_part_to_change(parts: dict[str, Any], fragment: str) -> None:
    parts = {"host": "e1.envoke.com", **parts}

    assert fragment in refusal(**parts)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        *(("login", value) for value in (None, "  ", "a:b", "a\r\nb", True, 1.5)),
        *(("password", value) for value in (None, "", "a\nb", "a\0b", f"a{LONE_SURROGATE}", ["a"])),
    ],
    ids=ascii,
)
def test_invalid_credentials_are_refused_by_part(part: str, value: Any) -> None:
    assert part in refusal(**{part: value})


@pytest.mark.parametrize(
    ("login", "password", "read"),
    [
        pytest.param(" an-id\n", "\ta-key ", ("an-id", "a-key"), id="spaces from copying"),
        pytest.param(4711, 42, ("4711", "42"), id="numbers, as in JSON without quotes"),
        pytest.param("a", "b:c", ("a", "b:c"), id="a colon in the key"),
    ],
)
def test_credentials_are_read(login: Any, password: Any, read: tuple[str, str]) -> None:
    config = configure(login=login, password=password)

    assert (config.api_id, config.api_key) == read


def test_basic_credentials_are_id_and_key_in_utf8_on_one_line() -> None:
    credentials = EnvokeConfig("id", "ké:y" * 40).basic_credentials

    assert base64.b64decode(credentials, validate=True).decode() == "id:" + "ké:y" * 40
    assert credentials.isascii()
    assert credentials.isprintable()


def test_neither_id_nor_key_is_shown() -> None:
    config = configure(login="MARK-ID", password="MARK-KEY")

    for shown in (repr(config), str(config), f"{config}", f"{config!r:>5}"):
        assert "MARK" not in shown
        assert config.basic_credentials not in shown
        assert "https://e1.envoke.com" in shown
