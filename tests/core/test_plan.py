"""Wanted against current, by meaning."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_envoke.core.payload import PayloadRules, build_payload
from airflow_provider_envoke.core.plan import Decision, Wanted, decide, differing_fields, match_key, reject
from airflow_provider_envoke.core.report import REASONS

CONSENT = {"consent_status": "Express", "consent_description": "web form"}


def wanted(**payload: Any) -> Wanted:
    return Wanted(1, "jon@doe.com", {"email": "jon@doe.com", **payload})


@pytest.mark.parametrize(
    ("payload", "current"),
    [
        pytest.param({"email": "Jon@Doe.com"}, {"email": "jon@doe.COM"}, id="case of an address"),
        pytest.param({"city": "Paris"}, {"city": "Paris"}, id="same text"),
        pytest.param({"city": ""}, {"city": None}, id="empty and null"),
        pytest.param({"city": ""}, {}, id="empty and absent"),
        pytest.param({"phone": "514"}, {"phone": 514}, id="text and number"),
        pytest.param({"phone": "true"}, {"phone": True}, id="text and bool"),
        pytest.param({"id": 7, "city": "a"}, {"id": 8, "city": "a"}, id="an id is no change"),
        pytest.param({"consent_status": "Revoked"}, {"consent_status": "REVOKED"}, id="case of consent"),
        pytest.param({"consent_status": "Not Provided"}, {"consent_status": "Not provided"}, id="Not provided"),
        pytest.param(
            {"consent_status": "Implied - No Expiry"},
            {"consent_status": "Implied: No Expiry"},
            id="colon of consent",
        ),
        pytest.param({"interests": {"A": "Set"}}, {"interests": ["B", "A"]}, id="tag is set"),
        pytest.param({"interests": {"A": "Unset"}}, {"interests": ["B"]}, id="tag is not set"),
        pytest.param({"interests": {"A": "Unset"}}, {"interests": None}, id="no tags: null"),
        pytest.param({"interests": {"A": "Unset"}}, {}, id="no tags: absent"),
        pytest.param({"autoresponders": {"A": "Unset"}}, {"autoresponders": []}, id="no tags: PHP's empty object"),
        pytest.param({"interests": {"A": "Set"}}, {"interests": {"0": "B", "5": "A"}}, id="PHP's sparse list"),
        pytest.param({"interests": {"2024": "Set"}}, {"interests": [2024]}, id="a tag of digits"),
        pytest.param({"custom_fields": {"plan": "1"}}, {"custom_fields": {"plan": 1, "x": 2}}, id="custom number"),
        pytest.param(
            {"custom_fields": {"plan": ""}}, {"custom_fields": {"plan": None}}, id="custom empty and null"
        ),
        pytest.param({"custom_fields": {"plan": ""}}, {"custom_fields": []}, id="custom empty and PHP's empty"),
    ],
)
def test_what_means_the_same_is_no_change(payload: dict[str, Any], current: dict[str, Any]) -> None:
    assert differing_fields(payload, current) == {}


@pytest.mark.parametrize(
    ("payload", "current", "changes"),
    [
        pytest.param({"city": "paris"}, {"city": "Paris"}, {"city": "paris"}, id="case of a text"),
        pytest.param({"city": "a", "phone": "1"}, {"city": "b", "phone": "1"}, {"city": "a"}, id="one of two"),
        pytest.param({"city": ""}, {"city": "a"}, {"city": ""}, id="cleared"),
        pytest.param({"remote_id": "a"}, {"remote_id": "A"}, {"remote_id": "a"}, id="case of a remote id"),
        pytest.param({"phone": "007"}, {"phone": 7}, {"phone": "007"}, id="leading zeros"),
        pytest.param({"email": "a@b.c"}, {"email": "a@b.d"}, {"email": "a@b.c"}, id="another address"),
        pytest.param(
            {"interests": {"A": "Set", "B": "Set", "C": "Unset", "D": "Unset"}},
            {"interests": ["A", "C"]},
            {"interests": {"B": "Set", "C": "Unset"}},
            id="tags one by one",
        ),
        pytest.param(
            {"interests": {"0": "Set"}}, {"interests": {"0": "A"}}, {"interests": {"0": "Set"}}, id="PHP's keys"
        ),
        pytest.param(
            {"custom_fields": {"a": "1", "b": "2"}},
            {"custom_fields": {"a": "1", "b": "3", "c": "4"}},
            {"custom_fields": {"b": "2"}},
            id="custom fields one by one",
        ),
        pytest.param(
            {"custom_fields": {"email": "A@b.c"}},
            {"custom_fields": {"email": "a@b.c"}},
            {"custom_fields": {"email": "A@b.c"}},
            id="a custom field named email is a text like any",
        ),
        pytest.param(
            {"custom_fields": {"a": "1"}}, {"custom_fields": []}, {"custom_fields": {"a": "1"}}, id="PHP's []"
        ),
        pytest.param({"city": "a"}, {"city": ["a"]}, {"city": "a"}, id="the service's list where a text belongs"),
        pytest.param({"city": ""}, {"city": {}}, {"city": ""}, id="the service's object where a text belongs"),
        pytest.param({"city": "a"}, {"city": "a\0"}, {"city": "a"}, id="NUL from the service"),
        pytest.param(
            {"interests": {"A": "Set"}}, {"interests": 5}, {"interests": {"A": "Set"}}, id="a number for tags"
        ),
        pytest.param(
            {"consent_status": "Revoked"},
            {"consent_status": "Opted Out"},
            {"consent_status": "Revoked"},
            id="new status",
        ),
    ],
)
def test_what_differs_is_sent_and_nothing_else(
    payload: dict[str, Any], current: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert differing_fields(payload, current) == changes


@pytest.mark.parametrize("keyfield", ["email", "remote_id"])
def test_the_key_is_no_change(keyfield: Any) -> None:
    payload = {"email": "a@b.c", "remote_id": "7"}
    other = ({"email", "remote_id"} - {keyfield}).pop()

    assert differing_fields(payload, {}, keyfield) == {other: payload[other]}


def test_a_raised_consent_takes_its_description_along_also_where_that_is_there_already() -> None:
    changes = differing_fields(CONSENT, {**CONSENT, "consent_status": "Not Provided"})

    assert changes == CONSENT


@pytest.mark.parametrize(
    ("payload", "current", "changes"),
    [
        pytest.param(CONSENT, CONSENT, {}, id="the same consent"),
        pytest.param(
            CONSENT,
            {**CONSENT, "consent_description": "old"},
            {"consent_description": "web form"},
            id="description alone",
        ),
        pytest.param(
            {"consent_status": "Revoked", "consent_description": "web form"},
            CONSENT,
            {"consent_status": "Revoked"},
            id="a lowered consent goes alone",
        ),
    ],
)
def test_a_description_is_not_sent_without_need(
    payload: dict[str, Any], current: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert differing_fields(payload, current) == changes


def test_no_contact_means_create() -> None:
    assert decide(wanted(city="a"), [], keyfield="email") == Decision("create")


def test_a_difference_means_update_with_the_changes() -> None:
    current = {"id": 7, "email": "jon@doe.com", "city": "b"}

    decision = decide(wanted(city="a"), [current], keyfield="email")

    assert decision == Decision("update", changes={"city": "a"}, current=current)


def test_no_difference_means_unchanged() -> None:
    current = {"id": 7, "email": "JON@doe.com", "city": "a"}

    assert decide(wanted(city="a"), [current], keyfield="email") == Decision("unchanged", current=current)


def test_several_contacts_with_the_key_are_ambiguous_also_if_nothing_differs() -> None:
    decision = decide(wanted(), [{"id": 7}, {"id": 8}], keyfield="remote_id")

    assert (decision.action, decision.reason, decision.field) == ("reject", "ambiguous_match", "remote_id")
    assert decision.message.startswith("2 contacts have this key")


def test_without_its_guard_the_first_of_several_is_meant() -> None:
    matches = [{"id": 7, "city": "a"}, {"id": 8, "city": "b"}]

    decision = decide(wanted(city="a"), matches, keyfield="email", ambiguous_guard=False)

    assert decision == Decision("unchanged", current=matches[0])


@pytest.mark.parametrize("status", ["Revoked", "REVOKED", "External Spam Reported", "envoke  spam reported"])
def test_withdrawn_consent_is_not_raised(status: str) -> None:
    decision = decide(wanted(**CONSENT), [{"id": 7, "consent_status": status}], keyfield="email")

    assert (decision.action, decision.reason) == ("reject", "consent_withdrawn")
    assert decision.current == {"id": 7, "consent_status": status}


def test_consent_that_any_of_several_contacts_has_withdrawn_is_not_raised() -> None:
    matches = [{"id": 7}, {"id": 8, "consent_status": "Revoked"}]

    decision = decide(wanted(**CONSENT), matches, keyfield="email", ambiguous_guard=False)

    assert decision.reason == "consent_withdrawn"


@pytest.mark.parametrize(
    ("payload", "status", "guard"),
    [
        pytest.param(CONSENT, "Revoked", False, id="guard switched off"),
        pytest.param(CONSENT, "Expired", True, id="expired is not withdrawn"),
        pytest.param(CONSENT, None, True, id="no status"),
        pytest.param(CONSENT, False, True, id="PHP's false"),
        pytest.param({"consent_status": "External Spam Reported"}, "Revoked", True, id="another no"),
        pytest.param({"city": "a"}, "Revoked", True, id="consent not touched"),
    ],
)
def test_other_rows_pass_the_consent_guard(payload: dict[str, Any], status: object, guard: bool) -> None:
    decision = decide(
        wanted(**payload), [{"id": 7, "consent_status": status}], keyfield="email", consent_guard=guard
    )

    assert decision.action == "update"


def test_reasons_of_rejects_are_documented() -> None:
    ambiguous = decide(wanted(), [{}, {}], keyfield="email")
    withdrawn = decide(wanted(**CONSENT), [{"consent_status": "Revoked"}], keyfield="email")

    assert {ambiguous.reason, withdrawn.reason} <= set(REASONS)


@pytest.mark.parametrize(
    ("keyfield", "value", "expected"),
    [
        pytest.param("email", " Jon@Doe.com ", "jon@doe.com", id="address"),
        pytest.param("remote_id", " Ab ", "Ab", id="remote id keeps its case"),
        pytest.param("id", 7, "7", id="id"),
        pytest.param("id", 7.0, "7", id="id as float"),
        pytest.param("email", None, "", id="null"),
        pytest.param("remote_id", float("nan"), "", id="nan"),
    ],
)
def test_a_key_is_compared(keyfield: Any, value: object, expected: str) -> None:
    assert match_key(keyfield, value) == expected


def test_neither_wanted_nor_decision_show_values() -> None:
    row = Wanted(3, "marker@doe.com", {"email": "marker@doe.com"})
    decision = Decision("update", changes={"city": "marker"}, current={"city": "marker"})

    assert (repr(row), repr(decision)) == ("Wanted(row=3)", "Decision(update)")
    assert repr(reject(("email", "not_found", "marker"))) == "Decision(reject, not_found)"  # type: ignore[arg-type]


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(
    st.dictionaries(
        st.sampled_from(["city", "first_name", "language", "remote_id"]), TEXTS.map(lambda text: text[:2])
    ),
    st.dictionaries(st.sampled_from(["a", "b", "email"]), TEXTS),
    st.sets(st.sampled_from(["A", "B"])),
)
def test_what_was_written_is_unchanged_the_next_time(
    fields: dict[str, str], custom: dict[str, str], tags: set[str]
) -> None:
    row = {**fields, "custom_fields": custom, "interests": dict.fromkeys(tags, True)}
    payload = build_payload(row, PayloadRules())

    stored = {**payload, "interests": sorted(tags)}

    assert differing_fields(payload, stored) == {}
