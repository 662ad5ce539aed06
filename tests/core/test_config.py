"""The connection's parts: what is taken, what is refused, and in which words."""

from __future__ import annotations

import math
from typing import Any

import pytest

from airflow_provider_envoke.core.config import DEFAULT_HOST, EXTRAS, EnvokeConfig
from airflow_provider_envoke.exceptions import EnvokeConfigError

LONE_SURROGATE = "\ud800"


def configure(**parts: Any) -> EnvokeConfig:
    return EnvokeConfig.from_connection(**{"login": "an-id", "password": "a-key", **parts})


def refusal(**parts: Any) -> str:
    with pytest.raises(EnvokeConfigError) as caught:
        configure(**parts)
    return str(caught.value)


def test_a_connection_with_credentials_alone_gets_the_documented_defaults() -> None:
    config = configure()

    assert (config.api_id, config.api_key, config.base_url) == ("an-id", "a-key", "https://e1.envoke.com")
    assert (config.timeout_s, config.max_retries) == (30.0, 5)
    assert config.requests_per_second is None
    assert config.ca_bundle is None


@pytest.mark.parametrize(
    ("name", "value", "attribute", "expected"),
    [
        pytest.param("timeout", 12, "timeout_s", 12.0, id="timeout-int"),
        pytest.param("timeout", 0.5, "timeout_s", 0.5, id="timeout-float"),
        pytest.param("timeout", "12.5", "timeout_s", 12.5, id="timeout-text-from-a-URI"),
        pytest.param("timeout", 600, "timeout_s", 600.0, id="timeout-longest"),
        pytest.param("max_retries", 0, "max_retries", 0, id="no-retries"),
        pytest.param("max_retries", 20, "max_retries", 20, id="most-retries"),
        pytest.param("max_retries", "7", "max_retries", 7, id="retries-text-from-a-URI"),
        pytest.param("max_retries", 3.0, "max_retries", 3, id="retries-whole-float"),
        pytest.param("requests_per_second", 2, "requests_per_second", 2.0, id="rate-int"),
        pytest.param("requests_per_second", 0.5, "requests_per_second", 0.5, id="rate-below-one"),
        pytest.param("requests_per_second", "2.5", "requests_per_second", 2.5, id="rate-text-from-a-URI"),
        pytest.param("requests_per_second", 10_000, "requests_per_second", 10_000.0, id="rate-highest"),
        pytest.param("ca_bundle", "/etc/ça.pem", "ca_bundle", "/etc/ça.pem", id="bundle"),
    ],
)
def test_an_extra_of_the_right_type_is_taken(name: str, value: Any, attribute: str, expected: Any) -> None:
    taken = getattr(configure(extra={name: value}), attribute)

    assert taken == expected
    assert type(taken) is type(expected)


@pytest.mark.parametrize("name", EXTRAS)
@pytest.mark.parametrize("empty", [None, ""], ids=["null", "empty-text"])
def test_an_empty_extra_means_its_default(name: str, empty: Any) -> None:
    assert configure(extra={name: empty}) == configure()


NOT_NUMBERS = {
    "bool": True,
    "false": False,
    "nan": math.nan,
    "nan-text": "nan",
    "infinity": math.inf,
    "infinity-text": "inf",
    "minus-infinity": -math.inf,
    "word": "soon",
    "list": [1],
    "dict": {"a": 1},
    "negative": -1,
    "huge": 10**400,
    "huge-text": "1e999",
    "blank": " ",
}


@pytest.mark.parametrize("name", ["timeout", "max_retries", "requests_per_second"])
@pytest.mark.parametrize("value", NOT_NUMBERS.values(), ids=NOT_NUMBERS.keys())
def test_an_extra_that_is_no_sensible_number_is_refused_by_name(name: str, value: Any) -> None:
    message = refusal(extra={name: value})

    assert f"extra {name!r} has to be a" in message
    assert "number" in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("timeout", 0, id="timeout-zero"),
        pytest.param("timeout", 600.5, id="timeout-too-long"),
        pytest.param("max_retries", 21, id="too-many-retries"),
        pytest.param("max_retries", 2.5, id="half-a-retry"),
        pytest.param("max_retries", "2.5", id="half-a-retry-as-text"),
        pytest.param("requests_per_second", 0, id="rate-zero"),
        pytest.param("requests_per_second", 10_001, id="rate-too-high"),
        pytest.param("ca_bundle", 5, id="bundle-number"),
        pytest.param("ca_bundle", True, id="bundle-bool"),
        pytest.param("ca_bundle", ["/a"], id="bundle-list"),
        pytest.param("ca_bundle", "/a\0b", id="bundle-NUL"),
        pytest.param("ca_bundle", f"/a{LONE_SURROGATE}", id="bundle-half-a-character"),
    ],
)
def test_an_extra_out_of_its_range_is_refused_by_name(name: str, value: Any) -> None:
    assert f"extra {name!r} has to be" in refusal(extra={name: value})


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        pytest.param("timeuot", "timeout", id="typo"),
        pytest.param("max_retry", "max_retries", id="singular"),
        pytest.param("ca-bundle", "ca_bundle", id="hyphen"),
    ],
)
def test_an_unknown_extra_is_named_with_a_suggestion(name: str, suggestion: str) -> None:
    message = refusal(extra={name: 1})

    assert f"unknown extra {name!r}" in message
    assert f"Did you mean {suggestion!r}?" in message


