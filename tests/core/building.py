"""Payloads and refusals, for the tests of core.payload."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_envoke.core.payload import PayloadRules, build_payload
from airflow_provider_envoke.core.report import REASONS
from airflow_provider_envoke.exceptions import EnvokeDataError


def build(row: dict[Any, Any], rules: PayloadRules | None = None) -> dict[str, Any]:
    return build_payload(row, rules or PayloadRules())


def broken(row: dict[Any, Any], rules: PayloadRules | None = None) -> list[tuple[str, str]]:
    with pytest.raises(EnvokeDataError) as caught:
        build(row, rules)
    found = [(violation.field, violation.reason) for violation in caught.value.violations]
    assert {reason for _, reason in found} <= set(REASONS)
    assert f"({len(found)} to mend)" in str(caught.value)
    assert all(field in str(caught.value) for field, _ in found)
    assert "marker" not in str(caught.value)
    assert str(caught.value).isprintable()
    return found
