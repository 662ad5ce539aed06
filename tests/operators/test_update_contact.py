"""The operator for one contact, end to end: a real DAG, a real connection, the sandbox over a real socket."""

from __future__ import annotations

import itertools
import json
import logging
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, AirflowSkipException, task

from airflow_provider_envoke.core.protocol import REMOTE_ID_WARNING
from airflow_provider_envoke.exceptions import EnvokeTransientError
from airflow_provider_envoke.operators.envoke import EnvokeUpdateContactOperator
from airflow_provider_envoke.sandbox.thread import Sandbox
from tests import faulty_server as faults
from tests.faulty_server import FaultyServer, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow.models.dagrun import DagRun

CONTACTS = [
    {"id": 1, "email": "ana@example.com", "remote_id": "R-1", "first_name": "Ana", "phone": "1", "city": "Laval"},
    {"id": 2, "email": "bo@example.com", "remote_id": "R-2", "first_name": "Bo"},
    {"id": 3, "email": "cy@example.com", "remote_id": "R-3", "consent_status": "Revoked"},
]
PROOF = "Ticked the box on the order form, 2026-03-01"
EXPRESS = {"consent_status": "Express", "consent_description": PROOF}

_numbers = itertools.count()


@dataclass(frozen=True)
class Outcome:
    """What came of the task ``update`` in one run."""

    run: DagRun
    errors: list[BaseException]

    @property
    def states(self) -> list[str]:
        """The states of its instances, in their order."""
        return [str(instance.state) for instance in self._instances]

    @property
    def error(self) -> BaseException:
        """The one exception that ended it."""
        (error,) = self.errors
        return error

    def result(self, map_index: int = -1) -> Any:
        """What it left in XCom."""
        return self._instances[0].xcom_pull(task_ids="update", map_indexes=map_index)

    @property
    def _instances(self) -> list[Any]:
        instances = [instance for instance in self.run.get_task_instances() if instance.task_id == "update"]
        return sorted(instances, key=lambda instance: instance.map_index)


@pytest.fixture
def sandbox(envoke_connection: Sandbox) -> Sandbox:
    envoke_connection.reset(CONTACTS)
    return envoke_connection


@pytest.fixture
def play(sandbox: Sandbox, run_dag: Callable[..., DagRun]) -> Callable[..., Outcome]:
    """
    Run a DAG: a task ``rows`` that returns what it is told, then the operator as ``update``.

    ``payload`` and ``expand`` may be functions of the upstream task's ``XComArg``.
    """

    def play(
        *,
        payload: Any = None,
        expand: Any = None,
        rows: Any = None,
        run_conf: dict[str, Any] | None = None,
        native: bool = False,
        **arguments: Any,
    ) -> Outcome:
        errors: list[BaseException] = []
        arguments["on_failure_callback"] = lambda context: errors.append(context["exception"])
        with DAG(f"envoke_test_{next(_numbers)}", schedule=None, render_template_as_native_obj=native) as dag:

            @task(task_id="rows", multiple_outputs=False)
            def upstream() -> Any:
                return rows

            source = upstream()
            if expand is not None:
                mapped = expand(source) if callable(expand) else expand
                update = EnvokeUpdateContactOperator.partial(task_id="update", **arguments).expand(payload=mapped)
            else:
                given = payload(source) if callable(payload) else payload
                update = EnvokeUpdateContactOperator(task_id="update", payload=given, **arguments)
            source >> update
        run = run_dag(dag, run_conf=run_conf)
        return Outcome(run, errors)

    return play


