"""Custom fields, interests and autoresponders: the members of a field."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from airflow_provider_envoke.payload.build import PayloadRules
from tests.support.payloads import build, violations_of


@pytest.mark.parametrize(
    ("value", "number"),
    [
        pytest.param({"plan": "gold", "n": 1.0, "b": True}, "1", id="dict"),
        pytest.param('{"plan": "gold", "n": 1.0, "b": true}', "1.0", id="JSON"),
    ],
)
def test_custom_fields_come_as_dict_or_json(value: object, number: str) -> None:
    assert build({"custom_fields": value}) == {"custom_fields": {"plan": "gold", "n": number, "b": "true"}}


@pytest.mark.parametrize(
    "value",
    [
        {"A": "Set", "B": "uNSET"}, {"A": True, "B": False}, {"A": 1, "B": 0}, {"A": np.bool_(True), "B": 0.0},
        '{"A": true, "B": " unset "}',
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("group", ["interests", "autoresponders"])
def test_tags_come_in_many_spellings(group: str, value: object) -> None:
    assert build({group: value}) == {group: {"A": "Set", "B": "Unset"}}


@pytest.mark.parametrize(
    "value",
    [["A", "B"], ("A", "B"), {"A", "B"}, frozenset("AB"), '["A", "B"]', ["A", "B", "A"]],
    ids=["list", "tuple", "set", "frozenset", "JSON list of a warehouse's array", "twice"],
)
def test_a_list_of_tags_sets_them(value: object) -> None:
    assert build({"interests": value}) == {"interests": {"A": "Set", "B": "Set"}}


def test_a_null_member_clears_a_custom_field_and_leaves_a_tag_alone() -> None:
    row = {
        "custom_fields": {"plan": None},
        "custom_fields.tier": None,
        "interests": {"A": None},
        "interests.B": None,
    }

    assert build(row) == {}
    assert build(row, PayloadRules(nulls="clear")) == {"custom_fields": {"plan": "", "tier": ""}}


INVALID: dict[str, list[tuple[dict[str, Any], str]]] = {
    "invalid_value": [
        *(({"custom_fields": value}, "custom_fields") for value in ("marker", '{"a": marker', "{'a': 'marker'}")),
        *(({"custom_fields": value}, "custom_fields") for value in (["marker"], 7, "[" * 100_000)),
        ({"custom_fields": {"a": ["marker"]}}, "custom_fields.a"),
        *(({"interests": value}, "interests") for value in (["A", 7], "marker")),
    ],
    "invalid_name": [
        ({"custom_fields": {"a.b": 1}}, "custom_fields.a.b"),
        ({"custom_fields": {7: 1}}, "custom_fields.7"),
        ({"custom_fields.": 1}, "custom_fields."),
        ({"custom_fields.é": 1}, r"'custom_fields.\xe9'"),
        ({"custom_fields.a\n": 1}, r"'custom_fields.a\n'"),
        ({"interests": {" ": "Set"}}, "interests. "),
        ({"interests": [""]}, "interests."),
        ({"interests": {7: "Set"}}, "interests.7"),
    ],
    "duplicate_field": [
        ({"custom_fields": '{"a": "marker", "a": 2}'}, "custom_fields"),
        ({"custom_fields": {"a": 1}, "custom_fields.a": 1}, "custom_fields.a"),
        ({"interests.A": 1, "interests": ["A"]}, "interests.A"),
    ],
    "invalid_tag": [({"interests": {"A": value}}, "interests.A") for value in (2, "yes", "")],
}


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [(row, field, reason) for reason, cases in INVALID.items() for row, field in cases],
    ids=lambda value: ascii(value)[:60],
)
def test_an_invalid_member_is_rejected(row: dict[str, Any], field: str, reason: str) -> None:
    assert violations_of(row) == [(field, reason)]


def test_duplicate_json_names_do_not_hide_other_violations() -> None:
    row = {"zzz": 1, "interests": '{"A": "marker", "A": 0}', "id": "x"}

    assert [name for name, _ in violations_of(row)] == ["zzz", "interests", "id"]
