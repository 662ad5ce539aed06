"""Names and texts from outside, as messages and logs may show them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_envoke.envoke.messages import (
    Violation,
    check_choice,
    describe,
    mask_emails,
    quoted,
    shown_name,
)
from airflow_provider_envoke.exceptions import EnvokeConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jon@example.com", "j***@example.com"), ("j@example.com", "j***@example.com"),
        ("Item with email 'jon.doe@x.ca' not found", "Item with email 'j***@x.ca' not found"),
        ("<jon+tag@x.ca>, ann@y.org;", "<j***@x.ca>, a***@y.org;"),
        ('{"email":"jon@x.ca"}', '{"email":"j***@x.ca"}'),
        ("?filter%5Bemail%5D=jon%40x.ca&a=1", "?filter%5Bemail%5D=j***%40x.ca&a=1"),
        ("?a=jon%2Btag%40x.ca", "?a=j***%40x.ca"), ("mailto:jon@x.ca", "mailto:j***@x.ca"),
        ("zoë@exämple.com", "z***@exämple.com"), ("jon@x.ca\nann@y.ca", "j***@x.ca\na***@y.ca"),
        ("no address @ all", "no address @ all"), ("", ""),
    ],
)  # fmt: skip
def test_local_parts_are_masked_and_the_rest_stays(text: str, expected: str) -> None:
    masked = mask_emails(text)

    assert masked == expected
    assert mask_emails(masked) == masked


@given(st.text(" ,'\"<>=:%ab.\n", max_size=30), st.text(" ,'\"<>=:ab.\n", max_size=30))
def test_an_address_is_masked_in_any_surroundings(before: str, after: str) -> None:
    assert "marker@" not in mask_emails(f"{before} marker@doe.com {after}")


def test_a_megabyte_without_an_address_is_masked_quickly() -> None:
    started = time.monotonic()
    mask_emails("a" * 1_000_000)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("show", [quoted, shown_name])
@pytest.mark.parametrize("name", ["", " ", "a\r\nERROR", "\u202eeman", "\ud800", "é", "x" * 500, None, 7, ("a",)])
def test_any_name_is_shown_in_short_printable_ascii(show: object, name: object) -> None:
    shown = show(name)  # type: ignore[operator]

    assert shown.isascii()
    assert shown.isprintable()
    assert shown.strip()
    assert len(shown) <= 82


def test_addresses_in_names_are_masked() -> None:
    assert "marker" not in quoted("nmarker@doe.com") + shown_name("nmarker@doe.com")


def test_a_description_counts_fields_and_groups_them_by_message() -> None:
    violations = [
        Violation("city", "overlong", "too long"),
        Violation("phone", "overlong", "too long"),
        Violation("city", "invalid_value", "bytes"),
    ]

    assert describe(violations[:1]).startswith("1 field is invalid: city: too long")
    assert describe(violations).startswith("2 fields are invalid: city, phone: too long; city: bytes")


def test_of_10_000_violations_20_are_shown_and_the_rest_counted() -> None:
    many = [Violation(f"field{number}", "overlong", f"message{number % 5000}") for number in range(10_000)]

    for violations in (many, [each._replace(message="one") for each in many]):
        message = describe(violations)
        assert message.startswith("10000 fields")
        assert "field19" in message
        assert "field20" not in message
        assert "more" in message


@pytest.mark.parametrize("value", ["c", "", None, 7, ["a"], "nmarker@doe.com"], ids=repr)
def test_an_argument_outside_its_choices_is_refused(value: object) -> None:
    check_choice("letter", "b", ("a", "b"))

    with pytest.raises(EnvokeConfigError, match=r"letter .*'a' or 'b'") as caught:
        check_choice("letter", value, iter(("a", "b")))

    assert "marker" not in str(caught.value)