class Instance:
    """The little of a task instance that the operator uses; remembers what was pushed."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def execute(**arguments: Any) -> Any:
    """Run the operator without a DAG: where templates, XCom and states do not matter, it takes no time."""
    return EnvokeUpdateContactOperator(task_id="update", **arguments).execute({"ti": Instance()})


def last_body(sandbox: Sandbox) -> Any:
    """The body of the last request."""
    return json.loads(sandbox.requests[-1]["body"])


# The payload table: what may be given, and what arrives

ROW = {"email": "ana@example.com", "first_name": "Zoë O'Neil", "postal_code": "007", "phone": None}
SENT = {"email": "ana@example.com", "first_name": "Zoë O'Neil", "postal_code": "007"}


@pytest.mark.parametrize(
    ("payload", "rows", "sent"),
    [
        pytest.param(ROW, None, SENT, id="dict"),
        pytest.param(lambda rows: rows, ROW, SENT, id="xcom-arg"),
        pytest.param(json.dumps(ROW), None, SENT, id="json-text"),
        pytest.param(json.dumps(ROW, indent=2, ensure_ascii=False) + "\n", None, SENT, id="json-text-indented"),
        pytest.param("{{ ti.xcom_pull(task_ids='rows')[0] | tojson }}", [ROW], SENT, id="json-by-template"),
        pytest.param("{{ ti.xcom_pull(task_ids='rows')[0] }}", [ROW], SENT, id="repr-of-a-row"),
        pytest.param("\n  {{ ti.xcom_pull(task_ids='rows') }}\n", ROW, SENT, id="repr-with-blanks"),
        pytest.param("{{ dag_run.conf['row'] }}", None, SENT, id="repr-of-conf"),
        pytest.param(
            {
                "email": "{{ dag_run.conf.row.email }}",
                "first_name": "{{ dag_run.conf.row.first_name }}",
                "postal_code": "007",
            },
            None,
            SENT,
            id="dict-of-templates",
        ),
        pytest.param(
            {
                "email": "{{ ti.xcom_pull(task_ids='rows').email }}",
                "custom_fields": {"plan": "{{ ti.xcom_pull(task_ids='rows').plan }}", "seats": 3},
                "interests": {"News": "{{ 'Set' if ti.xcom_pull(task_ids='rows').news else 'Unset' }}"},
            },
            {"email": "ana@example.com", "plan": "gold", "news": True},
            {
                "email": "ana@example.com",
                "custom_fields": {"plan": "gold", "seats": "3"},
                "interests": {"News": "Set"},
            },
            id="templates-inside-groups",
        ),
        pytest.param(
            {"email": "ana@example.com", "interests": ["{{ dag_run.conf.tag }}", "Shop"]},
            None,
            {"email": "ana@example.com", "interests": {"VIP": "Set", "Shop": "Set"}},
            id="templates-inside-a-list",
        ),
        pytest.param(
            {"email": "ana@example.com", "custom_fields.plan": "{{ dag_run.conf.tag }}"},
            None,
            {"email": "ana@example.com", "custom_fields": {"plan": "VIP"}},
            id="dotted-name",
        ),
        pytest.param(
            lambda rows: rows,
            {
                "email": "ana@example.com",
                "custom_fields": {
                    "price": Decimal("1.25"),
                    "born": date(2001, 2, 3),
                    "seen": pendulum.datetime(2026, 3, 1, 12, 30, tz="America/Toronto"),
                    "share": 0.1,
                    "count": 42.0,
                    "vip": True,
                    "nothing": None,
                },
            },
            {
                "email": "ana@example.com",
                "custom_fields": {
                    "price": "1.25",
                    "born": "2001-02-03",
                    "seen": "2026-03-01 17:30:00",
                    "share": "0.1",
                    "count": "42",
                    "vip": "true",
                },
            },
            id="warehouse-types",
        ),
        pytest.param(
            '{"email": "ana@example.com", "custom_fields": {"price": 1.50, "gap": NaN, "big": 9007199254740993}}',
            None,
            {"email": "ana@example.com", "custom_fields": {"price": "1.50", "big": "9007199254740993"}},
            id="json-numbers",
        ),
    ],
)
def test_a_payload_may_be_given_as(
    payload: Any, rows: Any, sent: dict[str, Any], play: Callable[..., Outcome], sandbox: Sandbox
) -> None:
    outcome = play(payload=payload, rows=rows, run_conf={"row": ROW, "tag": "VIP"})

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
        pytest.param(
            "{{ ti.xcom_pull(task_ids='rows') }}",
            {**ROW, "custom_fields": {"born": date(2001, 2, 3)}},
            id="template-with-a-date",
        ),
        pytest.param({"email": "{{ dag_run.conf.email }}", "first_name": "Zoë O'Neil"}, None, id="dict"),
    ],
)
def test_a_payload_of_native_objects_is_taken_too(
    payload: Any, rows: Any, play: Callable[..., Outcome], sandbox: Sandbox
) -> None:
    outcome = play(payload=payload, rows=rows, native=True, run_conf={"email": "ana@example.com"})

    assert outcome.states == ["success"], outcome.errors
    assert sandbox.contact(id=1)["first_name"] == "Zoë O'Neil"


BAD = [
    pytest.param({}, "neither an id nor an email", id="empty-dict"),
    pytest.param("", "payload rendered to nothing", id="empty-text"),
    pytest.param("{{ '' }}", "payload rendered to nothing", id="template-of-nothing"),
    pytest.param("{{ ti.xcom_pull(task_ids='nobody') }}", "payload is None", id="xcom-that-is-not-there"),
    pytest.param(lambda rows: rows, "payload is a list of 2, not one row", id="xcom-arg-of-many-rows"),
    pytest.param("{{ ti.xcom_pull(task_ids='rows') }}", "payload is a list of 2.*expand", id="repr-of-many-rows"),
    pytest.param(
        "{{ ti.xcom_pull(task_ids='rows')[0] }} ", "payload is .*not one row|payload has to be", id="tuple"
    ),
    pytest.param("hello", "neither JSON nor the repr", id="word"),
    pytest.param("{'email': 'ana@example.com', ", "neither JSON nor the repr", id="cut-off-repr"),
    pytest.param("42", "payload has to be one row as a dict, not int", id="number"),
    pytest.param('{"email": "ana@example.com", "city": 1, "city": 2}', "names a field twice", id="json-twice"),
    pytest.param(
        "{'email': 'ana@example.com', 'city': datetime.datetime(2026, 1, 1, 0, 0)}",
        r"holds datetime\.datetime\(…\).*XComArg.*CAST",
        id="repr-with-a-datetime",
    ),
    pytest.param(
        "{'email': 'ana@example.com', 'city': Decimal('1.5'), 'phone': nan}",
        r"holds Decimal\(…\), nan",
        id="repr-with-a-decimal-and-nan",
    ),
    pytest.param("__import__('os').getcwd()", "which a template cannot carry", id="code"),
    pytest.param(
        {"email": "ana@example.com", "first_name": "{{ ti.xcom_pull(task_ids='nobody') }}"},
        "first_name: the text that a template makes of a missing value",
        id="rendered-none",
    ),
    pytest.param(
        {"email": "ana@example.com", "custom_fields": {"plan": "{{ None }}"}},
        r"custom_fields\.plan: the text that a template makes",
        id="rendered-none-in-a-group",
    ),
    pytest.param(
        {"email": "ana@example", "first_nam": "x", "city": "x" * 21, "language": "french", "date_created": "x"},
        r"\(4 to mend\): first_nam: .*; city: 21 characters.*; language: 6 .*; date_created: read-only",
        id="many-violations",
    ),
    pytest.param({"email": "no address", "city": "x"}, "email: not an e-mail address", id="email"),
    pytest.param({"email": "x" * 60 + "@x.com", "city": "x"}, "email: 66 characters", id="long-email"),
    pytest.param({"id": "12a", "city": "x"}, "id: has to be a whole number", id="id"),
    pytest.param({"email": "a@x.com", "consent_status": "Express"}, "consent_description: required", id="consent"),
    pytest.param({"email": "a@x.com", "consent_status": "Sure"}, "consent_status: not a consent", id="no-status"),
    pytest.param({"email": "a@x.com", "interests": {"News": "maybe"}}, r"interests\.News: has to be", id="tag"),
    pytest.param({"email": "a@x.com", "custom_fields": {"a b": "1"}}, "a custom field's name", id="custom-name"),
    pytest.param({"email": "a@x.com", "custom_fields": "gold"}, "has to be an object", id="custom-text"),
    pytest.param({"email": "a@x.com", "city": {"a": 1}}, "of type dict cannot be sent", id="dict-in-text"),
    pytest.param({"email": "a@x.com", "city": "a\0b"}, "city: it holds a NUL", id="nul"),
    pytest.param({"email": "ana@example.com"}, "nothing to update besides its key", id="key-alone"),
    pytest.param({"email": "ana@example.com", "city": None}, "nothing to update.*nulls='clear'", id="nulls-alone"),
    pytest.param({"city": "Laval"}, "neither an id nor an email", id="no-key"),
    pytest.param({"remote_id": "R-1", "city": "x"}, "say keyfield='remote_id'", id="remote-id-unsaid"),
]


BAD_ARGUMENTS = [
    pytest.param({"keyfield": "phone"}, "keyfield has to be", id="keyfield"),
    pytest.param({"keyfield": "{{ ti.xcom_pull(task_ids='nobody') }}"}, "not 'None'", id="keyfield-of-nothing"),
    pytest.param({"contact_id": "{{ ti.xcom_pull(task_ids='nobody') }}"}, "contact_id has", id="id-of-nothing"),
    pytest.param({"contact_id": "1/../2"}, "contact_id has to be a whole number", id="path-as-contact-id"),
    pytest.param({"contact_id": 4_294_967_296}, "from 1 to 4294967295", id="contact-id-too-large"),
    pytest.param({"contact_id": 1, "keyfield": "email"}, "contradict each other", id="two-keys"),
    pytest.param({"nulls": "drop"}, "nulls has to be 'ignore' or 'clear'", id="nulls"),
    pytest.param({"on_overlong": "cut"}, "on_overlong has to be", id="on-overlong"),
    pytest.param({"on_missing": "ignore"}, "on_missing has to be 'fail' or 'skip' or 'create'", id="on-missing"),
    pytest.param({"extra_fields": "nickname"}, "extra_fields has to be a list", id="extra-fields"),
]


@dataclass(frozen=True)
class BadRun:
    """One run with a task for each bad case: what became of each, and what the service saw of them."""

    run: DagRun
    errors: dict[str, BaseException]
    results: dict[str, Any]
    requests: list[Any]


@pytest.fixture(scope="module")
def bad_run(airflow_db: object) -> BadRun:
    from demo import local_airflow

    errors: dict[str, BaseException] = {}

    def remember(context: Any) -> None:
        errors[context["ti"].task_id] = context["exception"]

    good = {"email": "ana@example.com", "city": "x"}
    with DAG("envoke_test_bad", schedule=None) as dag:

        @task(task_id="rows")
        def upstream() -> Any:
            return [("ana@example.com", "x"), ("bo@example.com", "y")]

        source = upstream()
        cases = {case.id: {"payload": case.values[0]} for case in BAD}
        cases |= {case.id: {"payload": good, **case.values[0]} for case in BAD_ARGUMENTS}
        for name, arguments in cases.items():
            given = arguments["payload"](source) if callable(arguments["payload"]) else arguments["payload"]
            source >> EnvokeUpdateContactOperator(
                task_id=name, on_failure_callback=remember, **arguments | {"payload": given}
            )
    with Sandbox(CONTACTS) as account, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(account.connection))
        run = local_airflow.run_dag(dag)
        results = {each.task_id: each.xcom_pull(task_ids=each.task_id) for each in run.get_task_instances()}
        return BadRun(run, errors, results, account.requests)


@pytest.mark.parametrize(
    ("case", "words"), [pytest.param(case.id, case.values[1], id=case.id) for case in (*BAD, *BAD_ARGUMENTS)]
)
def test_a_bad_payload_or_argument_fails_the_task(case: str, words: str, bad_run: BadRun) -> None:
    states = {instance.task_id: instance.state for instance in bad_run.run.get_task_instances()}
    assert states[case] == "failed"
    assert isinstance(bad_run.errors[case], AirflowFailException), "a retry would not help"
    assert re.search(words, str(bad_run.errors[case])), bad_run.errors[case]
    assert bad_run.results[case] is None


def test_bad_payloads_and_arguments_fail_the_run_and_send_nothing(bad_run: BadRun) -> None:
    assert bad_run.run.state == "failed"
    assert len(bad_run.errors) == len(BAD) + len(BAD_ARGUMENTS)
    assert bad_run.requests == []


# Values are not templates


TEMPLATE = "{{ 7*7 }} {% raw %}"


@pytest.mark.parametrize(
    ("payload", "rows"),
    [
        pytest.param(lambda rows: rows, {"email": "ana@example.com", "city": TEMPLATE}, id="xcom-arg"),
        pytest.param(
            "{{ ti.xcom_pull(task_ids='rows') }}", {"email": "ana@example.com", "city": TEMPLATE}, id="repr"
        ),
        pytest.param(
            {"email": "ana@example.com", "city": "{{ ti.xcom_pull(task_ids='rows') }}"}, TEMPLATE, id="nested"
        ),
    ],
)
def test_a_row_s_value_that_looks_like_a_template_is_sent_as_it_is(
    payload: Any, rows: Any, play: Callable[..., Outcome], sandbox: Sandbox
) -> None:
    outcome = play(payload=payload, rows=rows)

    assert outcome.states == ["success"], outcome.errors
    assert sandbox.contact(id=1)["city"] == TEMPLATE


def test_a_mapped_row_s_value_that_looks_like_a_template_is_sent_as_it_is(
    play: Callable[..., Outcome], sandbox: Sandbox
) -> None:
    rows = [{"email": "ana@example.com", "city": TEMPLATE}, {"email": "bo@example.com", "city": "{{ ti }}"}]

    outcome = play(expand=lambda source: source, rows=rows)

    assert outcome.states == ["success", "success"], outcome.errors
    assert (sandbox.contact(id=1)["city"], sandbox.contact(id=2)["city"]) == (TEMPLATE, "{{ ti }}")


# Keys


@pytest.mark.parametrize(
    ("arguments", "payload", "path", "query", "body"),
    [
        pytest.param({"contact_id": 1}, {"city": "x"}, "/v1/contacts/1", "", {"city": "x"}, id="contact-id"),
        pytest.param(
            {"contact_id": "{{ dag_run.conf.id }}"},
            {"city": "x"},
            "/v1/contacts/1",
            "",
            {"city": "x"},
            id="contact-id-templated",
        ),
        pytest.param({}, {"id": "1", "city": "x"}, "/v1/contacts/1", "", {"city": "x"}, id="id-in-the-payload"),
        pytest.param(
            {},
            {"id": 1, "email": "new@example.com"},
            "/v1/contacts/1",
            "",
            {"email": "new@example.com"},
            id="id-goes-before-email",
        ),
        pytest.param(
            {"keyfield": "email"},
            {"id": 2, "email": "ana@example.com", "city": "x"},
            "/v1/contacts",
            "",
            {"email": "ana@example.com", "city": "x"},
            id="keyfield-email-goes-before-id",
        ),
        pytest.param(
            {"keyfield": "{{ dag_run.conf.key }}"},
            {"remote_id": "R-1", "email": "new@example.com"},
            "/v1/contacts",
            "keyfield=remote_id",
            {"remote_id": "R-1", "email": "new@example.com"},
            id="keyfield-templated",
        ),
    ],
)
def test_the_contact_is_found_by(
    arguments: dict[str, Any],
    payload: dict[str, Any],
    path: str,
    query: str,
    body: dict[str, Any],
    play: Callable[..., Outcome],
    sandbox: Sandbox,
) -> None:
    outcome = play(payload=payload, run_conf={"id": 1, "key": "remote_id"}, **arguments)

    assert outcome.states == ["success"], outcome.errors
    (request,) = sandbox.requests
    assert (request["path"], request["query"], json.loads(request["body"])) == (path, query, body)
    assert outcome.result()["id"] == 1


def test_the_connection_s_id_is_a_template(
    play: Callable[..., Outcome], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_OTHER", json.dumps(sandbox.connection))
    monkeypatch.delenv("AIRFLOW_CONN_ENVOKE_DEFAULT")

    outcome = play(
        payload={"email": "ana@example.com", "city": "x"},
        envoke_conn_id="envoke_{{ dag_run.conf.which }}",
        run_conf={"which": "other"},
    )

    assert outcome.states == ["success"], outcome.errors


# What is sent


def test_nulls_are_left_out_or_emptied_as_asked(play: Callable[..., Outcome], sandbox: Sandbox) -> None:
    row = {"email": "ana@example.com", "remote_id": None, "phone": None, "custom_fields": {"a": None}, "city": "x"}

    play(payload=lambda rows: rows, rows=row)
    assert last_body(sandbox) == {"email": "ana@example.com", "city": "x"}

    play(payload=lambda rows: rows, rows=row, nulls="clear")
    assert last_body(sandbox) == {
        "email": "ana@example.com",
        "phone": "",
        "custom_fields": {"a": ""},
        "city": "x",
    }


def test_an_overlong_value_is_cut_where_that_does_no_harm(play: Callable[..., Outcome], sandbox: Sandbox) -> None:
    outcome = play(payload={"email": "ana@example.com", "city": "x" * 30}, on_overlong="truncate")
    assert outcome.states == ["success"]
    assert last_body(sandbox)["city"] == "x" * 20

    outcome = play(payload={"email": "ana@example.com", "language": "french"}, on_overlong="truncate")
    assert outcome.states == ["failed"]
    assert len(sandbox.requests) == 1


def test_a_field_that_is_newer_than_the_provider_is_sent_if_it_is_named(
    play: Callable[..., Outcome], sandbox: Sandbox
) -> None:
    outcome = play(payload={"email": "ana@example.com", "nickname": 7}, extra_fields=["nickname"])

    assert outcome.states == ["success"]
    assert last_body(sandbox) == {"email": "ana@example.com", "nickname": "7"}


# on_missing


UNKNOWN = {"email": "eve@example.com", "city": "Laval"}


def test_an_unknown_contact_fails_the_task(play: Callable[..., Outcome], sandbox: Sandbox) -> None:
    outcome = play(payload=UNKNOWN)

    assert outcome.states == ["failed"]
    assert isinstance(outcome.error, AirflowFailException)
    assert "no such contact" in str(outcome.error)
    assert len(sandbox.contacts) == len(CONTACTS)


def test_an_unknown_contact_skips_the_task_if_asked_and_says_so_in_xcom(
    play: Callable[..., Outcome], sandbox: Sandbox
) -> None:
    outcome = play(payload=UNKNOWN, on_missing="skip")

    assert outcome.states == ["skipped"]
    assert outcome.run.state == "success"
    assert outcome.result() == {"id": None, "action": "skipped", "fields": []}
    assert len(sandbox.contacts) == len(CONTACTS)


def test_an_unknown_email_is_created_if_asked(play: Callable[..., Outcome], sandbox: Sandbox) -> None:
    outcome = play(payload=UNKNOWN | {"interests": {"News": "Set"}}, on_missing="create")

    assert outcome.states == ["success"], outcome.errors
    assert outcome.result() == {"id": 4, "action": "created", "fields": ["city", "email", "interests.News"]}
    created = sandbox.contact(id=4)
    assert (created["email"], created["city"], created["interests"]) == ("eve@example.com", "Laval", ["News"])
    assert created["consent_status"] == "Not Provided", "nobody is subscribed by a slip"
    requests = [(request["method"], request["query"]) for request in sandbox.requests]
    assert requests == [("PATCH", ""), ("POST", "upsert=1")]


def test_an_unknown_remote_id_is_created_if_asked(play: Callable[..., Outcome], sandbox: Sandbox) -> None:
    outcome = play(payload=UNKNOWN | {"remote_id": "R-9", "id": 77}, keyfield="remote_id", on_missing="create")

    assert outcome.states == ["success"], outcome.errors
    assert outcome.result() == {"id": 4, "action": "created", "fields": ["city", "email", "remote_id"]}
    assert sandbox.contact(remote_id="R-9")["email"] == "eve@example.com"
    requests = [(request["method"], request["query"]) for request in sandbox.requests]
    assert requests == [("PATCH", "keyfield=remote_id"), ("POST", "")]
    assert "id" not in last_body(sandbox), "ids are Envoke's to give"


def test_an_unknown_remote_id_with_somebody_s_email_creates_nobody(
    play: Callable[..., Outcome], sandbox: Sandbox
) -> None:
    payload = {"remote_id": "R-9", "email": "ana@example.com", "city": "x"}

    outcome = play(payload=payload, keyfield="remote_id", on_missing="create")

    assert outcome.states == ["failed"]
    assert "already exists" in str(outcome.error)
    assert sandbox.contact(id=1)["remote_id"] == "R-1"
    assert len(sandbox.contacts) == len(CONTACTS)


def test_an_unknown_id_is_not_created(play: Callable[..., Outcome], sandbox: Sandbox) -> None:
    outcome = play(payload={"email": "eve@example.com"}, contact_id=99, on_missing="create")

    assert outcome.states == ["failed"]
    assert isinstance(outcome.error, AirflowFailException)
    assert "cannot create a contact by its id" in str(outcome.error)
    assert [request["method"] for request in sandbox.requests] == ["PATCH"]


@pytest.mark.parametrize("on_missing", ["skip", "create"])
def test_a_contact_that_is_there_is_updated_whatever_on_missing_says(
    on_missing: str, play: Callable[..., Outcome], sandbox: Sandbox
) -> None:
    outcome = play(payload={"email": "ana@example.com", "city": "x"}, on_missing=on_missing)

    assert outcome.result()["action"] == "updated"
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("on_missing", ["skip", "create"])
def test_another_refusal_is_not_taken_for_an_unknown_contact(
    on_missing: str, play: Callable[..., Outcome], sandbox: Sandbox
) -> None:
    payload = {"id": 1, "email": "bo@example.com"}

    outcome = play(payload=payload, on_missing=on_missing)

    assert outcome.states == ["failed"]
    assert "already exists" in str(outcome.error)


# Consent


@pytest.mark.parametrize(
    ("key", "arguments", "status"),
    [
        pytest.param({"email": "cy@example.com"}, {}, "Revoked", id="by-email"),
        pytest.param({"email": "cy@example.com"}, {}, "External Spam Reported", id="spam-reported"),
        pytest.param({"email": "cy@example.com"}, {}, "Envoke Spam Reported", id="spam-reported-to-envoke"),
        pytest.param({"email": "CY@example.com"}, {}, "Revoked", id="by-email-in-capitals"),
        pytest.param({"id": 3}, {}, "Revoked", id="by-id"),
        pytest.param({"id": 3, "email": "new@example.com"}, {}, "Revoked", id="by-id-with-a-new-email"),
        pytest.param({}, {"contact_id": "3"}, "Revoked", id="by-contact-id"),
        pytest.param({"remote_id": "R-3"}, {"keyfield": "remote_id"}, "Revoked", id="by-remote-id"),
    ],
)
def test_a_withdrawn_consent_is_not_raised(
    key: dict[str, Any], arguments: dict[str, Any], status: str, play: Callable[..., Outcome], sandbox: Sandbox
) -> None:
    sandbox.reset([*CONTACTS[:2], CONTACTS[2] | {"consent_status": status}])

    outcome = play(payload=key | EXPRESS, **arguments)

    assert outcome.states == ["failed"]
    assert isinstance(outcome.error, AirflowFailException)
    assert "has revoked consent or reported spam" in str(outcome.error)
    assert sandbox.contact(id=3)["consent_status"] == status
    assert [request["method"] for request in sandbox.requests] == ["GET"]


def test_a_withdrawn_consent_is_raised_if_the_guard_is_off(play: Callable[..., Outcome], sandbox: Sandbox) -> None:
    outcome = play(payload={"email": "cy@example.com"} | EXPRESS, consent_guard=False)

    assert outcome.states == ["success"], outcome.errors
    assert sandbox.contact(id=3)["consent_status"] == "Express"
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("status", ["Implied: No Expiry", "express", "Implied - Inquiry"])
def test_consent_is_given_to_somebody_who_has_not_withdrawn_it(
    status: str, play: Callable[..., Outcome], sandbox: Sandbox
) -> None:
    outcome = play(payload={"email": "ana@example.com"} | EXPRESS | {"consent_status": status})

    assert outcome.states == ["success"], outcome.errors
    assert [request["method"] for request in sandbox.requests] == ["GET", "PATCH"]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({"city": "Alma"}, id="no-consent-in-the-payload"),
        pytest.param({"consent_status": "Revoked"}, id="revoked"),
    ],
)
def test_a_payload_that_undoes_no_consent_is_not_looked_up(
    payload: dict[str, Any], play: Callable[..., Outcome], sandbox: Sandbox
) -> None:
    outcome = play(payload={"email": "cy@example.com"} | payload)

    assert outcome.states == ["success"], outcome.errors
    assert [request["method"] for request in sandbox.requests] == ["PATCH"]


def test_a_withdrawn_consent_stands_for_the_person_and_not_for_the_remote_id(
    run_dag: Callable[..., DagRun], play: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the duplicate check off, a second contact with the address would get what the person has refused."""
    payload = {"remote_id": "R-9", "email": "cy@example.com"} | EXPRESS
    with Sandbox(CONTACTS, duplicate_check=False) as account:
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(account.connection))

        created = play(payload=payload, keyfield="remote_id", on_missing="create")
        updated = play(payload=payload | {"remote_id": "R-1"}, keyfield="remote_id")

        assert (created.states, updated.states) == (["failed"], ["failed"])
        assert "has revoked consent" in str(created.error)
        assert "has revoked consent" in str(updated.error)
        assert not [contact for contact in account.contacts if contact["consent_status"] == "Express"]


