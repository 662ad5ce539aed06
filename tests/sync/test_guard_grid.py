"""Every guard with every strategy and key field, in a run over a table and in the operator of one contact."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support.contacts import ANA, BO, CY, EXPRESS
from tests.support.sync_runs import patches, sync
from tests.support.updates import update

if TYPE_CHECKING:
    from collections.abc import Callable

KEYFIELDS = ("email", "remote_id", "id")
WAYS = ("changed", "all", "one contact")
TWINS = [{**ANA, "id": number} for number in (1, 2)]

# Guard -> its option, the contacts, and the row by its key field; other options isolate the guard.
GUARDS: dict[str, tuple[str, list[dict[str, Any]], Callable[[str], dict[str, Any]], dict[str, bool]]] = {
    "consent of the contact": (
        "consent_guard",
        [ANA, BO, CY],
        lambda keyfield: {keyfield: CY[keyfield], **EXPRESS},
        {},
    ),
    "consent of the holder of the address": (
        "consent_guard",
        [ANA, BO, CY],
        lambda keyfield: {keyfield: ANA[keyfield], "email": CY["email"], **EXPRESS},
        {"shared_email_guard": False},
    ),
    "shared email": (
        "shared_email_guard",
        [ANA, BO, CY],
        lambda keyfield: {keyfield: ANA[keyfield], "email": BO["email"], "city": "Alma"},
        {},
    ),
    "ambiguous": (
        "ambiguous_guard",
        TWINS,
        lambda keyfield: {keyfield: ANA[keyfield], "city": "Alma"},
        {},
    ),
}

# What happens for each guard and key field: with the strategy "changed", with "all", and with the operator of one
# contact, which has only the consent guard. With the email address as key, a row has no other address to share.
OUTCOMES: dict[str, dict[str, tuple[str, str, str]]] = {
    "consent of the contact": {
        "email": ("consent_withdrawn", "consent_withdrawn", "consent_withdrawn"),
        "remote_id": ("consent_withdrawn", "consent_withdrawn", "consent_withdrawn"),
        "id": ("consent_withdrawn", "consent_withdrawn", "consent_withdrawn"),
    },
    "consent of the holder of the address": {
        "email": ("consent_withdrawn", "consent_withdrawn", "consent_withdrawn"),
        "remote_id": ("consent_withdrawn", "consent_withdrawn", "consent_withdrawn"),
        "id": ("consent_withdrawn", "consent_withdrawn", "consent_withdrawn"),
    },
    "shared email": {
        "email": ("updated", "updated", "updated"),
        "remote_id": ("shared_email", "shared_email", "updated"),
        "id": ("shared_email", "shared_email", "updated"),
    },
    # The documentation says that ambiguous_guard rejects rows whose key belongs to several contacts, and that the
    # strategy "all" reads the rows that a guard must check. With "all" this guard reads and rejects nothing today.
    "ambiguous": {
        "email": ("ambiguous_match", "updated", "updated"),
        "remote_id": ("ambiguous_match", "updated", "updated"),
        "id": ("updated", "updated", "updated"),
    },
}


def outcome_of_table(sandbox: Sandbox, row: dict[str, Any], **options: Any) -> str:
    report, rejects = sync(sandbox, [row], **options)
    return rejects[0].reason if rejects else "updated" if report.updated else "unchanged"


def outcome_of_update(row: dict[str, Any], keyfield: str, consent_guard: bool) -> str:
    try:
        return update(payload=row, keyfield=keyfield, consent_guard=consent_guard)["action"]
    except AirflowFailException as error:
        ((_, reason, _),) = error.__context__.violations  # type: ignore[union-attr]
        return reason


@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("keyfield", KEYFIELDS)
@pytest.mark.parametrize("guard", GUARDS)
def test_a_guard_rejects_its_row(
    guard: str, keyfield: Any, way: str, on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    option, contacts, make_row, isolating = GUARDS[guard]
    expected = OUTCOMES[guard][keyfield][WAYS.index(way)] if on else "updated"
    row = make_row(keyfield)
    with Sandbox(contacts, duplicate_check=False) as sandbox:
        before = sandbox.contacts
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(sandbox.connection))

        if way == "one contact":
            outcome = outcome_of_update(row, keyfield, on or option != "consent_guard")
        else:
            outcome = outcome_of_table(sandbox, row, keyfield=keyfield, strategy=way, **isolating | {option: on})

        assert outcome == expected
        assert (len(patches(sandbox)) == 1) is (expected == "updated")
        assert (sandbox.contacts != before) is (expected == "updated")
