"""
A third of the requests fails, in every way that passes: nothing is lost, and nothing is sent that was not asked.

``benchmarks/survival.py`` does the same with 10,000 rows.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.client import retry
from airflow_provider_envoke.exceptions import EnvokeTransientError
from airflow_provider_envoke.hooks.envoke import EnvokeHook
from airflow_provider_envoke.sandbox.faults import FAULTS
from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support.survival import (
    PASSING,
    PERMANENTLY,
    choose,
    contacts_of,
    emails_of,
    make_table,
    without_strangers,
    wrong_contacts,
    wrong_outcomes,
    wrong_writes,
)
from tests.support.sync_runs import config_of, sync

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_envoke.sync.report import Reject, SyncReport
    from tests.support.survival import Case

TIMEOUT_S = 0.3
LONG_TIMEOUT_S = 30.0
MANY_RETRIES = 20

HANGING = ("stall", "drip")
#: Faults that a client has to take for a success at once.
HARMLESS = ("warnings", "huge", "changed")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_FIRST_BACK_OFF_S", 0.02)


def sandbox_of(table: Sequence[Case], **options: Any) -> Sandbox:
    return Sandbox(contacts_of(table), **{"retry_after_s": 0, "keep_requests": 100_000, **options})


def run(
    sandbox: Sandbox,
    table: Sequence[Case],
    *,
    max_retries: int = MANY_RETRIES,
    timeout_s: float = TIMEOUT_S,
    **options: Any,
) -> tuple[SyncReport, list[Reject]]:
    config = config_of(sandbox, timeout_s=timeout_s, max_retries=max_retries)
    return sync(sandbox, [case.row for case in table], config=config, **{"on_missing": "create", **options})


def timeout_for(name: str) -> float:
    return TIMEOUT_S if name in HANGING else LONG_TIMEOUT_S


@pytest.mark.parametrize("name", PASSING)
def test_a_run_survives_a_fault_that_passes(name: str) -> None:
    table = make_table(64)
    with sandbox_of(table, faults={name: 0.4}) as sandbox:
        report, rejects = run(sandbox, table, timeout_s=timeout_for(name))

        assert sandbox.stats["faults"][name] >= 10
        assert ("retry" in report.requests) is (name not in HARMLESS)
        assert wrong_outcomes(table, report, rejects) == []
        assert wrong_writes(sandbox, table) == ([], [])
        assert wrong_contacts(sandbox, table) == []


@pytest.mark.parametrize(
    ("seed", "more", "read_by"),
    [*((seed, {}, "filter") for seed in (1, 2, 3)), (1, {"in_refused": 0.7}, "pages")],
)
def test_a_run_survives_a_mix_of_all_of_them(seed: int, more: dict[str, float], read_by: str) -> None:
    table = make_table(240)
    mix = dict.fromkeys(PASSING, 0.3 / len(PASSING)) | more
    with sandbox_of(table, faults=mix, fault_seed=seed) as sandbox:
        report, rejects = run(sandbox, table)

        assert report.read_by == read_by
        assert len(sandbox.stats["faults"]) >= 12
        assert wrong_outcomes(table, report, rejects) == []
        assert wrong_writes(sandbox, table) == ([], [])
        assert wrong_contacts(sandbox, table) == []


def test_a_run_that_sends_every_row_survives_them() -> None:
    table = [replace(case, outcome="updated") if case.outcome == "unchanged" else case for case in make_table(240)]
    kinds = [name for name in PASSING if name != "changed"]
    with sandbox_of(table, faults=dict.fromkeys(kinds, 0.3 / len(kinds))) as sandbox:
        report, rejects = run(sandbox, table, strategy="all")

        assert wrong_outcomes(table, report, rejects) == []
        assert wrong_contacts(sandbox, table) == []


def test_what_a_run_with_few_retries_leaves_out_it_names_and_the_next_ones_make_up_for() -> None:
    table = make_table(240)
    kinds = [name for name in PASSING if name != "passing_401"]  # twice in a row it ends a run
    expected = {number for number, case in enumerate(table, start=1) if case.outcome == "rejected"}
    runs, left = 0, {0}
    with sandbox_of(table, faults=dict.fromkeys(kinds, 0.3 / len(kinds))) as sandbox:
        while left:
            _, rejects = run(sandbox, table, max_retries=1)
            runs += 1
            left = {reject.row for reject in rejects} - expected
            rows = {number: case.row for number, case in enumerate(table, start=1) if number not in expected}
            named = {rows[number]["email"] for number in left}
            wrong = {
                row["email"]
                for row in rows.values()
                if (sandbox.contact(email=row["email"]) or {}).get("city") != row["city"]
            }
            assert wrong <= named
            assert runs < 20

        assert wrong_writes(sandbox, table) == ([], [])
        assert wrong_contacts(sandbox, table) == []
    assert runs > 1


def test_a_fault_that_stays_costs_its_contact_alone() -> None:
    table = without_strangers(480)
    struck = choose(table, times=2)
    with sandbox_of(table, faults_for=emails_of(table, struck)) as sandbox:
        report, rejects = run(sandbox, table, max_retries=2, on_missing="reject")

        assert wrong_outcomes(table, report, rejects, struck) == []
        assert wrong_writes(sandbox, table, struck) == ([], [])
        assert wrong_contacts(sandbox, table, struck) == []
        messages = {reject.row: reject.message for reject in rejects}
        other = {name: messages[row] for row, name in struck.items() if PERMANENTLY[name][1] not in messages[row]}
        assert other == {}


@pytest.fixture
def hook_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    def connect(sandbox: Sandbox, name: str) -> EnvokeHook:
        extra = json.dumps({"timeout": timeout_for(name), "max_retries": MANY_RETRIES})
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(sandbox.connection | {"extra": extra}))
        return EnvokeHook()

    return connect


@pytest.mark.parametrize("name", PASSING)
def test_a_hook_survives_a_fault_that_passes(hook_of: Any, name: str) -> None:
    contacts = [{"id": number, "email": f"p{number}@example.com"} for number in range(1, 7)]
    options: dict[str, Any] = {"faults": {name: 0.5}, "fault_seed": 1, "retry_after_s": 0}
    with Sandbox(contacts, **options) as sandbox, hook_of(sandbox, name) as hook:
        hook.account()  # not struck by this seed: a 401 before any success is taken for wrong credentials
        for contact in contacts:
            answer = hook.update_contact({"city": f"City {contact['id']}"}, contact_id=contact["id"])
            assert answer["result_data"]["city"] == f"City {contact['id']}"
        hook.create_contact({"email": "new@example.com"}, upsert=True)
        read = list(hook.find_contacts({}, fields=["email", "city"]))

        assert read == [
            *({"email": f"p{number}@example.com", "city": f"City {number}"} for number in range(1, 7)),
            {"email": "new@example.com", "city": ""},
        ]
        assert sandbox.stats["faults"][name] >= 1
        assert (sandbox.stats["requests"] > 9) is (name not in HARMLESS)
        writes = [request for request in sandbox.requests if request["applied"]]
        assert {request["path"] for request in writes} == {
            "/v1/contacts",
            *(f"/v1/contacts/{number}" for number in range(1, 7)),
        }


LOST_ANSWERS = [name for name in PASSING if FAULTS[name].applied and name not in ("warnings", "huge", "changed")]


@pytest.mark.parametrize("name", LOST_ANSWERS)
def test_a_contact_is_not_created_twice_when_the_answer_was_lost(hook_of: Any, name: str) -> None:
    faults_for = {"new@example.com": name}
    with Sandbox(duplicate_check=False, faults_for=faults_for) as sandbox, hook_of(sandbox, name) as hook:
        with pytest.raises(EnvokeTransientError):
            hook.create_contact({"email": "new@example.com"})

        assert len(sandbox.contacts) == sandbox.stats["requests"] == 1