# The log and XCom


def test_the_remote_id_s_warnings_stand_in_the_log_once(
    play: Callable[..., Outcome], sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    play(payload={"remote_id": "R-1", "city": "x"}, keyfield="remote_id", on_missing="create")

    out = capfd.readouterr().out
    assert out.count("two contacts can come to share one e-mail address") == 1
    assert REMOTE_ID_WARNING in out


def test_other_keys_are_not_warned_of(
    play: Callable[..., Outcome], sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    play(payload={"email": "ana@example.com", "remote_id": "R-7"})

    captured = capfd.readouterr()
    assert "duplicate check" not in captured.out + captured.err


def test_the_service_s_answer_is_in_xcom_if_asked(play: Callable[..., Outcome]) -> None:
    outcome = play(payload={"email": "ana@example.com", "city": "Alma"}, return_contact=True)

    result = outcome.result()
    assert result["answer"]["result_text"] == "Updated"
    assert (result["answer"]["result_data"]["id"], result["answer"]["result_data"]["city"]) == ("1", "Alma")
    assert {name: result[name] for name in ("id", "action", "fields")} == {
        "id": 1,
        "action": "updated",
        "fields": ["city", "email"],
    }


@pytest.mark.parametrize(
    "data", [{"id": "x"}, {}, [], None, {"id": None}], ids=["word", "empty", "list", "null", "null-id"]
)
def test_an_answer_without_an_id_is_a_success_all_the_same(data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultyServer(answer({"success": True, "result_text": "Updated", "result_data": data})) as server:
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(server.connection))
        result = execute(payload={"email": "ana@example.com", "city": "x"})

    assert result == {"id": None, "action": "updated", "fields": ["city", "email"]}


# Many rows


def test_each_row_has_a_task_of_its_own(play: Callable[..., Outcome], sandbox: Sandbox) -> None:
    rows = [
        {"email": "ana@example.com", "city": "Alma", "custom_fields": {"price": Decimal("1.25")}},
        UNKNOWN,
        {"email": "bad", "city": "x"},
        {"email": "bo@example.com", "city": "Gaspé"},
    ]

    outcome = play(expand=lambda source: source, rows=rows, on_missing="skip")

    assert outcome.states == ["success", "skipped", "failed", "success"]
    assert [sandbox.contact(id=number)["city"] for number in (1, 2)] == ["Alma", "Gaspé"]
    assert sandbox.contact(id=1)["custom_fields"] == {"price": "1.25"}
    assert outcome.result(3) == {"id": 2, "action": "updated", "fields": ["city", "email"]}


def test_a_list_in_the_dag_may_be_mapped_with_its_templates(
    play: Callable[..., Outcome], sandbox: Sandbox
) -> None:
    rows = [
        {"email": "ana@example.com", "city": "{{ dag_run.conf.city }}"},
        {"email": "bo@example.com", "city": "x"},
    ]

    outcome = play(expand=rows, run_conf={"city": "Alma"})

    assert outcome.states == ["success", "success"], outcome.errors
    assert sandbox.contact(id=1)["city"] == "Alma"


# Dry run


def test_a_dry_run_shows_the_request_and_sends_nothing(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    operator = EnvokeUpdateContactOperator(
        task_id="update",
        payload={"remote_id": "R-1", "email": "ana@example.com", "custom_fields": {"price": Decimal("1.25")}},
        keyfield="remote_id",
    )

    with caplog.at_level(logging.INFO):
        operator.dry_run()

    captured = capfd.readouterr()
    shown = caplog.text + captured.out + captured.err
    assert "Would send PATCH /v1/contacts?keyfield=remote_id" in shown
    assert '"price": "1.25"' in shown
    assert '"email": "a***@example.com"' in shown
    assert "ana@example.com" not in shown
    assert "Basic" not in shown
    assert sandbox.api_key not in shown
    assert sandbox.requests == []


def test_a_dry_run_needs_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_ENVOKE_DEFAULT", raising=False)

    EnvokeUpdateContactOperator(task_id="update", payload={"id": 1, "city": "x"}).dry_run()


# Which failures Airflow retries


@pytest.fixture
def server(
    request: pytest.FixtureRequest, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FaultyServer]:
    """A server that fails, in the place of the sandbox."""
    with FaultyServer(request.param) as server:
        connection = server.connection | {"extra": '{"max_retries": 0, "timeout": 0.2}'}
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(connection))
        yield server


REFUSAL = {"success": False, "result_text": "No", "result_data": {"errors": ["This", "That"]}}


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(answer(REFUSAL, 401), id="401"),
        pytest.param(answer(REFUSAL, 403), id="403"),
        pytest.param(answer(REFUSAL, 400), id="400"),
        pytest.param(answer(REFUSAL, 200), id="200-success-false"),
        pytest.param(answer(b"", 404), id="404"),
        pytest.param(answer(b"", 302, location="https://e2.envoke.com/"), id="redirect"),
    ],
    indirect=True,
)
def test_what_cannot_succeed_is_not_retried_by_airflow(server: FaultyServer) -> None:
    with pytest.raises(AirflowFailException):
        execute(payload={"email": "ana@example.com", "city": "x"})

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(answer(REFUSAL, 500), id="500"),
        pytest.param(answer(b"<html>", 502), id="502"),
        pytest.param(answer(b"", 429, retry_after="86400"), id="429-for-a-day"),
        pytest.param(answer(b"<html>"), id="200-html"),
        pytest.param(faults.stall, id="timeout"),
        pytest.param(faults.reset_after_reading, id="reset"),
        pytest.param(faults.cut_off(), id="cut-off"),
    ],
    indirect=True,
)
def test_what_may_pass_is_left_to_airflow_s_retries(server: FaultyServer) -> None:
    with pytest.raises(EnvokeTransientError):
        execute(payload={"email": "ana@example.com", "city": "x"})


