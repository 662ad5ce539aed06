"""Whatever the rows, the options and the moment: no write replaces a withdrawn consent while the guard is on."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_envoke.client.bulk import BulkClient
from airflow_provider_envoke.sandbox.store import ContactStore
from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support.sync_runs import sync
from tests.support.updates import update

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_envoke.envoke.requests import Request

# Written out a second time, from article 1697226.
SENDING = ("Express", "Implied - Inquiry", "Implied - Transaction", "Implied - No Expiry")
WITHDRAWN = ("Revoked", "External Spam Reported", "Envoke Spam Reported")
OTHERS = ("Expired", "Not Provided")
IDS = range(1, 11)


class Watch:
    """
    Looks at every write of the sandbox, and collects those that break the promise.

    Its state: the violations, and the addresses of the people who had withdrawn consent when the run began.
    """

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.addresses: dict[str, int] = {}

    def begin(self, contacts: list[dict[str, Any]]) -> None:
        gone = [contact for contact in contacts if contact.get("consent_status") in WITHDRAWN]
        self.addresses = {contact["email"].lower(): contact["id"] for contact in gone}

    def check(
        self,
        store: ContactStore,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any],
        fields: Mapping[str, Any],
    ) -> None:
        if before is not None and before["consent_status"] in WITHDRAWN:
            if after["consent_status"] not in WITHDRAWN:
                self.violations.append(f"{before['consent_status']} became {after['consent_status']}")
            if after["consent_description"] != before["consent_description"]:
                self.violations.append("the description of a withdrawal was replaced")
        address = str(after["email"]).lower()
        holder = store.contacts.get(self.addresses.get(address, 0))
        if holder is None or holder["id"] == after["id"] or str(holder["email"]).lower() != address:
            return
        # The operators let through an address without a consent: that is for the guard of addresses to say.
        gives = "consent_status" in fields and after["consent_status"] in SENDING
        if gives and (before is None or before["consent_status"] not in SENDING or "email" in fields):
            self.violations.append("another contact of a person who has withdrawn consent gets mail")


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    watching = Watch()
    update_contact, create = ContactStore.update, ContactStore.create
    creating: list[bool] = []

    def watched_update(store: ContactStore, contact: dict[str, Any], fields: Mapping[str, Any]) -> None:
        before = dict(contact)
        update_contact(store, contact, fields)
        if not creating and before.get("email"):  # not while contacts are put into the account
            watching.check(store, before, contact, fields)

    def watched_create(store: ContactStore, fields: Mapping[str, Any]) -> dict[str, Any]:
        creating.append(True)
        try:
            contact = create(store, fields)
        finally:
            creating.pop()
        watching.check(store, None, contact, fields)
        return contact

    monkeypatch.setattr(ContactStore, "update", watched_update)
    monkeypatch.setattr(ContactStore, "create", watched_create)
    yield watching
    assert watching.violations == []


def consent(dice: random.Random) -> dict[str, str]:
    status = dice.choice([*SENDING, "express", "Implied: No Expiry", *OTHERS, *WITHDRAWN, "", ""])
    description = dice.choice(["Form", "Phone", ""])
    return {"consent_status": status, "consent_description": "Form" if status else description}


def account(dice: random.Random) -> list[dict[str, Any]]:
    statuses = [*WITHDRAWN, *WITHDRAWN, *OTHERS, *SENDING, ""]
    return [
        {
            "id": number,
            "email": f"p{number}@example.com",
            "remote_id": f"R{number}",
            "city": dice.choice(["Laval", "Alma"]),
            "consent_status": dice.choice(statuses),
            "consent_description": dice.choice(["Link", "Form", ""]),
        }
        for number in IDS
    ]


def row(dice: random.Random, keyfield: str) -> dict[str, Any]:
    """A row of a known or an unknown contact, often with the address of another one."""
    number, other = dice.randint(1, 12), dice.randint(1, 12)
    address = f"p{number if keyfield == 'email' or dice.random() < 0.6 else other}@example.com"
    key = {"id": number, "remote_id": f"R{number}", "email": address}[keyfield]
    wish = {"email": address} if dice.random() < 0.6 else {}
    city = {"city": dice.choice(["Laval", "Alma"])} if dice.random() < 0.6 else {}
    values = {**wish, **city, **consent(dice), keyfield: key}
    if dice.random() < 0.2 and "email" in values:
        values["email"] = str(values["email"]).upper()
    return values


@pytest.mark.parametrize("seed", range(60))
def test_no_run_replaces_a_withdrawn_consent(seed: int, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(seed)
    keyfield: Any = dice.choice(["email", "remote_id", "id"])
    options: dict[str, Any] = {
        "strategy": dice.choice(["changed", "all"]),
        "on_withdrawn": dice.choice(["keep", "keep", "reject"]),
        "on_missing": dice.choice(["create", "create", "skip", "reject"]),
        "on_duplicate": dice.choice(["first", "last"]),
        "shared_email_guard": dice.random() < 0.5,
        "ambiguous_guard": dice.random() < 0.5,
        "max_changes": dice.choice([None, 100]),
        "concurrency": dice.choice([1, 8]),
        "batch_rows": dice.choice([1, 3, 99]),
    }
    faults = {"in_refused": 1} if dice.random() < 0.3 else {}
    with Sandbox(account(dice), duplicate_check=dice.random() < 0.3, faults=faults) as sandbox:
        if not faults and dice.random() < 0.6:
            revoke_what_was_read(sandbox, keyfield, dice, monkeypatch)
        for _ in range(2):
            watch.begin(sandbox.contacts)
            rows = [row(dice, keyfield) for _ in range(20)]
            report, rejects = sync(sandbox, rows, keyfield=keyfield, **options)

            counts = (report.updated, report.created, report.unchanged, report.skipped, report.rejected)
            assert sum(counts) == report.rows == len(rows)
            assert len(rejects) == report.rejected
            assert report.consent_kept <= report.updated + report.unchanged


def revoke_what_was_read(
    sandbox: Sandbox, keyfield: str, dice: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let people revoke their consent, each right after the contact was read to be compared."""
    send = BulkClient.send

    async def wrapped(self: BulkClient, request: Request, *in_doubt: Any) -> Any:
        answer = await send(self, request, *in_doubt)
        if request.method == "GET" and f"filter[{keyfield}][$in]" in str(request.params) and answer:
            number = dice.choice(answer)["id"]
            left = {"consent_status": "Revoked", "consent_description": f"Link of {dice.random()}"}
            revoked = sandbox.contact(id=number)
            if revoked is not None and revoked["consent_status"] not in WITHDRAWN:
                sandbox._call(lambda: store_of(sandbox).update(store_of(sandbox).contacts[number], left))
        return answer

    monkeypatch.setattr(BulkClient, "send", wrapped)


def store_of(sandbox: Sandbox) -> ContactStore:
    return sandbox._server.store


@pytest.mark.parametrize("seed", range(20))
def test_no_update_of_one_contact_replaces_a_withdrawn_consent(
    seed: int, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(seed)
    with Sandbox(account(dice), duplicate_check=dice.random() < 0.3) as sandbox:
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(sandbox.connection))
        done = 0
        for _ in range(20):
            keyfield = dice.choice(["email", "remote_id", "id"])
            watch.begin(sandbox.contacts)
            with suppress(AirflowFailException):
                update(
                    payload=row(dice, keyfield),
                    keyfield=keyfield,
                    on_missing=dice.choice(["fail", "create"]),
                    on_withdrawn=dice.choice(["keep", "reject"]),
                )
                done += 1

    assert done
