"""What differs between a row and its contact, and which rows the guards hold back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_envoke.envoke.messages import Violation
from airflow_provider_envoke.payload.build import PayloadRules, build_payload
from airflow_provider_envoke.sync import SyncOptions
from airflow_provider_envoke.sync.compare import (
    Decision,
    DesiredContact,
    compare,
    differing_fields,
    match_key,
    reject,
)
from airflow_provider_envoke.sync.guards import Guards

CONSENT = {"consent_status": "Express", "consent_description": "web form"}


def desired(**payload: Any) -> DesiredContact:
    return DesiredContact(1, "jon@doe.com", {"email": "jon@doe.com", **payload})


def decide(
    row: DesiredContact, matches: list[dict[str, Any]], keyfield: str = "email", **guards: bool
) -> Decision:
    """Compare a row with the contacts that have its key, and apply the guards."""
    options = SyncOptions(keyfield=keyfield, on_missing="create", **guards)  # type: ignore[arg-type]
    applied = Guards(options)
    try:
        return applied.check(row, compare(row, matches, options), matches, {})
    finally:
        applied.close()


@pytest.mark.parametrize(
    ("payload", "current"),
    [
        pytest.param({"email": "Jon@Doe.com"}, {"email": "jon@doe.COM"}, id="case of an address"),
        pytest.param({"city": "Paris"}, {"city": "Paris"}, id="same text"),
        pytest.param({"city": ""}, {"city": None}, id="empty and null"),
        pytest.param({"city": ""}, {}, id="empty and absent"),
        pytest.param({"phone": "514"}, {"phone": 514}, id="text and number"),
        pytest.param({"phone": "true"}, {"phone": True}, id="text and bool"),
        pytest.param({"id": 7, "city": "a"}, {"id": 8, "city": "a"}, id="an id"),
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
def test_equal_by_meaning_is_unchanged(payload: dict[str, Any], current: dict[str, Any]) -> None:
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
            id="a custom field named email is plain text",
        ),
        pytest.param(
            {"custom_fields": {"a": "1"}}, {"custom_fields": []}, {"custom_fields": {"a": "1"}}, id="PHP's []"
        ),
        pytest.param({"city": "a"}, {"city": ["a"]}, {"city": "a"}, id="a list instead of text"),
        pytest.param({"city": ""}, {"city": {}}, {"city": ""}, id="an object instead of text"),
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
def test_only_what_differs_is_sent(
    payload: dict[str, Any], current: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert differing_fields(payload, current) == changes


@pytest.mark.parametrize("keyfield", ["email", "remote_id"])
def test_the_key_is_never_a_change(keyfield: Any) -> None:
    payload = {"email": "a@b.c", "remote_id": "7"}
    other = ({"email", "remote_id"} - {keyfield}).pop()

    assert differing_fields(payload, {}, keyfield) == {other: payload[other]}


def test_a_status_that_allows_sending_is_sent_with_its_description() -> None:
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
            id="a withdrawal without description",
        ),
    ],
)
def test_an_unchanged_description_is_not_sent(
    payload: dict[str, Any], current: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert differing_fields(payload, current) == changes


def test_no_contact_means_create() -> None:
    assert decide(desired(city="a"), []) == Decision("create", changes={"city": "a"})


def test_a_difference_means_update_with_the_changes() -> None:
    current = {"id": 7, "email": "jon@doe.com", "city": "b"}

    decision = decide(desired(city="a"), [current])

    assert decision == Decision("update", changes={"city": "a"}, current=current)


def test_no_difference_means_unchanged() -> None:
    current = {"id": 7, "email": "JON@doe.com", "city": "a"}

    assert decide(desired(city="a"), [current]) == Decision("unchanged", current=current)


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
    decision = decide(desired(**CONSENT), [{"id": 7, "consent_status": status}])

    assert (decision.action, decision.reason) == ("reject", "consent_withdrawn")
    assert decision.current == {"id": 7, "consent_status": status}


def test_a_consent_that_one_of_several_contacts_has_withdrawn_is_not_replaced() -> None:
    matches = [{"id": 7}, {"id": 8, "consent_status": "Revoked"}]

    decision = decide(desired(**CONSENT), matches, ambiguous_guard=False)

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


def test_a_repr_shows_no_values() -> None:
    row = DesiredContact(3, "marker@doe.com", {"email": "marker@doe.com"})
    decision = Decision("update", changes={"city": "marker"}, current={"city": "marker"})

    assert (repr(row), repr(decision)) == ("DesiredContact(row=3)", "Decision(update)")
    assert repr(reject(Violation("email", "not_found", "marker"))) == "Decision(reject, not_found)"


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
