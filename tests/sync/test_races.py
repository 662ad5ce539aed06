"""What others change during a run never makes it replace a withdrawn consent, or write to another contact."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.client.bulk import BulkClient
from airflow_provider_envoke.sandbox.thread import Sandbox
from airflow_provider_envoke.sync import SyncOptions, SyncRun
from airflow_provider_envoke.sync import write as write_module
from tests.support.contacts import EXPRESS, REVOKED
from tests.support.sync_runs import config_of, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.envoke.requests import Request


def after_the_first_page(monkeypatch: pytest.MonkeyPatch, then: Callable[[], None]) -> None:
    """Let something happen once, after the first request was answered."""
    send, calls = BulkClient.send, []

    async def wrapped(self: BulkClient, request: Request, *more: Any) -> Any:
        answer = await send(self, request, *more)
        if not calls:
            calls.append(1)
            then()
        return answer

    monkeypatch.setattr(BulkClient, "send", wrapped)


def delete(sandbox: Sandbox, numbers: range) -> None:
    for number in numbers:
        sandbox.delete_contact(id=number)


def test_a_row_that_creates_a_contact_does_not_update_another_by_its_id(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([{"id": 1001, "email": "old@example.com", "first_name": "Ann", **REVOKED}])

    report, _ = sync(
        envoke_sandbox,
        [{"id": 1001, "email": "new@example.com", "first_name": "Bob", **EXPRESS}],
        on_missing="create",
    )

    ann, bob = envoke_sandbox.contacts
    assert (ann["email"], ann["first_name"], ann["consent_status"]) == ("old@example.com", "Ann", "Revoked")
    assert (bob["email"], bob["first_name"]) == ("new@example.com", "Bob")
    assert report.created == 1


@pytest.mark.parametrize("spelling", ["ana@example.com", "Ana@Example.com"])
def test_a_contact_that_withdraws_between_the_read_and_the_creation_is_left_alone(
    envoke_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    """The upsert would update the contact that was not there before."""
    ana = {"email": "ana@example.com", **REVOKED}
    after_the_first_page(monkeypatch, lambda: envoke_sandbox.reset([ana]))

    options = {"on_missing": "create", "on_withdrawn": "reject"}
    report, _ = sync(envoke_sandbox, [{"email": spelling, "city": "Alma", **EXPRESS}], **options)

    assert report.reasons == {"consent_withdrawn": 1}
    assert [(each["consent_status"], each["city"]) for each in envoke_sandbox.contacts] == [("Revoked", "")]


@pytest.mark.parametrize("spelling", ["ana@example.com", "Ana@Example.com"])
@pytest.mark.parametrize("city", ["Alma", None])
def test_a_creation_that_finds_a_withdrawn_contact_updates_it_without_the_consent(
    envoke_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, city: str | None, spelling: str
) -> None:
    ana = {"id": 7, "email": "ana@example.com", "consent_description": "Left by the link", **REVOKED}
    after_the_first_page(monkeypatch, lambda: envoke_sandbox.reset([ana]))
    row = {"email": spelling, "city": city, "custom_fields": {"plan": city}, **EXPRESS}

    report, rejects = sync(envoke_sandbox, [row], on_missing="create")

    assert (report.updated, report.unchanged, report.consent_kept) == ((1, 0, 1) if city else (0, 1, 1))
    assert rejects == []
    (contact,) = envoke_sandbox.contacts
    assert {name: contact[name] for name in ana} == ana
    assert (contact["city"], contact["custom_fields"]) == ((city, {"plan": city}) if city else ("", {}))
    assert not [request for request in envoke_sandbox.requests if request["method"] == "POST"]


@pytest.mark.parametrize("strategy", ["changed", "all"])
def test_a_new_contact_whose_address_a_withdrawn_one_gets_meanwhile_is_not_created(
    monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    withdrawn = {"remote_id": "W", "email": "ana@example.com", **REVOKED}
    with Sandbox([], duplicate_check=False) as sandbox:
        look_again = write_module._look_again

        async def later(*arguments: Any) -> Any:
            sandbox.reset([withdrawn])
            return await look_again(*arguments)

        monkeypatch.setattr(write_module, "_look_again", later)
        row = {"remote_id": "R-1", "email": "ana@example.com", **EXPRESS}
        report, _ = sync(sandbox, [row], keyfield="remote_id", on_missing="create", strategy=strategy)

        assert report.reasons == {"consent_withdrawn": 1}
        assert [contact["remote_id"] for contact in sandbox.contacts] == ["W"]


@pytest.mark.parametrize("strategy", ["changed", "all"])
@pytest.mark.parametrize("keyfield", ["email", "remote_id", "id"])
@pytest.mark.parametrize("consent", [EXPRESS, {"consent_description": "Web form"}], ids=["status", "description"])
def test_a_consent_that_is_revoked_between_the_read_and_the_write_is_kept_and_the_rest_written(
    monkeypatch: pytest.MonkeyPatch, consent: dict[str, str], keyfield: Any, strategy: str
) -> None:
    ana = {"id": 1, "email": "ana@example.com", "remote_id": "R-1", "city": "Laval"}
    left = {**ana, **REVOKED, "consent_description": "Left by the link"}
    with Sandbox([ana], duplicate_check=False) as sandbox:
        after_the_first_page(monkeypatch, lambda: sandbox.reset([left]))
        kept: list[Any] = []
        row = {keyfield: ana[keyfield], "city": "Alma", **consent}
        report, rejects = sync(sandbox, [row], keyfield=keyfield, strategy=strategy, kept=kept)

        assert (report.updated, report.consent_kept, report.fields, rejects) == (1, 1, {"city": 1}, [])
        assert [(each.row, each.outcome) for each in kept] == [(1, "consent_kept")]
        contact = sandbox.contact(id=1)
        assert {name: contact[name] for name in left} == {**left, "city": "Alma"}


@pytest.mark.parametrize("on_missing", ["create", "skip", "reject"])
def test_a_withdrawn_contact_that_is_deleted_before_the_write_is_not_created_with_the_consent(
    envoke_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, on_missing: str
) -> None:
    envoke_sandbox.reset([{"id": 1, "email": "ana@example.com", "city": "Laval", **REVOKED}])
    after_the_first_page(monkeypatch, lambda: delete(envoke_sandbox, range(1, 2)))
    rows = [{"email": "ana@example.com", "city": "Alma", **EXPRESS}]

    report, _ = sync(envoke_sandbox, rows, on_missing=on_missing)

    assert envoke_sandbox.contacts == []
    reason = "consent_withdrawn" if on_missing == "create" else "not_found"
    assert report.reasons | report.skipped_reasons == {reason: 1}
    assert report.consent_kept == 0


@pytest.mark.parametrize("strategy", ["changed", "all"])
def test_a_second_night_does_not_give_the_consent_that_the_first_one_held_back(strategy: str) -> None:
    people = [
        {"remote_id": "A", "email": "a@example.com"},
        {"remote_id": "W", "email": "w@example.com", **REVOKED},
    ]
    with Sandbox(people, duplicate_check=False) as sandbox:
        row = {"remote_id": "A", "email": "w@example.com", **EXPRESS}
        options = {"keyfield": "remote_id", "shared_email_guard": False, "strategy": strategy}
        reports = [sync(sandbox, [row], **options)[0] for _ in range(2)]

        contact = sandbox.contact(remote_id="A")
        assert (contact["email"], contact["consent_status"]) == ("w@example.com", "Not Provided")
        assert [report.consent_kept for report in reports] == [1, 1]


@pytest.mark.parametrize("strategy", ["changed", "all"])
def test_a_contact_that_may_get_mail_does_not_get_the_address_of_a_withdrawn_one(strategy: str) -> None:
    """To leave the consent out would not help: the contact has one."""
    people = [
        {"remote_id": "A", "email": "a@example.com", **EXPRESS},
        {"remote_id": "W", "email": "w@example.com", **REVOKED},
    ]
    with Sandbox(people, duplicate_check=False) as sandbox:
        row = {"remote_id": "A", "email": "w@example.com", **EXPRESS}
        options = {"keyfield": "remote_id", "shared_email_guard": False, "strategy": strategy}
        report, _ = sync(sandbox, [row], **options)

        assert report.reasons == {"consent_withdrawn": 1}
        assert sandbox.contact(remote_id="A")["email"] == "a@example.com"


@pytest.mark.parametrize("status", ["Not Provided", "Expired"])
def test_an_earlier_row_cannot_erase_a_withdrawal_for_a_later_one(envoke_sandbox: Sandbox, status: str) -> None:
    envoke_sandbox.reset([{"email": "ana@example.com", **REVOKED}])
    rows = [{"email": "ana@example.com", "consent_status": status}, {"email": "ana@example.com", **EXPRESS}]

    report, _ = sync(envoke_sandbox, rows, on_duplicate="last")

    assert (report.unchanged, report.consent_kept) == (2, 2)
    assert [contact["consent_status"] for contact in envoke_sandbox.contacts] == ["Revoked"]


@pytest.mark.parametrize("strategy", ["changed", "all"])
def test_a_contact_that_moves_up_between_pages_is_not_missed(
    monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    people = [{"email": f"p{number}@example.com", **REVOKED} for number in range(1, 251)]
    with Sandbox(people, faults={"in_refused": 1}) as sandbox:
        # All contacts with a higher id move up, some of them onto the page that was read already.
        after_the_first_page(monkeypatch, lambda: delete(sandbox, range(3, 143)))
        rows = [{"email": f"p{number}@example.com", **EXPRESS} for number in range(143, 251)]

        report, _ = sync(sandbox, rows, on_missing="create", strategy=strategy)

        assert (report.unchanged, report.consent_kept) == (108, 108)
        assert {contact["consent_status"] for contact in sandbox.contacts} == {"Revoked"}
        assert len(sandbox.contacts) == 110


def test_an_account_that_shrinks_between_pages_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [{"email": f"p{number}@example.com", "city": "Laval"} for number in range(1, 251)]
    with Sandbox(people, faults={"in_refused": 1}) as sandbox:
        after_the_first_page(monkeypatch, lambda: delete(sandbox, range(1, 201)))

        report, _ = sync(sandbox, [{"email": "p250@example.com", "city": "Québec"}])

        assert (report.updated, report.rejected) == (1, 0)


def test_a_tag_is_unset_in_any_case_of_its_name(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([{"email": "ana@example.com", "interests": {"Newsletter": "Set"}}])

    sync(envoke_sandbox, [{"email": "ana@example.com", "interests": {"newsletter": "Unset"}}])

    (patch,) = (request for request in envoke_sandbox.requests if request["method"] == "PATCH")
    assert json.loads(patch["body"]) == {"interests": {"newsletter": "Unset"}}


def test_max_changes_allows_several_changes_of_one_contact_that_the_plan_counted_once(
    envoke_sandbox: Sandbox,
) -> None:
    envoke_sandbox.reset([{"email": "ana@example.com", "city": "Laval"}])
    rows = [{"email": "ana@example.com", "city": city} for city in ("Alma", "Laval")]

    report, _ = sync(envoke_sandbox, rows, on_duplicate="last", max_changes=1)

    assert report.updated == 2
    assert [contact["city"] for contact in envoke_sandbox.contacts] == ["Laval"]


def test_one_contact_that_always_gets_503_does_not_stop_the_others() -> None:
    people = [{"email": f"p{number}@example.com", "city": "Laval"} for number in range(200)]
    with Sandbox(people, faults_for={"p7@example.com": "html_503"}) as sandbox:
        rows, rejects = [{**person, "city": "Québec"} for person in people], []
        run = SyncRun(
            config_of(sandbox, max_retries=1),
            SyncOptions(strategy="all", concurrency=4),
            on_reject=lambda reject: rejects.append(reject.row),
        )

        report = run.run(rows)

        assert (report.updated, report.reasons) == (199, {"no_answer": 1})
        assert rejects == [8]
        # All requests pause a few times; then only this one does, until it is given up.
        assert sandbox.stats["by_status"]["503"] <= 22


@pytest.mark.parametrize("strategy", ["changed", "all"])
@pytest.mark.parametrize("shared_email_guard", [True, False])
@pytest.mark.parametrize("order", ["taken first", "given up first"])
def test_the_address_that_a_withdrawn_contact_gives_up_gets_no_consent(
    strategy: str, shared_email_guard: bool, order: str
) -> None:
    people = [
        {"remote_id": f"R{number}", "email": f"p{number}@example.com", "city": "Laval"} for number in range(99)
    ]
    withdrawn = {"remote_id": "W", "email": "w@example.com", **REVOKED}
    takes = {"remote_id": "R0", "email": "w@example.com", **EXPRESS}
    gives_up = {"remote_id": "W", "email": "new@example.com"}
    # The rows between put the two into different batches.
    between = [{"remote_id": person["remote_id"], "city": "Laval"} for person in people[1:]]
    rows = [takes, *between, gives_up] if order == "taken first" else [gives_up, *between, takes]
    with Sandbox([withdrawn, *people], duplicate_check=False) as sandbox:
        report, _ = sync(
            sandbox, rows, keyfield="remote_id", strategy=strategy, shared_email_guard=shared_email_guard
        )

        assert report.reasons == ({"shared_email": 1} if shared_email_guard else {})
        assert report.consent_kept == (0 if shared_email_guard else 1)
        assert sandbox.contact(remote_id="R0")["consent_status"] == "Not Provided"
        assert sandbox.contact(remote_id="W")["email"] == "new@example.com"
