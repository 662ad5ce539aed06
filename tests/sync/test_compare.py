"""What differs between a row and its contact, and which rows the guards hold back."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_envoke.envoke.fields import match_key
from airflow_provider_envoke.payload.build import PayloadRules, build_payload
from airflow_provider_envoke.sync import SyncOptions
from airflow_provider_envoke.sync.compare import (
    Decision,
    DesiredContact,
    compare,
    differing_fields,
)
from airflow_provider_envoke.sync.guards import Guards
from airflow_provider_envoke.sync.rows import TableScan

CONSENT = {"consent_status": "Express", "consent_description": "web form"}


def desired(**payload: Any) -> DesiredContact:
    return DesiredContact(1, "jon@doe.com", {"email": "jon@doe.com", **payload})


def decide(row: DesiredContact, matches: list[dict[str, Any]], keyfield: str = "email", **guards: Any) -> Decision:
    """Compare a row with the contacts that have its key, and apply the guards."""
    options = SyncOptions(keyfield=keyfield, on_missing="create", **guards)  # type: ignore[arg-type]
    with closing(TableScan(options)) as scan, closing(Guards(options, scan)) as applied:
        return applied.check_contact(row, compare(row, matches, options), matches)


# Case -> payload, contact.
EQUAL: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "case of an address": ({"email": "Jon@Doe.com"}, {"email": "jon@doe.COM"}),
    "same text": ({"city": "Paris"}, {"city": "Paris"}),
    "empty and null": ({"city": ""}, {"city": None}),
    "empty and absent": ({"city": ""}, {}),
    "text and number": ({"phone": "514"}, {"phone": 514}),
    "text and bool": ({"phone": "true"}, {"phone": True}),
    "an id": ({"id": 7, "city": "a"}, {"id": 8, "city": "a"}),
    "case of consent": ({"consent_status": "Revoked"}, {"consent_status": "REVOKED"}),
    "Not provided": ({"consent_status": "Not Provided"}, {"consent_status": "Not provided"}),
    "colon of consent": ({"consent_status": "Implied - No Expiry"}, {"consent_status": "Implied: No Expiry"}),
    "the same consent": (CONSENT, CONSENT),
    "tag is set": ({"interests": {"A": "Set"}}, {"interests": ["B", "A"]}),
    "tag is not set": ({"interests": {"A": "Unset"}}, {"interests": ["B"]}),
    "no tags: null": ({"interests": {"A": "Unset"}}, {"interests": None}),
    "no tags: absent": ({"interests": {"A": "Unset"}}, {}),
    "no tags: PHP's empty object": ({"autoresponders": {"A": "Unset"}}, {"autoresponders": []}),
    "PHP's sparse list": ({"interests": {"A": "Set"}}, {"interests": {"0": "B", "5": "A"}}),
    "a tag of digits": ({"interests": {"2024": "Set"}}, {"interests": [2024]}),
    "custom number": ({"custom_fields": {"plan": "1"}}, {"custom_fields": {"plan": 1, "x": 2}}),
    "custom empty and null": ({"custom_fields": {"plan": ""}}, {"custom_fields": {"plan": None}}),
    "custom empty and PHP's empty": ({"custom_fields": {"plan": ""}}, {"custom_fields": []}),
}

# Case -> payload, contact, changes.
DIFFERENT: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "case of a text": ({"city": "paris"}, {"city": "Paris"}, {"city": "paris"}),
    "one of two": ({"city": "a", "phone": "1"}, {"city": "b", "phone": "1"}, {"city": "a"}),
    "cleared": ({"city": ""}, {"city": "a"}, {"city": ""}),
    "case of a remote id": ({"remote_id": "a"}, {"remote_id": "A"}, {"remote_id": "a"}),
    "leading zeros": ({"phone": "007"}, {"phone": 7}, {"phone": "007"}),
    "another address": ({"email": "a@b.c"}, {"email": "a@b.d"}, {"email": "a@b.c"}),
    "tags one by one": (
        {"interests": {"A": "Set", "B": "Set", "C": "Unset", "D": "Unset"}},
        {"interests": ["A", "C"]},
        {"interests": {"B": "Set", "C": "Unset"}},
    ),
    "PHP's keys": ({"interests": {"0": "Set"}}, {"interests": {"0": "A"}}, {"interests": {"0": "Set"}}),
    "custom fields one by one": (
        {"custom_fields": {"a": "1", "b": "2"}},
        {"custom_fields": {"a": "1", "b": "3", "c": "4"}},
        {"custom_fields": {"b": "2"}},
    ),
    "a custom field named email is plain text": (
        {"custom_fields": {"email": "A@b.c"}},
        {"custom_fields": {"email": "a@b.c"}},
        {"custom_fields": {"email": "A@b.c"}},
    ),
    "PHP's []": ({"custom_fields": {"a": "1"}}, {"custom_fields": []}, {"custom_fields": {"a": "1"}}),
    "a list instead of text": ({"city": "a"}, {"city": ["a"]}, {"city": "a"}),
    "an object instead of text": ({"city": ""}, {"city": {}}, {"city": ""}),
    "NUL from the service": ({"city": "a"}, {"city": "a\0"}, {"city": "a"}),
    "a number for tags": ({"interests": {"A": "Set"}}, {"interests": 5}, {"interests": {"A": "Set"}}),
    "new status": ({"consent_status": "Revoked"}, {"consent_status": "Opted Out"}, {"consent_status": "Revoked"}),
    "a status that allows sending": (CONSENT, {**CONSENT, "consent_status": "Not Provided"}, CONSENT),
    "description alone": (CONSENT, {**CONSENT, "consent_description": "a"}, {"consent_description": "web form"}),
    "a withdrawal with the same description": (
        {**CONSENT, "consent_status": "Revoked"}, CONSENT, {"consent_status": "Revoked"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", [*EQUAL, *DIFFERENT])
def test_only_what_differs_by_meaning_is_sent(case: str) -> None:
    payload, current, changes = DIFFERENT.get(case) or (*EQUAL[case], {})

    assert differing_fields(payload, current) == changes


@pytest.mark.parametrize("keyfield", ["email", "remote_id"])
def test_the_key_is_never_a_change(keyfield: Any) -> None:
    payload = {"email": "a@b.c", "remote_id": "7"}
    other = ({"email", "remote_id"} - {keyfield}).pop()

    assert differing_fields(payload, {}, keyfield) == {other: payload[other]}


@pytest.mark.parametrize("city", [None, "a", "b"])
def test_a_row_creates_updates_or_changes_nothing(city: str | None) -> None:
    current = {"id": 7, "email": "JON@doe.com", "city": city}
    expected = {
        None: Decision("create", changes={"city": "a"}),
        "a": Decision("unchanged", current=current),
        "b": Decision("update", changes={"city": "a"}, current=current),
    }

    assert decide(desired(city="a"), [current] if city else []) == expected[city]


def test_a_key_of_several_contacts_is_rejected_even_if_nothing_differs() -> None:
    decision = decide(desired(), [{"id": 7}, {"id": 8}], keyfield="remote_id")

    assert (decision.action, decision.reason, decision.field) == ("reject", "ambiguous_match", "remote_id")
    assert "2 contacts" in decision.message


def test_without_the_guard_the_first_of_several_contacts_counts() -> None:
    matches = [{"id": 7, "city": "a"}, {"id": 8, "city": "b"}]

    decision = decide(desired(city="a"), matches, ambiguous_guard=False)

    assert decision == Decision("unchanged", current=matches[0])


@pytest.mark.parametrize("status", ["Revoked", "REVOKED", "External Spam Reported", "envoke  spam reported"])
def test_a_withdrawn_consent_is_not_replaced(status: str) -> None:
    decision = decide(desired(**CONSENT), [{"id": 7, "consent_status": status}], on_withdrawn="reject")

    assert (decision.action, decision.reason) == ("reject", "consent_withdrawn")
    assert decision.current == {"id": 7, "consent_status": status}


@pytest.mark.parametrize("status", ["Revoked", "External Spam Reported", "envoke  spam reported", "Unsubscribed"])
@pytest.mark.parametrize("city", ["Alma", "Laval"])
def test_a_withdrawn_consent_is_held_back_and_the_rest_is_sent(status: str, city: str) -> None:
    current = {"id": 7, "consent_status": status, "city": "Laval"}

    decision = decide(desired(**CONSENT, city=city), [current])

    rest = {"city": "Alma"} if city == "Alma" else {}
    assert (decision.action, decision.changes) == ("update" if rest else "unchanged", rest)
    assert [held[:2] for held in decision.held_back] == [
        ("consent_status", "consent_withdrawn"),
        ("consent_description", "consent_withdrawn"),
    ]


def test_a_consent_that_one_of_several_contacts_has_withdrawn_is_not_replaced() -> None:
    matches = [{"id": 7}, {"id": 8, "consent_status": "Revoked"}]

    decision = decide(desired(**CONSENT), matches, ambiguous_guard=False, on_withdrawn="reject")

    assert decision.reason == "consent_withdrawn"


@pytest.mark.parametrize(
    ("payload", "status", "guard"),
    [
        pytest.param(CONSENT, "Revoked", False, id="guard switched off"),
        pytest.param(CONSENT, "Expired", True, id="expired is not withdrawn"),
        pytest.param(CONSENT, None, True, id="no status"),
        pytest.param(CONSENT, False, True, id="PHP's false"),
        pytest.param({"consent_status": "External Spam Reported"}, "Revoked", True, id="another withdrawal"),
        pytest.param({"city": "a"}, "Revoked", True, id="consent not touched"),
    ],
)
def test_other_rows_pass_the_consent_guard(payload: dict[str, Any], status: object, guard: bool) -> None:
    decision = decide(desired(**payload), [{"id": 7, "consent_status": status}], consent_guard=guard)

    assert decision.action == "update"


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
def test_keys_are_compared_in_one_form(keyfield: Any, value: object, expected: str) -> None:
    assert match_key(keyfield, value) == expected


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(
    st.dictionaries(
        st.sampled_from(["city", "first_name", "language", "remote_id"]), TEXTS.map(lambda text: text[:2])
    ),
    st.dictionaries(st.sampled_from(["a", "b", "email"]), TEXTS),
    st.sets(st.sampled_from(["A", "B"])),
)
def test_what_was_written_is_unchanged_in_the_next_run(
    fields: dict[str, str], custom: dict[str, str], tags: set[str]
) -> None:
    row = {**fields, "custom_fields": custom, "interests": dict.fromkeys(tags, True)}
    payload = build_payload(row, PayloadRules())

    stored = {**payload, "interests": sorted(tags)}

    assert differing_fields(payload, stored) == {}
