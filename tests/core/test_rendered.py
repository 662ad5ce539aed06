"""What templates, XComs and JSON columns leave behind."""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_envoke.core.rendered import check_rendered_nulls, read_json_object, read_payload, read_rows
from airflow_provider_envoke.exceptions import EnvokeDataError, EnvokeError

ROW = {
    "email": "jon@doe.com",
    "first_name": 'D\'Arcy "Z" Zoë\n',
    "city": None,
    "custom_fields": {"plan": ["a", 1]},
}


def refusal(value: object, read: Any = read_payload) -> str:
    with pytest.raises(EnvokeDataError) as caught:
        read(value)
    return str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(ROW, id="dict"),
        pytest.param(json.dumps(ROW), id="JSON"),
        pytest.param(json.dumps(ROW, ensure_ascii=False, indent=2), id="JSON, indented"),
        pytest.param(repr(ROW), id="repr"),
        pytest.param(f"\n  {ROW!r}\n", id="repr with space around"),
        pytest.param(f" {json.dumps(ROW)}\n", id="JSON with space around"),
    ],
)
def test_a_row_is_read(value: object) -> None:
    assert read_payload(value) == ROW


def test_numbers_in_json_keep_their_places() -> None:
    assert read_payload('{"price": 1.50}') == {"price": Decimal("1.50")}
    assert str(read_payload('{"price": 1.50}')["price"]) == "1.50"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        pytest.param({"born": date(2000, 1, 2)}, "datetime.date(…)", id="date"),
        pytest.param({"at": datetime(2000, 1, 2, tzinfo=UTC)}, "datetime.datetime(…)", id="datetime"),
        pytest.param({"price": Decimal("1.5")}, "Decimal(…)", id="Decimal"),
        pytest.param({"id": UUID(int=1)}, "UUID(…)", id="UUID"),
        pytest.param({"a": Decimal(1), "b": date(2000, 1, 2)}, "Decimal(…), datetime.date(…)", id="two of them"),
        pytest.param({"price": float("nan")}, "holds nan", id="nan"),
    ],
)
def test_a_repr_that_a_template_cannot_carry_is_named_with_what_to_write(
    value: dict[str, Any], found: str
) -> None:
    message = refusal(repr({"email": "marker@doe.com", **value}))

    assert found in message
    assert "XComArg such as payload=query.output" in message
    assert "CAST … AS VARCHAR" in message
    assert "marker" not in message
    assert "2000" not in message


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param([ROW], "a list of 1, not one row", id="list"),
        pytest.param(json.dumps([ROW, ROW]), "a list of 2", id="JSON list"),
        pytest.param(repr([ROW]), "a list of 1", id="repr of a list"),
        pytest.param([], "a list of 0", id="empty list"),
        pytest.param(("marker", 1), "handler=rows_as_dicts", id="tuple"),
        pytest.param("[('marker', 1)]", "handler=rows_as_dicts", id="repr of tuples"),
        pytest.param(None, "payload is None", id="None"),
        pytest.param("None", "payload is None", id="the text None"),
        pytest.param("null", "payload is None", id="JSON null"),
        pytest.param("", "rendered to nothing", id="empty"),
        pytest.param(" \n", "rendered to nothing", id="blank"),
        pytest.param(7, "not int", id="number"),
        pytest.param('"marker"', "not str", id="JSON text"),
        pytest.param("{'marker'}", "not set", id="repr of a set"),
        pytest.param("marker of a template", "neither JSON nor the repr", id="prose"),
        pytest.param("{'a': 'marker", "neither JSON nor the repr", id="cut off"),
        pytest.param("{{ marker }}", "neither JSON nor the repr", id="an unrendered template"),
        pytest.param("{{'email': 'marker'}}", "neither JSON nor the repr", id="braces doubled, as in an f-string"),
        pytest.param("{'a': 1}\0", "neither JSON nor the repr", id="NUL"),
        pytest.param("{'a': '\ud800'}", "neither JSON nor the repr", id="lone surrogate"),
        pytest.param('{"email": "marker", "email": "b"}', "names a field twice", id="duplicate JSON keys"),
        pytest.param('{"x": {"a": "marker", "a": 2}}', "names a field twice", id="duplicate nested JSON keys"),
        pytest.param("[" * 100_000, "neither JSON nor the repr", id="100,000 brackets"),
        pytest.param('{"a":' * 100_000, "neither JSON nor the repr", id="100,000 objects"),
        pytest.param("-" * 100_000 + "1", "neither JSON nor the repr", id="100,000 signs"),
        pytest.param("a" + ".b" * 1_500 + "()", "b.b.b.b.b(…)", id="1,500 dots"),
        pytest.param("9" * 5_000, "neither JSON nor the repr", id="5,000 digits"),
    ],
)
def test_anything_else_is_refused_in_words_that_hold_no_value(value: object, words: str) -> None:
    message = refusal(value)

    assert words in message
    assert "marker" not in message
    assert len(message) < 600


