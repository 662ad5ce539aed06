"""Columns in another case, as Snowflake and Oracle return them, through every operator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support.contacts import contacts
from tests.support.tasks import context, whole_error
from tests.support.updates import update

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.sandbox.thread import Sandbox

CONTACTS = contacts(2)
SQL = "SELECT email AS EMAIL, city AS CITY, plan AS PLAN, 'Set' AS \"INTERESTS.News\" FROM customers"
ROW = {"EMAIL": "p0@example.com", "CITY": "Lévis"}


@pytest.mark.parametrize(
    ("arguments", "plan"),
    [
        ({"sql": SQL.replace("plan AS PLAN", 'plan AS "Custom_Fields.plan"')}, {"plan": "1"}),
        ({"sql": SQL, "extra_fields": ["plan"]}, {}),
        (
            {"sql": SQL, "field_map": {"email": "email", "city": "city", "plan": "custom_fields.plan"}},
            {"plan": "1"},
        ),
    ],
    ids=["same names", "extra field", "field_map"],
)
def test_columns_in_upper_case_fill_the_fields(
    arguments: dict[str, Any], plan: dict[str, str], sandbox: Sandbox, warehouse: Callable[..., None]
) -> None:
    warehouse([("p0@example.com", "Lévis", 1)])

    report = SqlToEnvokeOperator(task_id="t", sql_conn_id="warehouse", **arguments).execute(context())

    assert (report["updated"], report["rejected"]) == (1, 0)
    contact = sandbox.contact(email="p0@example.com")
    assert (contact["city"], contact.get("custom_fields") or {}) == ("Lévis", plan)
    assert contact["interests"] == ([] if "field_map" in arguments else ["News"])


@pytest.mark.parametrize("key", ["remote_id", "id", "email"])
def test_the_key_is_found_in_any_case(key: Any, sandbox: Sandbox) -> None:
    sandbox.reset([{"id": 1, "email": "p0@example.com", "remote_id": "R-1"}])
    value = sandbox.contacts[0][key]

    report = EnvokeSyncContactsOperator(
        task_id="t", rows=[{key.upper(): value, "City": "Lévis"}], keyfield=key
    ).execute(context())

    assert report["updated"] == 1


def test_two_columns_of_one_field_are_rejected(sandbox: Sandbox) -> None:
    rows = [{**ROW, "Email": "p1@example.com"}]

    with pytest.raises(AirflowFailException) as caught:
        EnvokeSyncContactsOperator(task_id="t", rows=rows).execute(context())

    assert "email: the columns 'EMAIL' and 'Email'" in str(whole_error(caught.value))
    assert sandbox.requests == []


def test_the_payload_of_one_contact_is_matched_too(sandbox: Sandbox) -> None:
    result = update(payload={**ROW, "Custom_Fields": {"Plan": "gold"}, "MOBILE": "5"}, extra_fields=["mobile"])

    assert result["fields"] == ["city", "custom_fields.Plan", "email", "mobile"]
    (request,) = sandbox.requests
    assert json.loads(request["body"]) == {
        "email": "p0@example.com",
        "city": "Lévis",
        "custom_fields": {"Plan": "gold"},
        "mobile": "5",
    }


def test_two_names_of_one_field_fail_the_update(sandbox: Sandbox) -> None:
    with pytest.raises(Exception, match=r"email: the columns 'EMAIL' and 'Email'"):
        update(payload={**ROW, "Email": "p1@example.com"})

    assert sandbox.requests == []
