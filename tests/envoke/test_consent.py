"""Consent statuses, and the rules that protect a withdrawn consent."""

from __future__ import annotations

import pytest

from airflow_provider_envoke.envoke.consent import (
    CONSENT_STATUSES,
    allows_sending,
    canonical_consent,
    is_withdrawn,
    may_replace_withdrawal,
    may_undo_withdrawal,
    replaced_by,
)

# Written out a second time, from article 1697226.
SENDING = {"Express", "Implied - Inquiry", "Implied - Transaction", "Implied - No Expiry"}
WITHDRAWN = {"Revoked", "External Spam Reported", "Envoke Spam Reported"}
OTHER = {"Expired", "Not Provided"}


def spellings(status: str) -> list[str]:
    return [status, status.upper(), f"  {status.lower()} ", *(status.replace(" - ", dash) for dash in (": ", "-"))]


def test_the_statuses_are_those_of_the_documentation() -> None:
    assert set(CONSENT_STATUSES) == SENDING | WITHDRAWN | OTHER


@pytest.mark.parametrize("new", CONSENT_STATUSES)
@pytest.mark.parametrize("old", CONSENT_STATUSES)
def test_a_withdrawal_is_undone_by_any_other_status_in_every_spelling(old: str, new: str) -> None:
    for old_spelling in spellings(old):
        for new_spelling in spellings(new):
            payload, contact = {"consent_status": new_spelling}, {"consent_status": old_spelling}

            assert may_undo_withdrawal(payload) is (new not in WITHDRAWN)
            assert bool(replaced_by(payload, contact)) is (old in WITHDRAWN and new not in WITHDRAWN)


@pytest.mark.parametrize("status", CONSENT_STATUSES)
def test_every_spelling_has_one_documented_name(status: str) -> None:
    for spelling in spellings(status):
        assert canonical_consent(spelling) == status
        assert allows_sending(spelling) is (status in SENDING)
        assert is_withdrawn(spelling) is (status in WITHDRAWN)


@pytest.mark.parametrize("status", ["", "Expresss", "Implied", "No Expiry", "Implied - ", "Express - Inquiry"])
def test_another_word_is_not_a_status(status: str) -> None:
    assert canonical_consent(status) is None


@pytest.mark.parametrize("status", [None, False, 0, [], {}, "", " "], ids=repr)
def test_an_empty_status_neither_allows_sending_nor_is_a_withdrawal(status: object) -> None:
    assert not allows_sending(status)
    assert not is_withdrawn(status)
    assert not replaced_by({"consent_status": "Express"}, {"consent_status": status})
    assert not replaced_by({"consent_status": "Express"}, {})


def test_an_unknown_status_counts_as_withdrawn() -> None:
    assert not allows_sending("Unsubscribed")
    assert is_withdrawn("Unsubscribed")
    assert replaced_by({"consent_status": "Express"}, {"consent_status": "Unsubscribed"})


@pytest.mark.parametrize("payload", [{}, {"city": "a"}, {"consent_status": None}, {"consent_status": ""}], ids=str)
def test_a_payload_without_a_status_undoes_nothing(payload: dict[str, object]) -> None:
    assert not may_undo_withdrawal(payload)
    assert not replaced_by(payload, {"consent_status": "Revoked"})


@pytest.mark.parametrize("status", [None, "Revoked", "External Spam Reported"])
def test_another_description_replaces_what_was_recorded_about_a_withdrawal(status: str | None) -> None:
    payload = {"consent_description": "Web form"} | ({"consent_status": status} if status else {})
    revoked = {"consent_status": "Revoked"}

    assert may_replace_withdrawal(payload)
    assert replaced_by(payload, {**revoked, "consent_description": "Link"}) == ("consent_description",)
    assert replaced_by(payload, revoked) == ("consent_description",)  # it was not read
    assert replaced_by(payload, {**revoked, "consent_description": "Web form"}) == ()
    assert replaced_by(payload, {"consent_status": "Express", "consent_description": "Link"}) == ()


def test_a_status_is_held_back_together_with_its_description() -> None:
    payload = {"consent_status": "Express", "consent_description": "Web form", "city": "Laval"}

    replaced = replaced_by(payload, {"consent_status": "Revoked", "consent_description": "Web form"})

    assert replaced == ("consent_status", "consent_description")
