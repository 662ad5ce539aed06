"""The plan as Markdown, for the person who approves it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_envoke.sync import report_as_markdown
from airflow_provider_envoke.sync.compare import Decision
from airflow_provider_envoke.sync.guards import REASONS
from tests.support.reports import CURRENT, EACH, EACH_KEPT, report, tally

HOSTILE = [
    "**bold** _it_ # h",
    "[here](https://evil.example.com)",
    "![x](https://evil.example.com/p.png)",
    "https://evil.example.com",
    "www.evil.example.com",
    "<script>alert(1)</script>",
    "&lt;b&gt;",
    "`code` ``more``",
    "a\n\n# Approved by everybody\n\n- x",
    "a\r\nb\u2028c\u2029d\x00e\x1bf",
    "\u202egnp.exe",
    "| a | b |\n|---|---|",
    "{{ 7 * 7 }}",
    "\\`x",
    "[x]: https://evil.example.com",
    "x" * 10_000,
]


def markdown(*decisions: Decision, **changes: Any) -> str:
    return report_as_markdown(report(tally(*decisions, examples=True), plan_only=True, **changes).as_dict())


def test_a_plan_is_shown_with_its_counts_fields_examples_consents_and_reasons() -> None:
    raised = Decision(
        "update", changes={"consent_status": "Express", "custom_fields": {"plan": "gold"}}, current=CURRENT
    )

    assert markdown(raised, *EACH).split("\n") == [
        "**3 of 6 rows**: would be updated 2, would be created 1; unchanged 1, skipped 1, rejected 1.",
        "",
        "Fields that would be changed:",
        "",
        "- `city`: 2, such as row 2 `M***` → `P***`; row 3 `(empty)` → `R***`",
        "- `consent_status`: 1, such as row 1 `N***` → `E***`",
        "- `custom_fields.plan`: 1, such as row 1 `***` → `***`",
        "",
        "Consent:",
        "",
        "- `Not Provided → Express`: 1",
        "",
        "Rejected:",
        "",
        f"- `overlong`: 1 ({REASONS['overlong']})",
        "",
        "Skipped:",
        "",
        f"- `duplicate_row`: 1 ({REASONS['duplicate_row']})",
        "",
    ]


def test_consents_that_are_kept_are_counted() -> None:
    assert f"Consent kept: 2 ({REASONS['consent_withdrawn']})" in markdown(*EACH, *EACH_KEPT).split("\n")


def test_a_report_of_an_earlier_version_is_shown() -> None:
    before = report(tally(*EACH)).as_dict()
    del before["consent_kept"]

    assert "Consent kept" not in report_as_markdown(before)


def test_a_run_that_wrote_says_were_changed() -> None:
    text = report_as_markdown(report(tally(EACH[0]), stopped="max_changes").as_dict())

    assert text.startswith("**1 of 1 rows**: updated 1, created 0; ")
    assert "Fields that were changed:" in text
    assert "Stopped early: `max_changes`" in text


def outside_of_code(text: str) -> str:
    """Return what may be markup: the text without its code spans."""
    return re.sub(r"`[^`\n]*`", "", text)


HARMLESS = r"(\*\*1 of 1 rows\*\*|- |: \d+|, such as|row 1|→|[A-Za-z ,.;]+|:|0|1|\n| )+"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_in_its_code_span(name: str) -> None:
    changes = {name: "x", "interests": {name: "Set"}, "consent_status": name}

    text = markdown(Decision("update", changes=changes, current={"consent_status": name}), stopped=name)

    assert re.fullmatch(HARMLESS, outside_of_code(text))
    assert len(text) < 1_500


@given(name=st.text(min_size=1), value=st.text())
def test_no_part_of_any_name_is_markup(name: str, value: str) -> None:
    changes = {"interests": {name: value}, name: value}

    text = markdown(Decision("update", changes=changes, current={name: value}))

    assert re.fullmatch(HARMLESS, outside_of_code(text))
    assert not set("<>&") & set(text)
    assert len(text.splitlines()) <= 10


def test_no_value_or_address_is_shown() -> None:
    changes = {"email": "new.marker@doe.com", "feedback": "marker", "interests": {"marker@doe.com": "Set"}}

    text = markdown(Decision("update", changes=changes, current=CURRENT))

    assert "marker" not in text
    assert "`interests.m***@doe.com`" in text or "`i***@doe.com`" in text


def test_a_long_list_is_shortened() -> None:
    text = markdown(Decision("update", changes={f"field_{n}": "x" for n in range(40)}, current={}))

    assert text.count("\n- `") == 30
    assert "- and 10 more" in text


def test_without_a_report_the_text_says_so() -> None:
    assert "no report" in report_as_markdown(None)
