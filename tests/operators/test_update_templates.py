"""The payload of an update as DAGs pass it: dicts, templates, XComs and mapped rows, run by Airflow."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from tests.support.contacts import ANA, BO, CY
from tests.support.tasks import whole_error
from tests.support.updates import update_in_dag

if TYPE_CHECKING:
    from airflow_provider_envoke.sandbox.thread import Sandbox

CONTACTS = [ANA, BO, CY]
KEY = {"email": "ana@example.com"}
ROW = {**KEY, "first_name": "Zoë O'Neil", "postal_code": "007", "phone": None}
SENT = {**KEY, "first_name": "Zoë O'Neil", "postal_code": "007"}
# Custom field -> value in the warehouse, and what is sent.
TYPES: dict[str, tuple[Any, str]] = {
    "price": (Decimal("1.25"), "1.25"),
    "born": (date(2001, 2, 3), "2001-02-03"),
    "seen": (pendulum.datetime(2026, 3, 1, 12, 30, tz="America/Toronto"), "2026-03-01 17:30:00"),
    "share": (0.1, "0.1"),
    "count": (42.0, "42"),
    "vip": (True, "true"),
    "nothing": (None, ""),
}
PULLED = "{{ ti.xcom_pull(task_ids='rows') }}"
MISSING = "{{ ti.xcom_pull(task_ids='nobody') }}"
TEMPLATE = "{{ 7*7 }} {% raw %}"

pytestmark = pytest.mark.usefixtures("airflow_db", "sandbox")


def same(rows: Any) -> Any:
    """Return the ``XComArg`` of the rows itself."""
    return rows


@pytest.mark.parametrize(
    ("payload", "rows", "sent"),
    [
        pytest.param(ROW, None, SENT, id="dict"),
        pytest.param(same, ROW, SENT, id="XComArg"),
        pytest.param(json.dumps(ROW, indent=2, ensure_ascii=False) + "\n", None, SENT, id="indented JSON"),
        pytest.param("{{ ti.xcom_pull(task_ids='rows')[0] | tojson }}", [ROW], SENT, id="JSON from a template"),
        pytest.param("{{ ti.xcom_pull(task_ids='rows')[0] }}", [ROW], SENT, id="repr of a row"),
        pytest.param(f"\n  {PULLED}\n", ROW, SENT, id="repr with spaces"),
        pytest.param("{{ dag_run.conf['row'] }}", None, SENT, id="repr of the run's configuration"),
        pytest.param(
            {
                "email": "{{ ti.xcom_pull(task_ids='rows').email }}",
                "custom_fields": {"plan": "{{ ti.xcom_pull(task_ids='rows').plan }}", "seats": 3},
                "interests": {"News": "{{ 'Set' if ti.xcom_pull(task_ids='rows').news else 'Unset' }}"},
            },
            {**KEY, "plan": "gold", "news": True},
            {**KEY, "custom_fields": {"plan": "gold", "seats": "3"}, "interests": {"News": "Set"}},
            id="templates in groups",
        ),
        pytest.param(
            {**KEY, "interests": ["{{ dag_run.conf.tag }}", "Shop"]},
            None,
            {**KEY, "interests": {"VIP": "Set", "Shop": "Set"}},
            id="templates in a list",
        ),
        pytest.param(
            {**KEY, "custom_fields.plan": "{{ dag_run.conf.tag }}"},
            None,
            {**KEY, "custom_fields": {"plan": "VIP"}},
            id="dotted name",
        ),
        pytest.param(
            same,
            {**KEY, "custom_fields": {name: value for name, (value, _) in TYPES.items()}},
            {**KEY, "custom_fields": {name: sent for name, (_, sent) in TYPES.items() if sent}},
            id="types of a warehouse",
        ),
        pytest.param(
            '{"email": "ana@example.com", "custom_fields": {"price": 1.50, "gap": NaN, "big": 9007199254740993}}',
            None,
            {**KEY, "custom_fields": {"price": "1.50", "big": "9007199254740993"}},
            id="numbers in JSON",
        ),
    ],
)
def test_a_payload_can_be_given_as(payload: Any, rows: Any, sent: dict[str, Any], sandbox: Sandbox) -> None:
    outcome = update_in_dag(payload=payload, rows=rows, run_conf={"row": ROW, "tag": "VIP"})

    assert outcome.states == ["success"], outcome.errors
    (request,) = sandbox.requests
    assert (request["method"], request["path"], request["query"]) == ("PATCH", "/v1/contacts", "")
    assert json.loads(request["body"]) == sent
    groups = {f"{name}.{member}" for name in sent if isinstance(sent[name], dict) for member in sent[name]}
    plain = {name for name in sent if not isinstance(sent[name], dict)}
    assert outcome.result() == {"id": 1, "action": "updated", "fields": sorted(groups | plain)}


@pytest.mark.parametrize(
    ("payload", "rows"),
    [
        pytest.param("{{ ti.xcom_pull(task_ids='rows')[0] }}", [ROW], id="template"),
        pytest.param(PULLED, {**ROW, "custom_fields": {"born": date(2001, 2, 3)}}, id="template with a date"),
        pytest.param({"email": "{{ dag_run.conf.email }}", "first_name": "Zoë O'Neil"}, None, id="dict"),
    ],
)
def test_templates_can_render_to_native_objects(payload: Any, rows: Any, sandbox: Sandbox) -> None:
    outcome = update_in_dag(payload=payload, rows=rows, native=True, run_conf=KEY)

    assert outcome.states == ["success"], outcome.errors
    assert sandbox.contact(id=1)["first_name"] == "Zoë O'Neil"


@pytest.mark.parametrize(
    ("named", "arguments", "rows"),
    [
        pytest.param("payload", {"payload": "{{ '' }}"}, None, id="an empty template"),
        pytest.param("payload", {"payload": MISSING}, None, id="a missing XCom"),
        pytest.param("payload", {"payload": same}, [ROW, ROW], id="many rows"),
        pytest.param("expand", {"payload": PULLED}, [ROW, ROW], id="repr of many rows"),
        pytest.param("city", {"payload": {**KEY, "city": MISSING}}, None, id="a null in a field"),
        pytest.param(
            "custom_fields.plan", {"payload": {**KEY, "custom_fields": {"plan": "{{ None }}"}}}, None,
            id="a null in a group",
        ),
        pytest.param("4 fields", {"payload": PULLED}, {"id": "x", "cty": 1, "language": "fra", "date_created": 1},
                     id="many violations"),
        pytest.param("keyfield", {"payload": SENT, "keyfield": MISSING}, None, id="a missing keyfield"),
        pytest.param("contact_id", {"payload": SENT, "contact_id": MISSING}, None, id="a missing contact_id"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_fails_the_task_for_good(
    named: str, arguments: dict[str, Any], rows: Any, sandbox: Sandbox
) -> None:
    outcome = update_in_dag(rows=rows, **arguments)

    assert (outcome.run.state, outcome.states, outcome.result()) == ("failed", ["failed"], None)
    assert isinstance(outcome.error, AirflowFailException)
    assert named in str(whole_error(outcome.error))
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("payload", "rows"),
    [
        pytest.param(same, {**KEY, "city": TEMPLATE}, id="XComArg"),
        pytest.param(PULLED, {**KEY, "city": TEMPLATE}, id="repr"),
        pytest.param({**KEY, "city": PULLED}, TEMPLATE, id="nested"),
    ],
)
def test_a_value_that_looks_like_a_template_is_not_rendered(payload: Any, rows: Any, sandbox: Sandbox) -> None:
    outcome = update_in_dag(payload=payload, rows=rows)

    assert outcome.states == ["success"], outcome.errors
    assert sandbox.contact(id=1)["city"] == TEMPLATE


def test_each_mapped_row_has_its_own_task(sandbox: Sandbox) -> None:
    rows = [
        {**KEY, "city": "Alma", "custom_fields": {"price": Decimal("1.25")}},
        {"email": "eve@example.com", "city": "Laval"},
        {"email": "bad", "city": "x"},
        {"email": "bo@example.com", "city": TEMPLATE},
    ]

    outcome = update_in_dag(expand=same, rows=rows, on_missing="skip")

    assert outcome.states == ["success", "skipped", "failed", "success"]
    assert [sandbox.contact(id=number)["city"] for number in (1, 2)] == ["Alma", TEMPLATE], "not rendered"
    assert sandbox.contact(id=1)["custom_fields"] == {"price": "1.25"}
    assert outcome.result(3) == {"id": 2, "action": "updated", "fields": ["city", "email"]}


def test_a_list_in_the_dag_is_mapped_with_its_templates(sandbox: Sandbox) -> None:
    rows = [{**KEY, "city": "{{ dag_run.conf.city }}"}, {"email": "bo@example.com", "city": "x"}]

    outcome = update_in_dag(expand=rows, run_conf={"city": "Alma"})

    assert outcome.states == ["success", "success"], outcome.errors
    assert sandbox.contact(id=1)["city"] == "Alma"


@pytest.mark.parametrize(
    ("arguments", "payload", "path", "query"),
    [
        ({"contact_id": "{{ dag_run.conf.id }}"}, {}, "/v1/contacts/1", ""),
        ({"keyfield": "{{ dag_run.conf.key }}"}, {"remote_id": "R-1"}, "/v1/contacts", "keyfield=remote_id"),
    ],
)
def test_the_key_can_be_a_template(
    arguments: dict[str, Any], payload: dict[str, Any], path: str, query: str, sandbox: Sandbox
) -> None:
    outcome = update_in_dag(payload={**payload, "city": "x"}, run_conf={"id": 1, "key": "remote_id"}, **arguments)

    assert outcome.states == ["success"], outcome.errors
    (request,) = sandbox.requests
    assert (request["path"], request["query"]) == (path, query)
    assert outcome.result()["id"] == 1


def test_the_connection_id_can_be_a_template(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_OTHER", json.dumps(sandbox.connection))
    monkeypatch.delenv("AIRFLOW_CONN_ENVOKE_DEFAULT")

    templated = "envoke_{{ dag_run.conf.which }}"
    outcome = update_in_dag(payload={**KEY, "city": "x"}, envoke_conn_id=templated, run_conf={"which": "other"})

    assert outcome.states == ["success"], outcome.errors
