"""Counts that add up, without personal data."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_envoke.exceptions import EnvokeError
from airflow_provider_envoke.sync.compare import Decision
from airflow_provider_envoke.sync.guards import REASONS
from airflow_provider_envoke.sync.report import OUTCOMES
from tests.support.reports import CURRENT, EACH, EACH_KEPT, report, tally


def test_reasons_of_rejects_and_skips_are_counted_separately() -> None:
    made = report(tally(*EACH, Decision("reject", reason="overlong"), Decision("reject", reason="not_found")))

    assert made.reasons == {"overlong": 2, "not_found": 1}
    assert list(made.reasons) == ["overlong", "not_found"]
    assert made.skipped_reasons == {"duplicate_row": 1}


@pytest.mark.parametrize("rows", [6, 4])
def test_counts_that_do_not_add_up_raise(rows: int) -> None:
    with pytest.raises(EnvokeError, match=f"{rows} rows .* 5 have an outcome"):
        report(tally(*EACH, rows=rows))


@given(st.lists(st.sampled_from(EACH + EACH_KEPT)))
def test_the_five_outcomes_always_add_up_to_the_rows(decisions: list[Decision]) -> None:
    made = report(tally(*decisions))

    assert sum(getattr(made, outcome) for outcome in OUTCOMES) == made.rows == len(decisions)
    assert made.consent_kept == sum(decision in EACH_KEPT for decision in decisions)


def test_consents_that_are_kept_are_in_the_report_and_its_table() -> None:
    made = report(tally(*EACH, *EACH_KEPT))

    assert made.as_dict()["consent_kept"] == 2
    assert (made.updated, made.unchanged, made.rejected) == (2, 2, 1)
    (line,) = [line for line in made.as_table().splitlines() if "consent" in line.split("  ")[0]]
    assert line.split()[2] == "2"
    assert made.as_table().splitlines().index(line) > 5
    assert "consent" not in report(tally(*EACH)).as_table()


def test_changed_fields_are_counted_with_members_of_groups_by_name() -> None:
    changes = {"city": "Paris", "custom_fields": {"plan": "a", "tier": "b"}, "interests": {"News": "Set"}}

    made = report(tally(Decision("update", changes=changes, current=CURRENT), EACH[0]))

    assert made.fields == {"city": 2, "custom_fields.plan": 1, "custom_fields.tier": 1, "interests.News": 1}


def test_consent_changes_are_counted_from_old_to_new() -> None:
    raised = Decision("update", changes={"consent_status": "Express"}, current=CURRENT)
    created = Decision("create", changes={"consent_status": "Express"})

    made = report(tally(raised, raised, created))

    assert made.consent_changes == {"Not Provided -> Express": 2}


def test_examples_are_masked() -> None:
    changes = {"email": "zoe@doe.com", "city": "Paris", "feedback": "Xyz", "company": ""}
    changes |= {"custom_fields": {"plan": "gold"}, "interests": {"News": "Set"}}  # type: ignore[dict-item]

    made = report(tally(Decision("update", changes=changes, current=CURRENT), examples=True), plan_only=True)

    assert made.examples == {
        "email": [{"row": 1, "from": "m***", "to": "z***"}],
        "city": [{"row": 1, "from": "M***", "to": "P***"}],
        "feedback": [{"row": 1, "from": "(empty)", "to": "***"}],
        "custom_fields.plan": [{"row": 1, "from": "***", "to": "***"}],
        "interests.News": [{"row": 1, "from": "(empty)", "to": "***"}],
        "company": [{"row": 1, "from": "(empty)", "to": "(empty)"}],
    }


@pytest.mark.parametrize("value", ["M", "no", "yes", 7, "Set"], ids=repr)
def test_an_example_of_a_short_value_shows_none_of_it(value: object) -> None:
    made = report(tally(Decision("update", changes={"title": value}, current={"title": "Dr"}), examples=True))

    assert made.examples["title"] == [{"row": 1, "from": "***", "to": "***"}]


def test_names_from_rows_are_masked_printable_and_short() -> None:
    names = ["zoe@doe.com", "a\r\nERROR forged", "x" * 200, "\u202eabc"]
    made = report(tally(Decision("update", changes={"interests": dict.fromkeys(names, "Set")}, current={})))

    assert "zoe@" not in made.as_table()
    assert all(name.isprintable() and len(name) <= 80 for name in made.fields)
    assert len(made.as_table().splitlines()) == 6 + 4 + 1


@pytest.mark.parametrize(("status", "shown"), [(None, "(empty)"), ("zoe@doe.com", "(other)"), (["x"], "(other)")])
def test_an_undocumented_consent_is_not_repeated(status: object, shown: str) -> None:
    decision = Decision("update", changes={"consent_status": "Revoked"}, current={"consent_status": status})

    assert report(tally(decision)).consent_changes == {f"{shown} -> Revoked": 1}


def test_at_most_three_examples_are_kept_for_a_field_and_only_if_asked() -> None:
    made, without = report(tally(*[EACH[0]] * 5, examples=True)), report(tally(EACH[0]))

    assert [example["row"] for example in made.examples["city"]] == [1, 2, 3]
    assert without.examples == {}


def test_neither_report_nor_table_holds_a_value_of_a_contact() -> None:
    changes = {name: f"marker {name}" for name in ("email", "city", "feedback")}
    counted = tally(Decision("update", changes=changes, current=CURRENT), examples=True)

    made = report(counted, plan_only=True)

    for text in (json.dumps(made.as_dict()), made.as_table(), repr(made)):
        assert "marker" not in text.lower()


def test_a_report_is_plain_json() -> None:
    made = report(tally(*EACH, examples=True), requests={"read": 1, "write": 2, "retry": 0})

    back = json.loads(json.dumps(made.as_dict()))

    assert back == made.as_dict()
    assert back["requests"] == {"read": 1, "write": 2}


@pytest.mark.parametrize(("seconds", "rate"), [(2.0, 2.5), (0.0, 0.0)])
def test_the_rate_is_rows_per_second(seconds: float, rate: float) -> None:
    assert report(tally(*EACH), seconds=seconds).rows_per_second == rate


def test_the_table_shows_the_outcome_of_the_rows() -> None:
    table = report(tally(*EACH), requests={"read": 1, "write": 2}, stopped="no answer").as_table()

    lines = [" ".join(line.split()) for line in table.splitlines()]
    assert lines == [
        "rows read 5",
        "updated 1",
        "created 1",
        "unchanged 1",
        "skipped 1",
        f"duplicate_row 1 {REASONS['duplicate_row']}",
        "rejected 1",
        f"overlong 1 {REASONS['overlong']}",
        "changed: city 2",
        "requests: 1 read, 2 write; 2.0 s, 2 rows/s",
        "stopped early: no answer",
    ]


@pytest.mark.parametrize("name", ["a", "a_name_that_is_longer_than_the_table_usually_is_wide"])
def test_the_counts_of_the_table_are_aligned(name: str) -> None:
    changed = Decision("update", changes={"custom_fields": {name: "x"}}, current=CURRENT)

    table = report(tally(changed, *EACH), plan_only=True).as_table()

    lines = [re.fullmatch(r"(.*?) +(\d+)(  \D+)?", line) for line in table.splitlines()[:-1]]
    assert len([line for line in lines if line]) == 10, table
    assert len({line.end(2) for line in lines if line}) == 1, table


def test_the_table_of_a_plan_says_would_be() -> None:
    raised = Decision("update", changes={"consent_status": "Express"}, current=CURRENT)

    table = report(tally(raised, EACH[1], EACH[2]), plan_only=True).as_table()

    assert {" ".join(line.split()) for line in table.splitlines()} >= {
        *("would be updated 1", "would be created 1", "unchanged 1"),
        *("would be consent Not Provided -> Express: 1", "requests: none; 2.0 s, 2 rows/s"),
    }


def test_a_report_with_many_names_stays_small() -> None:
    tags = {f"Tag {number}": "Set" for number in range(1_000)}

    fields = report(tally(Decision("update", changes={"interests": tags}, current={}))).fields

    assert len(fields) == 201
    assert fields["(others)"] == 800
    assert sum(fields.values()) == 1_000


def test_the_table_says_if_all_pages_were_read() -> None:
    assert "page by page" in report(tally(), read_by="pages").as_table()
    assert "page by page" not in report(tally()).as_table()


# Reports of the decisions in EACH: one updated, created, unchanged, skipped and rejected row.
@pytest.mark.parametrize(
    ("decisions", "settings", "summary"),
    [
        (EACH, {}, "1 updated, 1 created, 1 unchanged, 1 skipped, 1 rejected"),
        (EACH[:1] * 66 + EACH[4:] * 53, {}, "66 updated, 53 rejected"),
        (EACH, {"plan_only": True}, "plan: 1 to update, 1 to create, 1 unchanged, 1 skipped, 1 rejected"),
        ((), {}, "no rows"),
        ((), {"plan_only": True}, "plan: no rows"),
        (EACH[:1], {"stopped": "Gone", "not_reached": 7}, "1 updated, 7 not reached; stopped early (Gone)"),
        ((), {"stopped": "Gone", "not_reached": 7}, "7 not reached; stopped early (Gone)"),
        ((), {"stopped": "Gone"}, "stopped early (Gone)"),
        (
            EACH[:1],
            {"stopped": "max_changes", "plan_only": True},
            "plan: 1 to update; stopped early (max_changes)",
        ),
    ],
)
def test_the_summary_names_the_counts_above_0_in_a_fixed_order(
    decisions: tuple[Decision, ...], settings: dict[str, Any], summary: str
) -> None:
    made = report(tally(*decisions), **settings)

    assert made.summary == made.as_dict()["summary"] == summary
