"""Payloads built from rows, and the violations of rows that are rejected."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_envoke.exceptions import EnvokeDataError
from airflow_provider_envoke.payload.build import PayloadRules, build_payload
from airflow_provider_envoke.sync.guards import REASONS


def build(row: dict[Any, Any], rules: PayloadRules | None = None) -> dict[str, Any]:
    """Build the payload of a row, by default with the default rules."""
    return build_payload(row, rules or PayloadRules())


def violations_of(row: dict[Any, Any], rules: PayloadRules | None = None) -> list[tuple[str, str]]:
    """Return field and reason of each violation, after checking that reasons are documented and no value leaks."""
    with pytest.raises(EnvokeDataError) as caught:
        build(row, rules)
    message = str(caught.value)
    assert all(type(each) is tuple and each[2] in message for each in caught.value.violations)
    found = [(field, reason) for field, reason, _ in caught.value.violations]
    assert {reason for _, reason in found} <= set(REASONS)
    assert all(field in message for field, _ in found)
    assert message.isprintable()
    assert "marker" not in message
    return found