@pytest.mark.parametrize("wrapped", ["{}", "{{'a': {}}}", "[{}]", "dict(a={})"])
def test_code_in_a_text_is_not_executed(wrapped: str) -> None:
    code = "__import__('os').environ.update(ENVOKE_EXECUTED='1')"

    refusal(wrapped.format(code))

    assert "ENVOKE_EXECUTED" not in os.environ


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(EnvokeError):
        assert isinstance(read_payload(text), dict)


@given(
    st.dictionaries(
        st.text(), st.recursive(st.none() | st.text() | st.integers() | st.booleans(), st.lists, max_leaves=5)
    )
)
def test_what_jinja_renders_comes_back_as_it_was(row: dict[str, Any]) -> None:
    text = str(row)
    try:
        text.encode()
    except UnicodeEncodeError:
        return

    assert read_payload(text) == row
    assert read_payload(json.dumps(row)) == row


@pytest.mark.parametrize(
    "value",
    [
        pytest.param([ROW, ROW], id="list"),
        pytest.param((ROW, ROW), id="tuple"),
        pytest.param(json.dumps([ROW, ROW]), id="JSON"),
        pytest.param(repr([ROW, ROW]), id="repr"),
    ],
)
def test_rows_are_read(value: object) -> None:
    assert read_rows(value) == [ROW, ROW]


def test_no_rows_are_rows_too() -> None:
    assert read_rows("[]") == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param(None, "not NoneType", id="None"),
        pytest.param("None", "not NoneType", id="the text None"),
        pytest.param("", "rows rendered to nothing", id="empty"),
        pytest.param(ROW, "not dict", id="one row"),
        pytest.param([ROW, ("marker", 1)], "row 2 is tuple", id="a tuple"),
        pytest.param([None], "row 1 is NoneType", id="a None"),
        pytest.param("[('marker', 1)]", "handler=rows_as_dicts", id="repr of tuples"),
        pytest.param("[Decimal('1')]", "rows is the repr of a Python value that holds Decimal(…)", id="Decimal"),
    ],
)
def test_rows_that_are_none_are_refused(value: object, words: str) -> None:
    message = refusal(value, read_rows)

    assert words in message
    assert "marker" not in message


def test_a_text_that_is_not_json_comes_back_as_it_is() -> None:
    text = "{'a': 1}"

    assert read_json_object(text) is text


@pytest.mark.parametrize("text", ["None", "nan", "NaN", "NaT", "<NA>", " None "])
@pytest.mark.parametrize(
    ("payload", "name"),
    [
        pytest.param({"first_name": "{}"}, "first_name", id="field"),
        pytest.param({"custom_fields": {"plan": "{}"}}, "custom_fields.plan", id="custom field"),
        pytest.param({"custom_fields.plan": "{}"}, "custom_fields.plan", id="dotted"),
        pytest.param({"interests": {"News": "{}"}}, "interests.News", id="tag"),
    ],
)
def test_the_text_that_a_template_makes_of_a_missing_value_is_refused(
    payload: dict[str, Any], name: str, text: str
) -> None:
    filled = json.loads(json.dumps(payload).replace("{}", text))

    with pytest.raises(EnvokeDataError, match=f"{name}: the text that a template makes") as caught:
        check_rendered_nulls({"email": "a@b.c", **filled})

    assert [(v.field, v.reason) for v in caught.value.violations] == [(name, "rendered_null")]


def test_all_rendered_nulls_are_named_at_once() -> None:
    with pytest.raises(EnvokeDataError) as caught:
        check_rendered_nulls({"city": "None", "phone": "nan", "company": "None of Us"})

    assert [v.field for v in caught.value.violations] == ["city", "phone"]


@pytest.mark.parametrize("value", ["Nonette", "Nan", "NONE", "", None, float("nan"), 0], ids=repr)
def test_other_values_are_no_rendered_nulls(value: object) -> None:
    check_rendered_nulls({"first_name": value, "custom_fields": {"a": value}})