@pytest.mark.parametrize("server", [answer(b"", 503)], ids=["503"], indirect=True)
def test_what_may_pass_fails_the_task_as_what_it_is(server: FaultyServer, play: Callable[..., Outcome]) -> None:
    outcome = play(payload={"email": "ana@example.com", "city": "x"})

    assert outcome.states == ["failed"]
    assert isinstance(outcome.error, EnvokeTransientError)


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param({"password": ""}, id="no-key"),
        pytest.param({"conn_type": "http"}, id="wrong-type"),
        pytest.param({"extra": '{"ca_bundle": "/nowhere.pem"}'}, id="no-ca-bundle"),
    ],
)
def test_a_connection_that_cannot_work_is_not_retried_by_airflow(
    parts: dict[str, Any], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(sandbox.connection | parts))

    with pytest.raises(AirflowFailException):
        execute(payload={"email": "ana@example.com", "city": "x"})

    assert sandbox.requests == []


# The operator as Airflow sees it


def test_the_arguments_that_are_templates() -> None:
    assert set(EnvokeUpdateContactOperator.template_fields) == {
        "payload",
        "keyfield",
        "contact_id",
        "envoke_conn_id",
    }
    assert EnvokeUpdateContactOperator.template_fields_renderers["payload"] == "json"


def test_two_operators_share_nothing() -> None:
    first, second = (EnvokeUpdateContactOperator(task_id=name, payload={}) for name in ("first", "second"))

    first.payload["email"] = "x"

    assert second.payload == {}


def test_a_skip_is_a_skip_also_for_who_calls_execute(sandbox: Sandbox) -> None:
    instance = Instance()
    operator = EnvokeUpdateContactOperator(task_id="update", payload=UNKNOWN, on_missing="skip")

    with pytest.raises(AirflowSkipException, match="No contact has this key"):
        operator.execute({"ti": instance})

    assert instance.pushed == {"return_value": {"id": None, "action": "skipped", "fields": []}}
