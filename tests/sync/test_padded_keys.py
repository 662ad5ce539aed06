"""Remote ids that the database pads with spaces, as in CHAR columns: a contact may have them with or without."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support.contacts import EXPRESS, REVOKED
from tests.support.sync_runs import sync
from tests.support.updates import update

ROW = {"remote_id": "A1  ", "email": "a@example.com", "city": "Québec"}


def contact(remote_id: str, **fields: str) -> dict[str, Any]:
    return {"id": 1, "remote_id": remote_id, "email": "a@example.com", "city": "Laval", **fields}


def outcome(sandbox: Sandbox, way: str, row: dict[str, Any], on_missing: str, monkeypatch: Any) -> str:
    """Return the outcome of a row, by a run with a strategy or by the operator of one contact."""
    if way == "one contact":
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(sandbox.connection))
        try:
            return update(payload=row, keyfield="remote_id", on_missing=on_missing)["action"]
        except AirflowFailException as error:
            return error.__context__.violations[0][1]  # type: ignore[union-attr]
    options = {"keyfield": "remote_id", "strategy": way, "on_missing": on_missing}
    report, rejects = sync(sandbox, [row], **options)
    return rejects[0].reason if rejects else "updated" if report.updated else "created"


@pytest.mark.parametrize("way", ["changed", "all", "one contact"])
@pytest.mark.parametrize("stored", ["A1", "A1  "])
def test_a_contact_is_found_with_and_without_the_space(
    stored: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox([contact(stored)], duplicate_check=False) as sandbox:
        assert outcome(sandbox, way, ROW, "create", monkeypatch) == "updated"
        assert [(each["id"], each["city"]) for each in sandbox.contacts] == [(1, "Québec")]


@pytest.mark.parametrize("way", ["changed", "all", "one contact"])
@pytest.mark.parametrize("stored", ["A1", "A1  "])
def test_a_withdrawn_consent_is_not_replaced_whatever_the_space(
    stored: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox([contact(stored, **REVOKED)], duplicate_check=False) as sandbox:
        row = {**ROW, "email": "new@example.com", **EXPRESS}

        assert outcome(sandbox, way, row, "create", monkeypatch) == "updated"
        assert [(each["consent_status"], each["city"]) for each in sandbox.contacts] == [("Revoked", "Québec")]


@pytest.mark.parametrize("way", ["changed", "all", "one contact"])
def test_a_new_contact_gets_the_remote_id_without_space(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox([], duplicate_check=False) as sandbox:
        assert outcome(sandbox, way, ROW, "create", monkeypatch) == "created"
        assert [each["remote_id"] for each in sandbox.contacts] == ["A1"]


def test_two_contacts_that_differ_in_the_space_only_are_ambiguous() -> None:
    contacts = [contact("A1"), {**contact("A1  "), "id": 2, "email": "b@example.com"}]
    with Sandbox(contacts, duplicate_check=False) as sandbox:
        report, _ = sync(sandbox, [{"remote_id": "A1  ", "city": "Québec"}], keyfield="remote_id")

    assert report.reasons == {"ambiguous_match": 1}
