"""Who has said no is not written to."""

from __future__ import annotations

import pytest

from airflow_provider_envoke.core.consent import CONSENT_WITHDRAWN, check_consent, raises_withdrawn_consent
from airflow_provider_envoke.core.fields import (
    CONSENT_STATUSES,
    SENDING_STATUSES,
    WITHDRAWN_STATUSES,
    allows_sending,
    canonical_consent,
    is_withdrawn,
)
from airflow_provider_envoke.exceptions import EnvokeDataError


def spellings(status: str) -> list[str]:
    return [
        status,
        status.upper(),
        f"  {status.lower()} ",
        status.replace(" - ", ": "),
        status.replace(" - ", "-"),
    ]


@pytest.mark.parametrize("new", CONSENT_STATUSES)
@pytest.mark.parametrize("old", CONSENT_STATUSES)
def test_only_sending_over_withdrawn_is_refused_in_every_spelling(old: str, new: str) -> None:
    expected = new in (
        "Express",
        "Implied - Inquiry",
        "Implied - Transaction",
        "Implied - No Expiry",
    ) and old in ("Revoked", "External Spam Reported", "Envoke Spam Reported")

    for old_spelling in spellings(old):
        for new_spelling in spellings(new):
            raised = raises_withdrawn_consent({"consent_status": new_spelling}, {"consent_status": old_spelling})
            assert raised is expected


@pytest.mark.parametrize("status", CONSENT_STATUSES)
def test_every_spelling_has_one_documented_name(status: str) -> None:
    assert {canonical_consent(spelling) for spelling in spellings(status)} == {status}


@pytest.mark.parametrize("status", ["", "Expresss", "Implied", "No Expiry", "Implied - ", "Express - Inquiry"])
def test_another_word_is_no_status(status: str) -> None:
    assert canonical_consent(status) is None


@pytest.mark.parametrize("status", [None, False, 0, [], {}, "", " "], ids=repr)
def test_what_is_no_status_neither_allows_nor_forbids(status: object) -> None:
    assert not allows_sending(status)
    assert not is_withdrawn(status)


def test_a_status_that_nobody_documents_is_taken_for_a_no() -> None:
    assert not allows_sending("Unsubscribed")
    assert is_withdrawn("Unsubscribed")


@pytest.mark.parametrize("status", ["Express", "Implied - Inquiry", "Not Provided", "Expired"])
def test_no_other_status_is_written_over_a_withdrawn_one(status: str) -> None:
    with pytest.raises(EnvokeDataError):
        check_consent({"consent_status": status}, [{"consent_status": "Revoked"}])


def test_no_status_both_allows_and_forbids() -> None:
    assert set(SENDING_STATUSES).isdisjoint(WITHDRAWN_STATUSES)


def test_one_contact_of_several_who_has_said_no_is_enough() -> None:
    contacts = [{"consent_status": "Express"}, {}, {"consent_status": "revoked"}]

    with pytest.raises(EnvokeDataError, match="revoked consent or reported spam") as caught:
        check_consent({"email": "marker@doe.com", "consent_status": "Express"}, contacts)

    assert caught.value.violations == (CONSENT_WITHDRAWN,)
    assert "marker" not in str(caught.value)


@pytest.mark.parametrize(
    ("payload", "current"),
    [
        pytest.param({"consent_status": "Express"}, [], id="no contact"),
        pytest.param({"consent_status": "Express"}, [{"consent_status": "Expired"}], id="expired"),
        pytest.param({"city": "a"}, [{"consent_status": "Revoked"}], id="consent not touched"),
        pytest.param({"consent_status": "Revoked"}, [{"consent_status": "Revoked"}], id="revoked stays so"),
    ],
)
def test_other_payloads_pass(payload: dict[str, str], current: list[dict[str, str]]) -> None:
    check_consent(payload, current)
