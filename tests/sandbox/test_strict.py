"""``strict``: the account has only the custom fields and tags that are listed; writes of others are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support.sandbox import ANA, JON, call

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTS = {"custom_fields": ["plan"], "interests": ["Newsletter"], "autoresponders": ["Welcome"]}
SENDING = {"consent_status": "Express", "consent_description": "Web form"}

#: Method, path, and what the body needs beside the fields under test.
WRITES = {
    "PATCH by id": ("PATCH", "/v1/contacts/1234", {}),
    "PATCH by email": ("PATCH", "/v1/contacts", {"email": "jon@doe.com"}),
    "PATCH by remote id": ("PATCH", "/v1/contacts?keyfield=remote_id", {"remote_id": "436D-SF92-J4G5"}),
    "POST": ("POST", "/v1/contacts", {"email": "new@doe.com"}),
    "upsert of an existing contact": ("POST", "/v1/contacts?upsert=1", {"email": "jon@doe.com"}),
    "upsert of a new contact": ("POST", "/v1/contacts?upsert=1", {"email": "new@doe.com"}),
}
UNKNOWN = [
    ({"ctiy": "Alma"}, ["'ctiy'"]), ({"consent_expiry": "2030-01-01"}, ["'consent_expiry'"]),
    ({"custom_fields": {"plna": "gold"}}, ["'plna'"]), ({"custom_fields": {"Plan": "gold"}}, ["'Plan'"]),
    ({"interests": {"Newsleter": "Set"}}, ["'Newsleter'"]),
    ({"interests": {"Newsleter": "Unset"}}, ["'Newsleter'"]),
    ({"interests": {"Welcome": "Set"}}, ["'Welcome'"]),
    ({"autoresponders": {"Wellcome": "Set"}, **SENDING}, ["'Wellcome'"]),
    (
        {"ctiy": "", "custom_fields": {"plan": "", "a": "", "b": ""}, "interests": {"c": "Set"}},
        ["'ctiy'", "'a'", "'b'", "'c'"],
    ),
]  # fmt: skip


@pytest.fixture
def strict() -> Iterator[Sandbox]:
    """A running sandbox with the contacts JON and ANA, and the account's LISTS."""
    with Sandbox([JON, ANA], strict=LISTS) as sandbox:
        yield sandbox


@pytest.mark.parametrize(("fields", "named"), UNKNOWN, ids=[" ".join(named) for _, named in UNKNOWN])
@pytest.mark.parametrize("write", WRITES)
def test_a_write_of_something_unknown_is_refused_by_name_and_changes_nothing(
    strict: Sandbox, write: str, fields: dict[str, Any], named: list[str]
) -> None:
    method, path, key = WRITES[write]
    before = strict.contacts

    response = call(strict, method, path, {**key, **fields})

    answer = response.json()
    errors = answer["result_data"]["errors"]
    assert (response.status_code, answer["success"]) == (400, False)
    assert [name for name, error in zip(named, errors, strict=True) if name not in error] == []
    assert strict.contacts == before


@pytest.mark.parametrize("write", WRITES)
def test_a_write_of_what_the_account_has_is_applied(strict: Sandbox, write: str) -> None:
    method, path, key = WRITES[write]
    groups = {"custom_fields": {"plan": "gold"}, "interests": {"Newsletter": "Set"}}
    fields = {"city": "Alma", "external_id": "0" * 32, **groups, "autoresponders": {"Welcome": "Set"}, **SENDING}

    data = call(strict, method, path, {**key, **fields}).json()["result_data"]

    assert (data["city"], data["custom_fields"]) == ("Alma", {"plan": "gold"})
    assert (data["interests"], data["autoresponders"]) == (["Newsletter"], ["Welcome"])


@pytest.mark.parametrize("fields", [fields for fields, _ in UNKNOWN], ids=str)
@pytest.mark.parametrize("write", WRITES)
def test_without_strict_everything_is_stored(sandbox: Sandbox, write: str, fields: dict[str, Any]) -> None:
    method, path, key = WRITES[write]

    assert call(sandbox, method, path, {**key, **fields}).json()["success"]


@pytest.mark.parametrize(
    ("path", "names"),
    [("customfields", ["plan", "since"]), ("interests", ["News", "Offers"]), ("autoresponders", [])],
)
def test_the_account_lists_what_it_has_whether_it_is_used_or_not(path: str, names: list[str]) -> None:
    with Sandbox([JON], strict={"custom_fields": ("since", "plan"), "interests": {"Offers", "News"}}) as sandbox:
        assert call(sandbox, "GET", f"/v1/{path}").json() == dict(zip("12", names, strict=False))


@pytest.mark.parametrize("body", [{"custom_fields": ["plan"]}, {"interests": "Newsletter"}])
def test_a_group_of_the_wrong_shape_is_refused_for_its_shape_alone(strict: Sandbox, body: dict[str, Any]) -> None:
    (error,) = call(strict, "PATCH", "/v1/contacts/1234", body).json()["result_data"]["errors"]

    assert "must be an object" in error


def test_contacts_at_the_start_may_hold_anything() -> None:
    contact = {**JON, "nickname": "J", "interests": ["Old tag"]}

    assert Sandbox([contact], strict=LISTS).contacts[0]["interests"] == ["Old tag"]


@pytest.mark.parametrize(
    "lists", [{"interest": []}, {"interests": "News"}, {"custom_fields": ["a b"]}, []], ids=str
)
def test_an_invalid_argument_is_refused(lists: Any) -> None:
    with pytest.raises(ValueError, match=r"interest|custom_fields|object"):
        Sandbox(strict=lists)


@pytest.mark.envoke_sandbox(strict=LISTS, contacts=[JON], latency_s=0.01)
def test_the_marker_of_the_fixture_holds_arguments(envoke_sandbox: Sandbox) -> None:
    refused = call(envoke_sandbox, "PATCH", "/v1/contacts/1234", {"interests": {"Other": "Set"}})

    assert refused.status_code == 400
    assert envoke_sandbox.requests[0]["errors"] == refused.json()["result_data"]["errors"]
    assert envoke_sandbox.latency_s == 0.01
