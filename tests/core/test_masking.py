"""E-mail addresses in anything that reaches a log."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_envoke.core.masking import mask_emails


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("jon@example.com", "j***@example.com", id="address"),
        pytest.param("j@example.com", "j***@example.com", id="one letter"),
        pytest.param(
            "Item with email 'jon.doe@x.ca' not found", "Item with email 'j***@x.ca' not found", id="quoted"
        ),
        pytest.param("<jon+tag@x.ca>, ann@y.org;", "<j***@x.ca>, a***@y.org;", id="two"),
        pytest.param('{"email":"jon@x.ca"}', '{"email":"j***@x.ca"}', id="JSON"),
        pytest.param("?filter%5Bemail%5D=jon%40x.ca&a=1", "?filter%5Bemail%5D=j***%40x.ca&a=1", id="URL"),
        pytest.param("?a=jon%2Btag%40x.ca", "?a=j***%40x.ca", id="URL with an encoded plus"),
        pytest.param("mailto:jon@x.ca", "mailto:j***@x.ca", id="mailto"),
        pytest.param("zoë@exämple.com", "z***@exämple.com", id="unicode"),
        pytest.param("jon@x.ca\nann@y.ca", "j***@x.ca\na***@y.ca", id="lines"),
        pytest.param("no address @ all", "no address @ all", id="a lone @"),
        pytest.param("", "", id="empty"),
    ],
)
def test_local_parts_are_masked_and_the_rest_stays(text: str, expected: str) -> None:
    assert mask_emails(text) == expected


def test_masking_twice_is_masking_once() -> None:
    once = mask_emails("jon@x.ca")

    assert mask_emails(once) == once


@given(st.text(" ,'\"<>=:%ab.\n", max_size=30), st.text(" ,'\"<>=:ab.\n", max_size=30))
def test_no_surroundings_let_an_address_through(before: str, after: str) -> None:
    assert "marker@" not in mask_emails(f"{before} marker@doe.com {after}")


def test_a_megabyte_without_an_address_takes_no_time() -> None:
    started = time.monotonic()

    mask_emails("a" * 1_000_000)

    assert time.monotonic() - started < 5
