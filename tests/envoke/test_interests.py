"""Tags and subscriptions, as they are written and as they are read."""

from __future__ import annotations

import pytest

from airflow_provider_envoke.envoke.interests import differing_tags, is_tag_name, tag_names, tag_state


@pytest.mark.parametrize(
    ("text", "state"),
    [
        *((text, "Set") for text in ("Set", "SET", " set ", "true", "True", "1")),
        *((text, "Unset") for text in ("Unset", "uNSET", "unset\n", "false", "FALSE", "0")),
        *((text, None) for text in ("", " ", "yes", "no", "2", "1.0", "Set Unset", "sett")),
    ],
)
def test_a_state_is_read_from_its_spellings(text: str, state: str | None) -> None:
    assert tag_state(text) == state


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        *((name, True) for name in ("News", "2024", " a ", "Nouvelles été", "a.b", "👍")),
        *((name, False) for name in ("", " ", "\n", "a\0", "\ud800", None, 7, True, ["a"])),
    ],
    ids=ascii,
)
def test_a_name_is_non_empty_valid_text(name: object, valid: bool) -> None:
    assert is_tag_name(name) is valid


@pytest.mark.parametrize(
    ("value", "names"),
    [
        pytest.param(["A", "B"], {"A", "B"}, id="list"),
        pytest.param({"0": "A", "5": "B"}, {"A", "B"}, id="PHP's list with gaps"),
        pytest.param([2024, "A"], {"2024", "A"}, id="a name of digits"),
        *(pytest.param(empty, set(), id=repr(empty)) for empty in ([], {}, None, "", 5, False)),
    ],
)
def test_names_are_read_in_any_known_shape(value: object, names: set[str]) -> None:
    assert tag_names(value) == names


@pytest.mark.parametrize(
    ("desired", "current", "differing"),
    [
        ({"A": "Set", "B": "Set", "C": "Unset", "D": "Unset"}, ["A", "C"], {"B": "Set", "C": "Unset"}),
        pytest.param({"A": "Set"}, {"5": "A"}, {}, id="PHP's list with gaps"),
        pytest.param({"5": "Set"}, {"5": "A"}, {"5": "Set"}, id="PHP's keys are not names"),
        pytest.param({"2024": "Set"}, [2024], {}, id="a name of digits"),
        pytest.param({"A": "Set", "B": "Unset"}, None, {"A": "Set"}, id="null"),
        pytest.param({"A": "Set", "B": "Unset"}, [], {"A": "Set"}, id="none"),
        pytest.param({"news": "Set"}, ["News"], {"news": "Set"}, id="set in another case: send it"),
        pytest.param({"news": "Unset"}, ["News"], {"news": "Unset"}, id="unset in another case: send it"),
        pytest.param({}, ["A"], {}, id="nothing desired"),
    ],
)
def test_only_tags_in_another_state_are_sent(
    desired: dict[str, str], current: object, differing: dict[str, str]
) -> None:
    assert differing_tags(desired, current) == differing
