"""The sandbox and the provider each have their own copy of what Envoke documents; the copies agree."""

from __future__ import annotations

import pytest

from airflow_provider_envoke.envoke import consent, fields
from airflow_provider_envoke.sandbox import documented


def test_the_field_tables_agree() -> None:
    texts = {
        name: field.max_length for name, field in fields.CONTACT_FIELDS.items() if field.kind not in ("id", "tags")
    }
    del texts["custom_fields"]

    assert texts == documented.TEXT_FIELDS
    assert set(fields.GROUPS) == {"custom_fields", *documented.TAG_FIELDS}
    assert fields.READ_ONLY_FIELDS | {"id"} == documented.READ_ONLY_FIELDS
    assert fields.MAX_CONTACT_ID == documented.MAX_CONTACT_ID


def test_the_consent_statuses_agree() -> None:
    assert consent.SENDING_STATUSES == documented.SENDING_STATUSES
    assert set(consent.CONSENT_STATUSES) == {*documented.SENDING_STATUSES, *documented.OTHER_STATUSES}


@pytest.mark.parametrize(
    ("written", "status"),
    [
        ("EXPRESS", "Express"), ("Implied: No Expiry", "Implied - No Expiry"),
        ("implied-inquiry", "Implied - Inquiry"), ("Not provided", "Not Provided"), ("Implied", None),
        ("", None),
    ],
)  # fmt: skip
def test_a_status_is_recognized_in_any_case_and_with_a_dash_or_a_colon(written: str, status: str | None) -> None:
    assert documented.documented_status(written) == status
