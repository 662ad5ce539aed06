"""Custom fields, interests and autoresponders: names and values within a field."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.core.building import broken, build


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"plan": "gold", "n": 1.0, "b": True}, id="dict"),
        pytest.param('{"plan": "gold", "n": 1.0, "b": true}', id="JSON"),
    ],
)
def test_custom_fields_come_as_dict_or_json(value: object) -> None:
    number = "1" if isinstance(value, dict) else "1.0"

    assert build({"custom_fields": value}) == {"custom_fields": {"plan": "gold", "n": number, "b": "true"}}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"A": "Set", "B": "uNSET"}, id="words"),
        pytest.param({"A": True, "B": False}, id="bools"),
        pytest.param({"A": 1, "B": 0}, id="numbers"),
        pytest.param({"A": np.bool_(True), "B": 0.0}, id="numpy"),
        pytest.param('{"A": true, "B": " unset "}', id="JSON"),
    ],
)
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


@pytest.mark.parametrize(
    ("row", "found"),
    [
        pytest.param({"custom_fields": "marker"}, ("custom_fields", "invalid_value"), id="text"),
        pytest.param({"custom_fields": '{"a": marker'}, ("custom_fields", "invalid_value"), id="broken JSON"),
        pytest.param({"custom_fields": "{'a': 'marker'}"}, ("custom_fields", "invalid_value"), id="repr"),
        pytest.param({"custom_fields": ["marker"]}, ("custom_fields", "invalid_value"), id="list"),
        pytest.param({"custom_fields": 7}, ("custom_fields", "invalid_value"), id="number"),
        pytest.param({"custom_fields": "[" * 100_000}, ("custom_fields", "invalid_value"), id="brackets"),
        pytest.param({"custom_fields": {"a": ["marker"]}}, ("custom_fields.a", "invalid_value"), id="nested list"),
        pytest.param({"custom_fields": {"a.b": 1}}, ("custom_fields.a.b", "invalid_name"), id="dotted name"),
        pytest.param({"custom_fields": {7: 1}}, ("custom_fields.7", "invalid_name"), id="number for a name"),
        pytest.param({"custom_fields.": 1}, ("custom_fields.", "invalid_name"), id="dot alone"),
        pytest.param({"custom_fields.é": 1}, (r"'custom_fields.\xe9'", "invalid_name"), id="non-ASCII name"),
        pytest.param(
            {"custom_fields.a\n": 1}, (r"'custom_fields.a\n'", "invalid_name"), id="line break in a name"
        ),
        pytest.param(
            {"custom_fields": '{"a": "marker", "a": 2}'},
            ("custom_fields", "duplicate_field"),
            id="JSON keys twice",
        ),
        pytest.param(
            {"custom_fields": {"a": 1}, "custom_fields.a": 1}, ("custom_fields.a", "duplicate_field"), id="twice"
        ),
        pytest.param({"interests.A": 1, "interests": ["A"]}, ("interests.A", "duplicate_field"), id="tag twice"),
        pytest.param({"interests": {"A": 2}}, ("interests.A", "invalid_tag"), id="tag 2"),
        pytest.param({"interests": {"A": "yes"}}, ("interests.A", "invalid_tag"), id="tag yes"),
        pytest.param({"interests": {"A": ""}}, ("interests.A", "invalid_tag"), id="tag empty"),
        pytest.param({"interests": {" ": "Set"}}, ("interests. ", "invalid_name"), id="blank tag"),
        pytest.param({"interests": [""]}, ("interests.", "invalid_name"), id="blank tag in a list"),
        pytest.param({"interests": {7: "Set"}}, ("interests.7", "invalid_name"), id="number for a tag"),
        pytest.param({"interests": ["A", 7]}, ("interests", "invalid_value"), id="number in a list"),
        pytest.param({"interests": "marker"}, ("interests", "invalid_value"), id="text for tags"),
    ],
)
def test_what_is_wrong_within_a_group_is_told(row: dict[str, Any], found: tuple[str, str]) -> None:
    assert broken(row) == [found]


def test_json_keys_given_twice_do_not_hide_other_violations() -> None:
    row = {"zzz": 1, "interests": '{"A": 1, "A": 0}', "id": "x"}

    assert [name for name, _ in broken(row)] == ["zzz", "interests", "id"]
