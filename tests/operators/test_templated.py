"""Templated arguments: what templates and XComs render to becomes dicts and rows, or is rejected."""

from __future__ import annotations

import contextlib
import json
import os
from collections import deque
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError, EnvokeError
from airflow_provider_envoke.operators._templated import (
    check_rendered_nulls,
    check_rendered_rows,
    read_payload,
    read_rows,
    read_switch,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ROW = {
    "email": "jon@doe.com",
    "first_name": 'D\'Arcy "Z" Zoë\n',
    "city": None,
    "custom_fields": {"plan": ["a", 1]},
}
NEITHER = "neither JSON nor the repr"
TUPLES = "handler=rows_as_dicts"


def rejection(value: object, read: Any = read_payload) -> str:
    """Return the message with which a value is rejected; it is short, and has no value."""
    with pytest.raises(EnvokeDataError) as caught:
        read(value)
    message = str(caught.value)
    assert "marker" not in message
    assert len(message) < 600
    return message


@pytest.mark.parametrize(
    "value", [ROW, json.dumps(ROW, ensure_ascii=False, indent=2), f"\n  {ROW!r}\n", f" {json.dumps(ROW)}\n"]
)
def test_a_payload_is_read(value: object) -> None:
    assert read_payload(value) == ROW


def test_numbers_in_json_keep_their_decimal_places() -> None:
    assert str(read_payload('{"price": 1.50}')["price"]) == "1.50"


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"at": datetime(2000, 1, 2, tzinfo=UTC)}, "datetime.datetime(…)"),
        ({"id": UUID(int=1)}, "UUID(…)"),
        ({"a": Decimal(1), "b": date(2000, 1, 2)}, "Decimal(…), datetime.date(…)"),
        ({"price": float("nan")}, "nan"),
    ],
)
def test_a_repr_that_cannot_be_read_is_rejected_with_what_to_write(value: dict[str, Any], named: str) -> None:
    row = {"email": "marker@doe.com", **value}

    for argument, read, given_value in (("payload", read_payload, row), ("rows", read_rows, [row])):
        message = rejection(repr(given_value), read)
        assert f"with {named}, " in message
        assert f"{argument}=query.output" in message
        assert "2000" not in message


@pytest.mark.parametrize(
    ("value", "named"),
    [
        pytest.param(json.dumps([ROW, ROW]), "a list of 2", id="JSON list"),
        pytest.param(repr([ROW]), "a list of 1", id="repr of a list"),
        pytest.param(("marker", 1), TUPLES, id="tuple"),
        pytest.param("[('marker', 1)]", TUPLES, id="repr of tuples"),
        pytest.param("null", "None", id="JSON null"),
        pytest.param("{'marker'}", "set", id="repr of a set"),
        pytest.param("{{ marker }}", NEITHER, id="an unrendered template"),
        pytest.param("{{'email': 'marker'}}", NEITHER, id="doubled braces, as in an f-string"),
        pytest.param("{'a': 1}\0", NEITHER, id="NUL"),
        pytest.param("{'a': '\ud800'}", NEITHER, id="lone surrogate"),
        pytest.param('{"x": {"a": "marker", "a": 2}}', "(a)", id="a nested name twice"),
        pytest.param('{"a":' * 100_000, NEITHER, id="100,000 objects"),
        pytest.param("-" * 100_000 + "1", NEITHER, id="100,000 signs"),
        pytest.param("a" + ".b" * 1_500 + "()", "b.b.b.b.b(…)", id="1,500 dots"),
        pytest.param("9" * 5_000, NEITHER, id="5,000 digits"),
    ],
)
def test_anything_else_is_rejected(value: object, named: str) -> None:
    assert named in rejection(value)


@pytest.mark.parametrize("wrapped", ["{}", "{{'a': {}}}", "[{}]", "dict(a={})"])
def test_code_in_a_text_is_not_executed(wrapped: str) -> None:
    rejection(wrapped.format("__import__('os').environ.update(ENVOKE_EXECUTED='1')"))

    assert "ENVOKE_EXECUTED" not in os.environ


@given(st.text())
def test_any_text_is_read_or_rejected(text: str) -> None:
    with contextlib.suppress(EnvokeError):
        assert isinstance(read_payload(text), dict)


@given(
    st.dictionaries(
        st.text(), st.recursive(st.none() | st.text() | st.integers() | st.booleans(), st.lists, max_leaves=5)
    )
)
def test_what_jinja_renders_is_read_unchanged(row: dict[str, Any]) -> None:
    text = str(row)
    try:
        text.encode()
    except UnicodeEncodeError:
        return

    assert read_payload(text) == row
    assert read_payload(json.dumps(row)) == row


@pytest.mark.parametrize("rows", [[ROW, ROW], []])
@pytest.mark.parametrize("form", [list, tuple, json.dumps, repr])
def test_rows_are_read(rows: list[Any], form: Any) -> None:
    assert [*read_rows(form(rows))] == rows


class PandasFrame:
    """Like ``pandas.DataFrame``, whose iteration yields the names of its columns."""

    columns = ["email", "city"]  # noqa: RUF012 - a stand-in

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def to_dict(self, orient: str) -> list[dict[str, Any]]:
        return {"records": [ROW, ROW]}[orient]


