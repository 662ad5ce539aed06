"""Whole numbers, contact ids and JSON, as a warehouse returns them."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_envoke.envoke.fields import as_contact_id
from airflow_provider_envoke.envoke.values import as_integer, describe_json_error, read_json_object
from airflow_provider_envoke.exceptions import EnvokeDataError

SEVENS = [7, "7", "7.0", 7.0, Decimal("7"), Decimal("7.00"), np.int64(7), np.uint32(7), np.float64(7), "007"]

NOT_WHOLE = [
    True, 1.5, "1.5", "", ".0", "-1", "+1", " 1", "1\r\n", "1\n", "1e3", "1_000", "1.0.0", "٣", "²", "9" * 21,
    "0x1", date(2024, 1, 1), [1], b"1", "1?x", "../1",
]  # fmt: skip


@pytest.mark.parametrize("value", SEVENS, ids=repr)
def test_a_whole_number_is_read_from_all_its_types(value: object) -> None:
    assert as_integer(value) == 7
    assert as_contact_id(value) == 7


def test_large_whole_numbers_are_read() -> None:
    assert as_integer(Decimal("7E+2")) == 700
    assert as_integer(10**19) == 10**19


@pytest.mark.parametrize("value", NOT_WHOLE, ids=ascii)
def test_anything_else_is_not_a_whole_number(value: object) -> None:
    for read in (as_integer, as_contact_id):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - several reasons
            read(value)
        assert type(caught.value) is ValueError


@pytest.mark.parametrize("value", [None, float("nan"), Decimal("sNaN"), np.datetime64("NaT")], ids=str)
def test_a_null_is_neither_a_number_nor_an_error(value: object) -> None:
    assert as_integer(value) is None
    assert as_contact_id(value) is None


def test_contact_ids_have_32_bits() -> None:
    assert as_contact_id(1) == 1
    assert as_contact_id("4294967295") == 4_294_967_295
    for value in (0, -1, 4_294_967_296, 10**5000):
        with pytest.raises(ValueError, match="4294967295"):
            as_contact_id(value)


def test_numbers_in_json_keep_their_places() -> None:
    assert str(read_json_object('{"price": 1.50}')["price"]) == "1.50"


@pytest.mark.parametrize("text", ["{'a': 1}", "", "marker", '{"a":', "[" * 100_000, "9" * 5_000])
def test_text_that_is_not_json_is_returned_unchanged(text: str) -> None:
    assert read_json_object(text) is text


@pytest.mark.parametrize("text", ['{"email": "marker", "email": 2}', '{"x": {"email": "marker", "email": 2}}'])
def test_a_name_that_json_contains_twice_is_refused(text: str) -> None:
    with pytest.raises(EnvokeDataError, match="email") as caught:
        read_json_object(text)

    assert "marker" not in str(caught.value)


def test_the_message_about_10_000_repeated_names_stays_short() -> None:
    text = "{" + ", ".join(f'"name{number}": 1, "name{number}": 2' for number in range(10_000)) + "}"

    with pytest.raises(EnvokeDataError) as caught:
        read_json_object(text)

    assert len(str(caught.value)) < 500


# Broken JSON -> line and column, counted from 1, where reading cannot go on.
BROKEN = {
    '{"name": "marker" "plan": 1}': (1, 19),
    '{"name": "marker",\n "plan": marker}': (2, 10),
    ' [{"name": "marker"': (1, 20),
    '{"name": "marker\n"}': (1, 17),
    '{"name": "marker}': (1, 10),
    '{"name": "\\marker"}': (1, 11),
    '{"name": 1} marker': (1, 13),
    "[marker]": (1, 2),
}


@pytest.mark.parametrize("text", BROKEN, ids=ascii)
def test_broken_json_says_where_it_breaks_and_shows_nothing_of_it(text: str) -> None:
    line, column = BROKEN[text]

    found = describe_json_error(text)

    assert found.startswith(f"line {line} column {column}: ")
    assert "marker" not in found


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}', "[]", "", "marker", '"marker', "{'a': marker}", "[('marker', datetime.date(2026, 1, 1))]",
        "{{ marker }}", " {{'a': 1}}", "[" * 100_000, "9" * 5_000, "[" + "9" * 5_000 + "]",
    ],
    ids=lambda text: ascii(text[:20]),
)  # fmt: skip
def test_what_is_not_broken_json_has_no_place(text: str) -> None:
    assert describe_json_error(text) == ""


@given(st.sampled_from(["", "{", "[", '{"', '[{"a": "']), st.text())
def test_of_any_text_only_a_place_and_a_rule_of_json_are_shown(start: str, text: str) -> None:
    found = describe_json_error(start + text)

    assert re.fullmatch(r"(line \d+ column \d+: [a-zA-Z' ,:\\\-()]+)?", found)
