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
    from collections.abc import Callable, Iterator

KEYFIELDS = ("email", "remote_id", "id")
WAYS = ("changed", "all", "one contact")
TWINS = [{**ANA, "id": number} for number in (1, 2)]

# Guard -> its option, the contacts, and the row by its key field; other options isolate the guard.
GUARDS: dict[str, tuple[str, list[dict[str, Any]], Callable[[str], dict[str, Any]], dict[str, Any]]] = {
    "consent of the contact": (
        "consent_guard",
        [ANA, BO, CY],
        lambda keyfield: {keyfield: CY[keyfield], **EXPRESS},
        {"on_withdrawn": "reject"},
    ),
    "consent of the holder of the address": (
        "consent_guard",
        [ANA, BO, CY],
        lambda keyfield: {keyfield: ANA[keyfield], "email": CY["email"], **EXPRESS},
        {"shared_email_guard": False, "on_withdrawn": "reject"},
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
    arguments = {"consent_guard": consent_guard, "on_withdrawn": "reject"}
    try:
        return update(payload=row, keyfield=keyfield, **arguments)["action"]
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


# What becomes of the consent of a person who has withdrawn it.
NEW = {"consent_description": "Another form"}
LEFT = {**CY, "consent_description": "Left by the link", "city": "Laval"}

# Scene -> the row by its key field, other options, and what it asks for besides the consent.
SCENES: dict[str, tuple[Callable[[str], dict[str, Any]], dict[str, Any], dict[str, str]]] = {
    "the contact": (lambda key: {key: LEFT[key], "city": "Alma", **EXPRESS}, {}, {"city": "Alma"}),
    "the contact, nothing else": (lambda key: {key: LEFT[key], **EXPRESS}, {}, {}),
    "the contact, a status that erases": (lambda key: {key: LEFT[key], "consent_status": "Expired"}, {}, {}),
    "the contact, a description": (lambda key: {key: LEFT[key], "city": "Alma", **NEW}, {}, {"city": "Alma"}),
    "the contact, a description alone": (lambda key: {key: LEFT[key], **NEW}, {}, {}),
    "the contact, revoked again": (lambda key: {key: LEFT[key], "consent_status": "Revoked", **NEW}, {}, {}),
    "who has the address": (
        lambda key: {key: ANA[key], "email": LEFT["email"], **EXPRESS},
        {"shared_email_guard": False},
        {"email": LEFT["email"]},
    ),
    "who has the address, with the guard of addresses": (
        lambda key: {key: ANA[key], "email": LEFT["email"], **EXPRESS},
        {},
        {"email": LEFT["email"]},
    ),
    "who has the address of a new contact": (
        lambda key: {key: "R-9", "email": LEFT["email"], **EXPRESS},
        {"shared_email_guard": False, "on_missing": "create"},
        {"email": LEFT["email"]},
    ),
}


def model(scene: str, way: str, on_withdrawn: str, rest: dict[str, str]) -> tuple[str, bool]:
    """Return the outcome of a row, and whether its consent counts as kept."""
    has_status = "description" not in scene and "again" not in scene
    if has_status and on_withdrawn == "reject":
        return "consent_withdrawn", False
    if "guard of addresses" in scene and way != "one contact":  # the operator of one contact has no such guard
        return "shared_email", False
    if "new contact" in scene:  # it would be a second contact of the person
        return "consent_withdrawn", False
    if way.startswith("all") and "again" in scene:  # the status is the same; this strategy sends it all the same
        return "updated", True
    return "updated" if rest else "unchanged", True


def grid() -> Iterator[Any]:
    for scene in SCENES:
        for keyfield in KEYFIELDS:
            by_email = keyfield == "email" and "who has" in scene  # then whoever has the address is the contact
            if by_email or ("new contact" in scene and keyfield == "id"):  # Envoke assigns the ids
                continue
            for way in ("changed", "changed, plan", "all", "all, plan", "one contact"):
                for on_withdrawn in ("keep", "reject"):
                    case = (scene, keyfield, way, on_withdrawn)
                    yield pytest.param(*case, id="-".join(case))


@pytest.mark.parametrize(("scene", "keyfield", "way", "on_withdrawn"), grid())
def test_a_withdrawn_consent_stays_and_the_rest_of_the_row_is_written(
    scene: str, keyfield: Any, way: str, on_withdrawn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_row, options, rest = SCENES[scene]
    row = make_row(keyfield)
    outcome, kept = model(scene, way, on_withdrawn, rest)
    if way == "one contact" and "again" in scene:  # it does not compare, so it sends the status
        outcome = "updated"
    with Sandbox([ANA, BO, LEFT], duplicate_check=False) as sandbox:
        before = {contact["id"]: contact for contact in sandbox.contacts}
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(sandbox.connection))

        if way == "one contact":
            missing = {"on_missing": options["on_missing"]} if "on_missing" in options else {}
            found = result_of_update(row, keyfield, on_withdrawn, **missing)
        else:
            strategy, _, plan = way.partition(", ")
            settings = {"keyfield": keyfield, "strategy": strategy, "plan_only": bool(plan), **options}
            found = result_of_table(sandbox, row, on_withdrawn=on_withdrawn, **settings)

        assert found == (outcome, kept)
        changed = rest if outcome == "updated" and "plan" not in way else {}
        number = 1 if "who has" in scene else 3
        expected = before | {number: before[number] | changed}
        assert {contact["id"]: contact for contact in sandbox.contacts} == expected
        applied = any(request["applied"] for request in patches(sandbox))
        assert applied is (outcome == "updated" and "plan" not in way)


def result_of_table(sandbox: Sandbox, row: dict[str, Any], **options: Any) -> tuple[str, bool]:
    named: list[Any] = []
    report, rejects = sync(sandbox, [row], kept=named, **options)
    assert report.updated + report.unchanged + report.rejected == report.rows == 1
    assert [each.reason for each in named] == ["consent_withdrawn"] * report.consent_kept
    outcome = rejects[0].reason if rejects else "updated" if report.updated else "unchanged"
    return outcome, report.consent_kept == 1


def result_of_update(row: dict[str, Any], keyfield: str, on_withdrawn: str, **arguments: Any) -> tuple[str, bool]:
    try:
        result = update(payload=row, keyfield=keyfield, on_withdrawn=on_withdrawn, **arguments)
    except AirflowFailException as error:
        ((_, reason, _),) = error.__context__.violations  # type: ignore[union-attr]
        return reason, False
    assert not {name for name in result["fields"] if name.startswith("consent")} - {"consent_status"}
    return result["action"], result.get("consent_kept", False)