def test_an_unknown_extra_unlike_any_is_named_with_the_list_of_all() -> None:
    message = refusal(extra={"Authorization": "a-secret-value"})

    assert "'Authorization'" in message
    assert all(name in message for name in EXTRAS)
    assert "Did you mean" not in message
    assert "a-secret-value" not in message


def test_the_name_of_a_hostile_extra_is_quoted_and_cut() -> None:
    message = refusal(extra={"a\r\nb\x1b[31m" + "x" * 1000: 1})

    assert message.isprintable()
    assert len(message) < 300


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param({"host": "e1d.envoke.com"}, "https://e1d.envoke.com", id="name"),
        pytest.param({"host": " e1d.envoke.com "}, "https://e1d.envoke.com", id="name-with-blanks"),
        pytest.param({"host": "https://e1d.envoke.com"}, "https://e1d.envoke.com", id="URL"),
        pytest.param({"host": "HTTPS://E1D.Envoke.com/"}, "https://e1d.envoke.com", id="URL-case-and-slash"),
        pytest.param({"host": None}, DEFAULT_HOST, id="none"),
        pytest.param({"host": ""}, DEFAULT_HOST, id="empty"),
        pytest.param({"host": "   "}, DEFAULT_HOST, id="blank"),
        pytest.param({"host": "e1d.envoke.com:8443"}, "https://e1d.envoke.com:8443", id="port-in-the-host"),
        pytest.param({"host": "e1d.envoke.com", "port": 8443}, "https://e1d.envoke.com:8443", id="port-field"),
        pytest.param({"host": "e1d.envoke.com", "port": 0}, "https://e1d.envoke.com", id="port-0-of-the-form"),
        pytest.param({"host": "h:8443", "port": 1}, "https://h:8443", id="port-in-the-host-wins"),
        pytest.param({"port": 8443}, f"{DEFAULT_HOST}:8443", id="port-field-alone"),
        pytest.param({"host": "e1d.envoke.com", "schema": "https"}, "https://e1d.envoke.com", id="schema"),
        pytest.param({"host": "http://127.0.0.1:8025"}, "http://127.0.0.1:8025", id="http-127.0.0.1"),
        pytest.param({"host": "http://localhost:8025"}, "http://localhost:8025", id="http-localhost"),
        pytest.param({"host": "http://[::1]:8025"}, "http://[::1]:8025", id="http-IPv6-loopback"),
        pytest.param(
            {"host": "127.0.0.1", "port": 8025, "schema": "http"}, "http://127.0.0.1:8025", id="http-by-schema"
        ),
        pytest.param({"host": "https://[2001:db8::7]"}, "https://[2001:db8::7]", id="https-IPv6"),
        pytest.param({"host": "192.0.2.7"}, "https://192.0.2.7", id="https-IPv4"),
    ],
)
def test_a_host_is_read_from_its_parts(parts: dict[str, Any], expected: str) -> None:
    assert configure(**parts).base_url == expected


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        pytest.param({"host": "http://e1.envoke.com"}, "in the clear", id="http"),
        pytest.param({"host": "e1.envoke.com", "schema": "http"}, "in the clear", id="http-by-schema"),
        pytest.param({"host": "http://192.0.2.7"}, "in the clear", id="http-IP"),
        pytest.param({"host": "http://127.0.0.1.example.com"}, "in the clear", id="http-loopback-look-alike"),
        pytest.param({"host": "http://localhost.example.com"}, "in the clear", id="http-localhost-look-alike"),
        pytest.param({"host": "http://0.0.0.0"}, "in the clear", id="http-any"),
        pytest.param({"host": "http://127.1"}, "in the clear", id="http-short-IP"),
        pytest.param({"host": "ftp://e1.envoke.com"}, "https", id="ftp"),
        pytest.param({"host": "e1.envoke.com", "schema": "ftp"}, "https", id="ftp-by-schema"),
        pytest.param({"host": "file:///etc/passwd"}, "https", id="file"),
        pytest.param({"host": "https://e1.envoke.com/v1"}, "path", id="path"),
        pytest.param({"host": "e1.envoke.com/v1/contacts"}, "path", id="path-without-scheme"),
        pytest.param({"host": "https://e1.envoke.com?x=1"}, "query", id="query"),
        pytest.param({"host": "https://e1.envoke.com#x"}, "fragment", id="fragment"),
        pytest.param({"host": "https://me:hidden-word@e1.envoke.com"}, "user information", id="user"),
        pytest.param({"host": "hidden-word@e1.envoke.com"}, "user information", id="user-without-scheme"),
        pytest.param({"host": "https://"}, "host name", id="scheme-alone"),
        pytest.param({"host": "."}, "host name", id="dot"),
        pytest.param({"host": "-x"}, "host name", id="hyphen-first"),
        pytest.param({"host": "é1.envoke.com"}, "host", id="accent"),
        pytest.param({"host": "е1.envoke.com"}, "host name", id="Cyrillic-look-alike"),  # noqa: RUF001
        pytest.param({"host": "e1.envoke。com"}, "host", id="ideographic-dot"),
        pytest.param({"host": "e1 .envoke.com"}, "host name", id="blank-inside"),
        pytest.param({"host": "e1.envoke.com\r\nX: y"}, "host", id="CR-LF-header"),
        pytest.param({"host": "e1.en\nvoke.com"}, "host", id="LF-inside"),
        pytest.param({"host": "e1.en\tvoke.com"}, "host", id="tab-inside"),
        pytest.param({"host": "e1.envoke.com\0"}, "host", id="NUL"),
        pytest.param({"host": "[::1"}, "valid URL", id="half-a-bracket"),
        pytest.param({"host": "https://[not-an-ip]"}, "host", id="brackets-around-a-name"),
        pytest.param({"host": "a\\@e1.envoke.com"}, "host", id="backslash"),
        pytest.param({"host": "x" * 300}, "host name", id="endless"),
        pytest.param({"host": "h:0"}, "port", id="port-0-in-the-host"),
        pytest.param({"host": "h:65536"}, "port", id="port-too-high"),
        pytest.param({"host": "h:-1"}, "port", id="port-negative"),
        pytest.param({"host": "h:abc"}, "port", id="port-word"),
        pytest.param({"host": "h", "port": 70_000}, "port", id="port-field-too-high"),
        pytest.param({"host": "h", "port": -1}, "port", id="port-field-negative"),
    ],
)
def test_a_host_that_cannot_be_is_refused_in_words(parts: dict[str, Any], words: str) -> None:
    message = refusal(**parts)

    assert words in message
    assert "hidden-word" not in message
    assert message.isprintable()
    assert len(message) < 400


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        pytest.param({"login": None}, "login (the API ID) is empty", id="no-login"),
        pytest.param({"login": "  "}, "login (the API ID) is empty", id="blank-login"),
        pytest.param({"password": None}, "password (the API key) is empty", id="no-password"),
        pytest.param({"password": ""}, "password (the API key) is empty", id="empty-password"),
        pytest.param({"login": "a:b"}, "login (the API ID) holds a character", id="colon-in-login"),
        pytest.param({"login": "a\r\nb"}, "login (the API ID) holds a character", id="CR-LF-in-login"),
        pytest.param({"password": "a\nb"}, "password (the API key) holds a character", id="LF-in-password"),
        pytest.param({"password": "a\0b"}, "password (the API key) holds a character", id="NUL-in-password"),
        pytest.param({"password": f"a{LONE_SURROGATE}"}, "password (the API key)", id="half-a-character"),
    ],
)
def test_credentials_that_cannot_be_are_refused_by_part(parts: dict[str, Any], words: str) -> None:
    assert words in refusal(**parts)


def test_credentials_are_stripped_of_what_copying_leaves_around_them() -> None:
    config = configure(login=" an-id\n", password="\ta-key ")

    assert (config.api_id, config.api_key) == ("an-id", "a-key")


def test_a_key_may_hold_a_colon() -> None:
    assert configure(password="a:b").api_key == "a:b"


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r:>5}".format], ids=["repr", "str", "format", "spec"])
def test_neither_id_nor_key_is_shown(show: Any) -> None:
    config = configure(login="MARK-ID", password="MARK-KEY")

    assert "MARK" not in show(config)
    assert "https://e1.envoke.com" in show(config)