class PolarsFrame:
    """Like ``polars.DataFrame``, whose iteration yields its columns."""

    columns = ("email", "city")

    def __iter__(self) -> Iterator[list[str]]:
        return iter([["a@b.c"], ["Laval"]])

    def to_dicts(self) -> list[dict[str, Any]]:
        return [ROW, ROW]

    def to_dict(self) -> dict[str, Any]:
        raise NotImplementedError


@pytest.mark.parametrize("frame", [PandasFrame(), PolarsFrame()], ids=["pandas", "polars"])
def test_a_data_frame_is_read_as_rows(frame: Any) -> None:
    assert read_rows(frame) == [ROW, ROW]


def test_a_data_frame_with_two_columns_of_one_name_is_refused_because_a_dict_has_one() -> None:
    frame = PandasFrame()
    frame.columns = ["email", "city", "city"]

    assert "city" in rejection(frame, read_rows)


@pytest.mark.parametrize("rows", [[ROW], deque([ROW]), (row for row in [ROW]), range(3)], ids=str)
def test_an_iterable_is_passed_on_as_it_is(rows: Any) -> None:
    assert read_rows(rows) is rows


@pytest.mark.parametrize("rows", [5, ROW, b"marker", '"marker"', json.dumps(ROW), object()], ids=str)
def test_what_has_no_rows_is_rejected_by_its_type(rows: Any) -> None:
    assert "iterable of dicts" in rejection(rows, read_rows)


@pytest.mark.parametrize("rows", [None, "null", " None "])
def test_rows_that_are_none_are_rejected_with_where_to_look(rows: Any) -> None:
    assert "upstream task" in rejection(rows, read_rows)


def nulls_in(value: object, argument: str = "payload") -> list[str]:
    """Return the names of the rendered nulls that are found, if their messages name the argument."""
    try:
        check_rendered_nulls(argument, value)
    except EnvokeDataError as error:
        found = {name for name, reason, _ in error.violations if reason == "rendered_null"}
        return sorted(found) if argument in str(error) else []
    return []


@pytest.mark.parametrize("text", ["None", "nan", "NaN", "NaT", "<NA>", " None "])
@pytest.mark.parametrize(
    ("payload", "name"),
    [
        ({"first_name": "{}"}, "first_name"),
        ({"custom_fields": {"plan": "{}"}}, "custom_fields.plan"),
        ({"custom_fields.plan": "{}"}, "custom_fields.plan"),
        ({"custom_fields": '{"plan": "{}"}'}, "custom_fields.plan"),
        ({"custom_fields": "{}"}, "custom_fields"),
        ({"interests": {"News": "{}"}}, "interests.News"),
        ({"INTERESTS": ["Shop", "{}"]}, "INTERESTS"),
        ({"interests": '["{}"]'}, "interests"),
    ],
)
def test_a_rendered_null_is_found(payload: dict[str, Any], name: str, text: str) -> None:
    def filled(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("{}", text)
        return [*map(filled, value)] if isinstance(value, list) else {key: filled(value[key]) for key in value}

    assert nulls_in({"email": "a@b.c", **filled(payload)}) == [name]


@pytest.mark.parametrize(
    "payload",
    [{"custom_fields.None": 1}, {"custom_fields": {"None": 1}}, {"custom_fields": '{"None": 1}'}],
    ids=["dotted", "dict", "JSON"],
)
def test_a_rendered_null_is_found_in_the_name_of_a_member(payload: dict[str, Any]) -> None:
    assert nulls_in(payload) == ["custom_fields.None"]


def test_all_rendered_nulls_are_named_at_once() -> None:
    assert nulls_in({"city": "None", "phone": "nan", "company": "None of Us"}) == ["city", "phone"]


def test_an_argument_that_is_a_rendered_null_is_named() -> None:
    assert nulls_in(" None\n", "rejects_path") == ["rejects_path"]


@pytest.mark.parametrize("value", ["Nonette", "Nan", "NONE", "", None, float("nan"), 0], ids=repr)
def test_other_values_are_not_rendered_nulls(value: object) -> None:
    assert nulls_in({"first_name": value, "custom_fields": {"a": value, None: 1}, "interests": [value]}) == []
    assert nulls_in(value) == []


def test_a_rendered_null_in_a_row_is_found_with_the_number_of_the_row() -> None:
    with pytest.raises(EnvokeDataError, match=r"city.*row 3 of rows"):
        check_rendered_rows([ROW, 7, {"city": "None"}])


@pytest.mark.parametrize("value", [True, "True", "true", " True\n"])
def test_a_switch_is_on_if_it_is_true_or_renders_to_true(value: object) -> None:
    assert read_switch("plan_only", value) is True


@pytest.mark.parametrize("value", [False, "False", "false"])
def test_a_switch_is_off_if_it_is_false_or_renders_to_false(value: object) -> None:
    assert read_switch("plan_only", value) is False


@pytest.mark.parametrize("value", ["", "0", "1", "no", "None", "Fasle", None, 0, 1, []])
def test_a_switch_that_is_neither_is_rejected_by_its_name(value: object) -> None:
    with pytest.raises(EnvokeConfigError, match="plan_only"):
        read_switch("plan_only", value)
