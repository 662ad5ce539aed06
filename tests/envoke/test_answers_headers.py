"""The headers of an answer, and any answer at all: only the provider's own exceptions come out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_envoke.exceptions import EnvokeError, EnvokeRejectedError, EnvokeTransientError
from tests.support.answers import ACCOUNT, FIND, UPDATE, UPDATED, failure, read

if TYPE_CHECKING:
    from airflow_provider_envoke.envoke.requests import Request


@pytest.mark.parametrize("status", [300, 301, 302, 304, 307, 308, 399])
@pytest.mark.parametrize(
    ("location", "shown"),
    [
        pytest.param("https://login.evil.com/?email=marker", "'login.evil.com'", id="another host"),
        pytest.param("https://user:marker@evil.com/marker", "'evil.com'", id="user information"),
        pytest.param("/marker", "same host", id="a path"),
        pytest.param(None, "same host", id="none"),
        pytest.param("https://[marker", "invalid address", id="broken"),
        pytest.param("https://\u202eevil.com", r"'\u202eevil.com'", id="RTL override"),
        pytest.param("https://e" + "v" * 500, "'e" + "v" * 79 + "'", id="long"),
    ],
)
def test_a_redirect_is_rejected_and_names_the_host_only(location: str | None, shown: str, status: int) -> None:
    error = failure(UPDATE, status, UPDATED, {"location": location} if location else {})

    assert type(error) is EnvokeRejectedError
    assert shown in str(error)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0), ("120", 120.0), (" 7 ", 7.0), ("9" * 400, 999_999_999.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        *((invalid, None) for invalid in ("", "-1", "1.5", "٣", "soon", "0 0 0 0")),
        *((invalid, None) for invalid in ("1 Jan 99999 00:00:00 GMT", "1 Jan 2024 00:00:00 +9999")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_read_or_ignored(value: str, seconds: float | None, status: int) -> None:
    error = failure(UPDATE, status, b"", {"retry-after": value})

    assert isinstance(error, EnvokeTransientError)
    assert error.retry_after == seconds


@pytest.mark.parametrize("zone", ["GMT", "-0000", "+0200"])
def test_retry_after_as_a_date_is_the_time_until_then(zone: str) -> None:
    shift = timedelta(hours=2) if zone == "+0200" else timedelta(0)
    text = format_datetime(datetime.now(UTC) + timedelta(seconds=100) + shift).replace("+0000", zone)

    error = failure(UPDATE, 429, b"", {"Retry-After": text})

    assert isinstance(error, EnvokeTransientError)
    assert 95 < (error.retry_after or 0) <= 100


NAMES = st.sampled_from(["success", "result_text", "result_data", "errors", "id"]) | st.text()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)
PARTS = {"success": JSON | st.booleans(), "result_text": JSON, "result_data": JSON | st.builds(dict, errors=JSON)}
ENVELOPES = st.fixed_dictionaries({}, optional=PARTS)
BODIES = (
    st.binary()
    | ENVELOPES.map(lambda value: json.dumps(value).encode())
    | st.tuples(ENVELOPES, st.integers(0, 60)).map(lambda cut: json.dumps(cut[0]).encode()[: cut[1]])
    | JSON.map(lambda value: json.dumps(value).encode())
    | JSON.map(lambda value: b"Warning: [0]\n" + json.dumps(value).encode())
)


def check_error(error: EnvokeError) -> None:
    assert str(error).isprintable()
    assert len(str(error)) < 30_000
    assert 0 <= (getattr(error, "retry_after", None) or 0) < float("inf")


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from([UPDATE, FIND, ACCOUNT]),
    st.integers(0, 999) | st.sampled_from([200, 400, 401, 429, 500]),
    st.dictionaries(
        st.sampled_from(["Retry-After", "Location"]), st.text() | st.from_regex(r"[0-9A-Za-z ,:+-]{0,40}")
    ),
    BODIES,
)
@example(FIND, 200, {}, b"[]")
@example(UPDATE, 503, {"Retry-After": " "}, b"")
def test_any_answer_is_data_of_the_expected_shape_or_one_of_our_errors(
    request_: Request, status: int, headers: dict[str, str], content: bytes
) -> None:
    try:
        value = read(request_, status, content, headers)
    except EnvokeError as error:
        check_error(error)
        return
    assert 200 <= status < 300
    if request_.expects == "list":
        assert isinstance(value, list)
        assert all(isinstance(item, dict) for item in value)
    else:
        assert isinstance(value, dict)
        assert value
        assert value.get("success", request_.expects == "object") is True
