"""The hook: from an Airflow connection to the verbs of the API, against the sandbox over a real socket."""

from __future__ import annotations

import importlib.util
import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from airflow_provider_envoke.core.config import DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT_S, EXTRAS, EnvokeConfig
from airflow_provider_envoke.exceptions import (
    EnvokeAuthError,
    EnvokeConfigError,
    EnvokeDataError,
    EnvokeError,
    EnvokeNotFoundError,
    EnvokeRejectedError,
)
from airflow_provider_envoke.get_provider_info import CONNECTION_FIELDS, get_provider_info
from airflow_provider_envoke.hooks import envoke as hook_module
from airflow_provider_envoke.hooks.envoke import EnvokeHook
from tests import faulty_server as faults
from tests.faulty_server import FaultyServer, answer, tls_serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_envoke.sandbox.thread import Sandbox

GOOD: dict[str, Any] = {
    "conn_type": "envoke",
    "host": "https://e1.envoke.com",
    "login": "an-id",
    "password": "the-api-key",
}
CONTACTS = [
    {"id": 1, "email": "ana@example.com", "remote_id": "R-1", "first_name": "Ana", "city": "Laval"},
    {"id": 2, "email": "bo@example.com", "first_name": "Bo", "interests": {"News": "Set"}},
]


@pytest.fixture
def define(monkeypatch: pytest.MonkeyPatch) -> Callable[..., EnvokeHook]:
    """Define the connection ``envoke_test``, and return a hook on it."""

    def define(connection: dict[str, Any] | str | None = None, **parts: Any) -> EnvokeHook:
        text = connection if isinstance(connection, str) else json.dumps((connection or GOOD) | parts)
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_TEST", text)
        return EnvokeHook("envoke_test")

    return define


@pytest.fixture
def sandbox(envoke_connection: Sandbox) -> Sandbox:
    envoke_connection.reset(CONTACTS)
    return envoke_connection


@pytest.fixture
def hook(sandbox: Sandbox) -> Iterator[EnvokeHook]:
    with EnvokeHook() as hook:
        yield hook


# The connection


def test_a_connection_becomes_a_configuration(define: Callable[..., EnvokeHook]) -> None:
    extra = {"timeout": 5, "max_retries": 0, "requests_per_second": 2.5, "ca_bundle": "/ca.pem"}

    config = define(host="e1d.envoke.com", port=8443, extra=json.dumps(extra)).get_conn()

    assert config == EnvokeConfig(
        api_id="an-id",
        api_key="the-api-key",
        base_url="https://e1d.envoke.com:8443",
        timeout_s=5.0,
        max_retries=0,
        requests_per_second=2.5,
        ca_bundle="/ca.pem",
    )


def test_a_connection_with_credentials_alone_gets_the_defaults(define: Callable[..., EnvokeHook]) -> None:
    config = define(host=None).get_conn()

    assert config == EnvokeConfig(api_id="an-id", api_key="the-api-key")
    assert config.base_url == "https://e1.envoke.com"


@pytest.mark.parametrize(
    "uri",
    [
        "envoke://an-id:the-api-key@e1.envoke.com/?timeout=5&max_retries=2",
        "envoke://an-id:the-api-key@/?timeout=5&max_retries=2",
    ],
)
def test_a_connection_may_be_written_as_a_uri(uri: str, define: Callable[..., EnvokeHook]) -> None:
    config = define(uri).get_conn()

    assert (config.base_url, config.timeout_s, config.max_retries) == ("https://e1.envoke.com", 5.0, 2)


def test_fields_that_the_form_leaves_empty_mean_the_defaults(define: Callable[..., EnvokeHook]) -> None:
    extra = {"timeout": "", "max_retries": None, "requests_per_second": "", "ca_bundle": None}

    config = define(port=0, schema="", extra=json.dumps(extra)).get_conn()

    assert config == EnvokeConfig(api_id="an-id", api_key="the-api-key")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        pytest.param({"login": None}, r"login \(the API ID\) is empty", id="no-login"),
        pytest.param({"login": "  "}, r"login \(the API ID\) is empty", id="blank-login"),
        pytest.param({"login": "a:b"}, "login.*a character that cannot be part of it", id="colon-in-login"),
        pytest.param({"password": None}, r"password \(the API key\) is empty", id="no-password"),
        pytest.param({"password": "the-\napi-key"}, "password.*cannot be part of it", id="newline-in-password"),
        pytest.param(
            {"conn_type": "http"},
            "'envoke_test' .envoke_conn_id. is of type 'http', not 'envoke'",
            id="wrong-type",
        ),
        pytest.param({"host": "http://e1.envoke.com"}, "use https://", id="http"),
        pytest.param({"host": "https://e1.envoke.com/v1"}, "holds a path", id="path"),
        pytest.param({"host": "https://u:the-api-key@e1.envoke.com"}, "user information", id="userinfo"),
        pytest.param({"host": "ftp://e1.envoke.com"}, "has to be https", id="ftp"),
        pytest.param({"host": "not a host"}, "is not a host name", id="not-a-host"),
        pytest.param({"port": 70_000}, "port has to be between", id="port"),
        pytest.param({"extra": '{"timeuot": 3}'}, "unknown extra 'timeuot'.*mean 'timeout'", id="typo"),
        pytest.param({"extra": '{"Authorization": "x"}'}, "unknown extra 'Authorization'", id="header"),
        pytest.param({"extra": '{"timeout": "long"}'}, "'timeout' has to be a number", id="timeout"),
        pytest.param({"extra": '{"timeout": 0}'}, "'timeout' has to be a number", id="timeout-0"),
        pytest.param({"extra": '{"timeout": true}'}, "'timeout' has to be a number", id="timeout-true"),
        pytest.param({"extra": '{"max_retries": 1.5}'}, "'max_retries' has to be a whole", id="retries"),
        pytest.param({"extra": '{"max_retries": -1}'}, "'max_retries' has to be a number", id="retries-below-0"),
        pytest.param({"extra": '{"requests_per_second": 0}'}, "'requests_per_second'", id="no-requests-at-all"),
        pytest.param({"extra": '{"ca_bundle": 7}'}, "'ca_bundle' has to be the path", id="ca-bundle"),
        pytest.param({"extra": '{"timeout": 3'}, "extra is not a JSON object", id="broken-extra"),
        pytest.param({"extra": "[1]"}, "extra is not a JSON object", id="extra-is-a-list"),
        pytest.param({"extra": "timeout=3"}, "extra is not a JSON object", id="extra-is-no-json"),
    ],
)
@pytest.mark.filterwarnings("ignore:Encountered")  # Airflow 2.11's own words about such an extra
def test_a_connection_that_cannot_work_is_refused_by_the_part_that_is_wrong(
    parts: dict[str, Any], words: str, define: Callable[..., EnvokeHook]
) -> None:
    hook = define(**parts)

    with pytest.raises(EnvokeConfigError, match=words) as caught:
        hook.get_conn()

    assert "the-api-key" not in str(caught.value)
    assert hook.test_connection() == (False, str(caught.value))


def test_both_forms_of_the_secret_are_masked_in_airflow_s_logs(
    define: Callable[..., EnvokeHook], monkeypatch: pytest.MonkeyPatch
) -> None:
    masked: list[str] = []
    monkeypatch.setattr(hook_module, "mask_secret", masked.append)

    define(password=" the-api-key\n").get_conn()

    # What is sent is the key without the blanks that were copied along: that one has to be masked.
    assert {"the-api-key", "YW4taWQ6dGhlLWFwaS1rZXk="} <= set(masked)


def test_the_key_of_a_connection_that_cannot_work_is_masked_too(
    define: Callable[..., EnvokeHook], monkeypatch: pytest.MonkeyPatch
) -> None:
    masked: list[str] = []
    monkeypatch.setattr(hook_module, "mask_secret", masked.append)

    with pytest.raises(EnvokeConfigError):
        define(login=None).get_conn()

    assert masked == ["the-api-key"]


def test_nothing_is_read_or_opened_before_it_is_needed(define: Callable[..., EnvokeHook]) -> None:
    hook = define(login=None)

    assert "client" not in vars(hook)
    hook.close()
    with pytest.raises(EnvokeConfigError):
        hook.account()


def test_a_closed_hook_opens_another_session_when_it_is_used(hook: EnvokeHook) -> None:
    first = hook.client
    assert hook.account() == hook.account()
    assert hook.client is first

    hook.close()

    assert hook.account() == {"id": 1, "name": "Sandbox account"}
    assert hook.client is not first


def test_a_closed_hook_leaves_no_connection_open(define: Callable[..., EnvokeHook]) -> None:
    with FaultyServer() as server:
        with define(server.connection) as hook:
            hook.account()
            session = hook.client
        assert server.hung_up.acquire(timeout=10)
        assert hook.account() == faults.ACCOUNT
        assert hook.client is not session
        hook.close()


# The verbs


@pytest.mark.parametrize("contact_id", [1, "1"])
def test_a_contact_is_updated_by_its_id(contact_id: int | str, hook: EnvokeHook, sandbox: Sandbox) -> None:
    reply = hook.update_contact({"city": "Québec"}, contact_id=contact_id)

    assert (reply["success"], reply["result_text"], reply["result_data"]["id"]) == (True, "Updated", "1")
    contact = sandbox.contact(id=1)
    assert (contact["city"], contact["first_name"], contact["email"]) == ("Québec", "Ana", "ana@example.com")
    (request,) = sandbox.requests
    assert (request["method"], request["path"], request["query"]) == ("PATCH", "/v1/contacts/1", "")
    assert json.loads(request["body"]) == {"city": "Québec"}


def test_the_payload_s_id_goes_into_the_url_and_not_into_the_body(hook: EnvokeHook, sandbox: Sandbox) -> None:
    hook.update_contact({"id": 2, "email": "bo@example.org"})

    assert sandbox.contact(id=2)["email"] == "bo@example.org"
    (request,) = sandbox.requests
    assert (request["path"], json.loads(request["body"])) == ("/v1/contacts/2", {"email": "bo@example.org"})


def test_a_contact_is_updated_by_its_email(hook: EnvokeHook, sandbox: Sandbox) -> None:
    hook.update_contact({"email": "ana@example.com", "city": "Gaspé"})

    assert sandbox.contact(id=1)["city"] == "Gaspé"
    (request,) = sandbox.requests
    assert (request["path"], request["query"]) == ("/v1/contacts", "")


def test_a_contact_is_updated_by_its_remote_id_its_email_included(hook: EnvokeHook, sandbox: Sandbox) -> None:
    hook.update_contact({"remote_id": "R-1", "email": "new@example.com"}, keyfield="remote_id")

    assert sandbox.contact(id=1)["email"] == "new@example.com"
    (request,) = sandbox.requests
    assert (request["path"], request["query"]) == ("/v1/contacts", "keyfield=remote_id")


def test_an_explicit_keyfield_wins_over_the_payload_s_id(hook: EnvokeHook, sandbox: Sandbox) -> None:
    hook.update_contact({"id": 2, "remote_id": "R-1", "city": "Alma"}, keyfield="remote_id")

    assert (sandbox.contact(id=1)["city"], sandbox.contact(id=2)["city"]) == ("Alma", "")


@pytest.mark.parametrize(
    ("payload", "arguments", "kind", "words"),
    [
        pytest.param({"city": "x"}, {}, EnvokeDataError, "neither an id nor an email", id="no-key"),
        pytest.param({"remote_id": "R"}, {}, EnvokeDataError, "say keyfield='remote_id'", id="remote-id-unsaid"),
        pytest.param({"email": " ", "city": "x"}, {}, EnvokeDataError, "neither", id="blank-email"),
        pytest.param(
            {"email": "a@x.com"},
            {"keyfield": "remote_id"},
            EnvokeDataError,
            "remote_id is missing",
            id="remote-id-missing",
        ),
        pytest.param(
            {"email": "a@x.com"}, {"keyfield": "id"}, EnvokeDataError, "neither contact_id", id="id-missing"
        ),
        pytest.param(
            {"city": "x"}, {"contact_id": "../1"}, EnvokeDataError, "whole number from 1", id="path-as-id"
        ),
        pytest.param({"city": "x"}, {"contact_id": 0}, EnvokeDataError, "whole number from 1", id="id-0"),
        pytest.param(
            {"city": "x"}, {"contact_id": 4_294_967_296}, EnvokeDataError, "4294967295", id="id-too-large"
        ),
        pytest.param({"city": "x"}, {"contact_id": "1?x=1"}, EnvokeDataError, "whole number", id="query-as-id"),
        pytest.param({"city": "x"}, {"contact_id": ""}, EnvokeDataError, "whole number", id="empty-id"),
        pytest.param(
            {"id": 2, "city": "x"}, {"contact_id": 1}, EnvokeDataError, "two different ids", id="two-ids"
        ),
        pytest.param(
            {"email": "a@x.com", "city": "x"},
            {"keyfield": "phone"},
            EnvokeConfigError,
            "keyfield has to be",
            id="keyfield",
        ),
        pytest.param(
            {"email": "a@x.com", "city": "x"},
            {"keyfield": ""},
            EnvokeConfigError,
            "keyfield has to be",
            id="empty-keyfield",
        ),
        pytest.param(
            {"email": "a@x.com"},
            {"keyfield": "email", "contact_id": 1},
            EnvokeConfigError,
            "contradict",
            id="both",
        ),
        pytest.param({"email": "ana@example.com"}, {}, EnvokeDataError, "nothing to update", id="key-alone"),
        pytest.param({"id": 1}, {}, EnvokeDataError, "nothing to update", id="id-alone"),
        pytest.param({}, {"contact_id": 1}, EnvokeDataError, "nothing to update", id="nothing"),
    ],
)
def test_an_update_that_makes_no_sense_is_refused_before_anything_is_sent(
    payload: dict[str, Any],
    arguments: dict[str, Any],
    kind: type[EnvokeError],
    words: str,
    hook: EnvokeHook,
    sandbox: Sandbox,
) -> None:
    with pytest.raises(kind, match=words):
        hook.update_contact(payload, **arguments)

    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("payload", "arguments", "words"),
    [
        pytest.param({"city": "x"}, {"contact_id": 999}, "Item with id '999' not found", id="id"),
        pytest.param(
            {"email": "eve@example.com", "city": "x"}, {}, r"email 'e\*\*\*@example.com' not", id="email"
        ),
        pytest.param(
            {"remote_id": "R-9", "city": "x"}, {"keyfield": "remote_id"}, "'R-9' not found", id="remote-id"
        ),
    ],
)
def test_a_contact_that_does_not_exist_is_told_as_such(
    payload: dict[str, Any], arguments: dict[str, Any], words: str, hook: EnvokeHook
) -> None:
    with pytest.raises(EnvokeNotFoundError, match=words) as caught:
        hook.update_contact(payload, **arguments)

    assert caught.value.status == 400


def test_a_refused_update_says_all_that_the_service_says(hook: EnvokeHook, sandbox: Sandbox) -> None:
    payload = {"email": "ana@example.com", "consent_status": "Express", "interests": {"News": "Perhaps"}}

    with pytest.raises(EnvokeRejectedError) as caught:
        hook.update_contact(payload)

    assert len(caught.value.messages) == 2
    assert all(message in str(caught.value) for message in caught.value.messages)
    assert sandbox.contact(id=1)["consent_status"] == "Not Provided"


def test_a_contact_is_created(hook: EnvokeHook, sandbox: Sandbox) -> None:
    reply = hook.create_contact({"email": "cy@example.com", "first_name": "Cy"})

    assert (reply["result_text"], reply["result_data"]["id"]) == ("Created", "3")
    assert sandbox.contact(id=3)["first_name"] == "Cy"


def test_a_contact_that_is_there_is_not_created_again(hook: EnvokeHook, sandbox: Sandbox) -> None:
    with pytest.raises(EnvokeRejectedError, match="already exists"):
        hook.create_contact({"email": "ana@example.com", "first_name": "Other"})

    assert len(sandbox.contacts) == 2
    assert sandbox.contact(id=1)["first_name"] == "Ana"


def test_an_upsert_updates_what_is_there_and_creates_what_is_not(hook: EnvokeHook, sandbox: Sandbox) -> None:
    updated = hook.create_contact({"email": "bo@example.com", "interests": {"Shop": "Set"}}, upsert=True)
    created = hook.create_contact({"email": "dee@example.com"}, upsert=True)

    assert [reply["result_text"] for reply in (updated, created)] == ["Updated", "Created"]
    assert sandbox.contact(id=2)["interests"] == ["News", "Shop"]
    assert [request["query"] for request in sandbox.requests] == ["upsert=1"] * 2


def test_a_contact_without_an_email_is_not_created(hook: EnvokeHook, sandbox: Sandbox) -> None:
    with pytest.raises(EnvokeDataError, match="without an email"):
        hook.create_contact({"remote_id": "R-5"}, upsert=True)

    assert sandbox.requests == []


def test_contacts_are_found_over_many_pages_each_once(hook: EnvokeHook, sandbox: Sandbox) -> None:
    sandbox.reset([{"email": f"{number}@example.com", "city": "Laval"} for number in range(305)])

    found = list(hook.find_contacts({"city": "Laval"}, fields=["id", "email"]))

    assert [contact["id"] for contact in found] == list(range(1, 306))
    assert found[-1] == {"id": 305, "email": "304@example.com"}
    queries = [request["query"] for request in sandbox.requests]
    assert ["skip=" + str(skip) in query for skip, query in zip((0, 100, 200, 300), queries, strict=True)] == [
        False, True, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        pytest.param({}, [1, 2], id="all"),
        pytest.param({"email": "ANA@example.com"}, [1], id="equal"),
        pytest.param({"email": {"$in": ["bo@example.com", "ana@example.com", "no@x.com"]}}, [1, 2], id="in"),
        pytest.param({"id": {"$gt": 1}}, [2], id="gt"),
        pytest.param({"id": 1, "city": "Laval"}, [1], id="and"),
        pytest.param({"id": 2, "city": "Laval"}, [], id="and-nothing"),
        pytest.param({"$or": [{"id": 2}, {"remote_id": "R-1"}]}, [1, 2], id="or"),
        pytest.param({"first_name": {"$regex": "^a"}}, [1], id="regex"),
    ],
)
def test_contacts_are_found_by_filters(filters: dict[str, Any], ids: list[int], hook: EnvokeHook) -> None:
    assert [contact["id"] for contact in hook.find_contacts(filters)] == ids


def test_contacts_come_in_the_order_that_was_asked_for(hook: EnvokeHook) -> None:
    assert [contact["id"] for contact in hook.find_contacts({}, sort={"first_name": "DESC"})] == [2, 1]


def test_an_operator_that_the_service_does_not_take_is_a_refusal(hook: EnvokeHook) -> None:
    with pytest.raises(EnvokeRejectedError, match=r"Operator '\$near' is not supported"):
        list(hook.find_contacts({"city": {"$near": "Laval"}}))


@pytest.mark.parametrize(
    ("filters", "arguments"),
    [
        pytest.param({"email]=x&y[": "1"}, {}, id="name"),
        pytest.param({"email": {"$in": ["x" * 60] * 200}}, {}, id="too-long"),
        pytest.param({"email": None}, {}, id="null"),
        pytest.param({}, {"sort": {"id": "UP"}}, id="sort"),
        pytest.param({}, {"fields": ["id,email"]}, id="fields"),
    ],
)
def test_filters_that_make_no_sense_are_refused_before_anything_is_sent(
    filters: dict[str, Any], arguments: dict[str, Any], hook: EnvokeHook, sandbox: Sandbox
) -> None:
    with pytest.raises(EnvokeConfigError):
        list(hook.find_contacts(filters, **arguments))

    assert sandbox.requests == []


def test_wrong_credentials_are_refused(define: Callable[..., EnvokeHook], sandbox: Sandbox) -> None:
    with (
        define(sandbox.connection, password="another-key") as hook,
        pytest.raises(EnvokeAuthError, match="API key"),
    ):
        hook.update_contact({"email": "ana@example.com", "city": "x"})

    assert len(sandbox.requests) == 1
    assert sandbox.contact(id=1)["city"] == "Laval"


# test_connection


def test_a_good_connection_names_the_account(envoke_connection: Sandbox) -> None:
    assert EnvokeHook().test_connection() == (True, "Connected to the Envoke account 'Sandbox account'.")

    (request,) = envoke_connection.requests
    assert (request["method"], request["path"]) == ("GET", "/v1/settings")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param(
            answer({"success": False, "result_text": "No"}, 401), r"HTTP 401: No\. Check .*API key", id="key"
        ),
        pytest.param(answer({}, 403), "HTTP 403", id="forbidden"),
        pytest.param(answer(b"<html>Hello</html>"), "an HTML page: a proxy or another server", id="html"),
        pytest.param(answer(b"<!DOCTYPE html>", 404), "HTTP 404.*an HTML page", id="html-404"),
        pytest.param(answer(b"<html>Hello</html>", 502), "HTTP 502.*an HTML page", id="html-502"),
        pytest.param(answer(b""), "an empty answer", id="empty"),
        pytest.param(answer([1, 2]), "cannot be read", id="not-settings"),
        pytest.param(answer({}, 301, location="https://e2.envoke.com/"), r"'e2\.envoke\.com'", id="redirect"),
        pytest.param(faults.stall, r"did not answer within 0\.2 s \(the extra 'timeout'\)", id="timeout"),
        pytest.param(faults.close_after_reading, "broke", id="broken"),
    ],
)
def test_a_connection_that_fails_says_what_is_wrong(
    script: Callable[[faults.Exchange], bool], words: str, define: Callable[..., EnvokeHook]
) -> None:
    with FaultyServer(script) as server:
        extra = json.dumps({"timeout": 0.2, "max_retries": 5})
        good, message = define(server.connection, extra=extra).test_connection()

    assert not good
    assert re.search(words, message), message
    assert "a-key" not in message
    assert len(server.requests) == 1, "a person waits for it: once is enough"


def test_a_host_that_does_not_exist_is_told(define: Callable[..., EnvokeHook]) -> None:
    good, message = define(host="envoke.invalid").test_connection()

    assert not good
    assert "the host of https://envoke.invalid was not found (DNS)" in message


def test_a_port_where_nobody_listens_is_told(define: Callable[..., EnvokeHook]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    good, message = define(host="http://127.0.0.1", port=port).test_connection()

    assert not good
    assert f"http://127.0.0.1:{port} refused the connection" in message


def test_a_certificate_that_does_not_hold_is_told(define: Callable[..., EnvokeHook]) -> None:
    with FaultyServer(tls=tls_serving(trustme.CA().issue_cert("localhost")), name="localhost") as server:
        good, message = define(server.connection).test_connection()

    assert not good
    assert message.startswith(f"TLS: the certificate of {server.url} was refused: unable to get local issuer")
    assert server.requests == []


def test_a_ca_bundle_that_is_missing_is_told(define: Callable[..., EnvokeHook]) -> None:
    good, message = define(extra='{"ca_bundle": "/nowhere/ca.pem"}').test_connection()

    assert not good
    assert "'ca_bundle' names a file that is no use: No such file" in message


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        pytest.param({"id": 1}, "'without a name'", id="no-name"),
        pytest.param({"id": 1, "name": None}, "'without a name'", id="null"),
        pytest.param({"id": 1, "name": "x" * 500}, f"'{'x' * 100}'", id="long"),
        pytest.param({"id": 1, "name": "a\n\x1b[31mb"}, r"'a\n\x1b[31mb'", id="control-characters"),
    ],
)
def test_an_odd_account_name_does_no_harm(
    settings: dict[str, Any], shown: str, define: Callable[..., EnvokeHook]
) -> None:
    with FaultyServer(answer(settings)) as server:
        good, message = define(server.connection).test_connection()

    assert good
    assert message == f"Connected to the Envoke account {shown}."


# What Airflow's web server reads


def test_the_form_has_a_field_for_each_extra() -> None:
    if importlib.util.find_spec("wtforms") is None:
        pytest.skip("wtforms is not installed: Airflow 3's form reads the provider's metadata instead")
    from wtforms import Form

    widgets = EnvokeHook.get_connection_form_widgets()
    form = type("ConnectionForm", (Form,), widgets)()

    assert set(widgets) == set(EXTRAS)
    for name, field in CONNECTION_FIELDS.items():
        assert form[name].label.text == field["label"]
        assert form[name].description == field["description"]
        default = field["schema"].get("default")
        assert form[name].data == (str(default) if default and "number" in field["schema"]["type"] else default)


def test_the_form_takes_empty_fields_and_gives_back_what_was_put_in() -> None:
    if importlib.util.find_spec("wtforms") is None:
        pytest.skip("wtforms is not installed: Airflow 3's form reads the provider's metadata instead")
    from werkzeug.datastructures import MultiDict
    from wtforms import Form

    form_class = type("ConnectionForm", (Form,), EnvokeHook.get_connection_form_widgets())
    empty = form_class(MultiDict(dict.fromkeys(EXTRAS, "")))
    filled = form_class(MultiDict({"timeout": "2.5", "max_retries": "0", "requests_per_second": "7"}))

    for form in (empty, filled):
        assert form.validate(), form.errors
    connection = GOOD | {"extra": filled.data | {"ca_bundle": empty.data["ca_bundle"]}}
    config = EnvokeConfig.from_connection(login="a", password="b", extra=connection["extra"])
    assert (config.timeout_s, config.max_retries, config.requests_per_second) == (2.5, 0, 7.0)
    assert EnvokeConfig.from_connection(login="a", password="b", extra=empty.data).timeout_s == DEFAULT_TIMEOUT_S


def test_the_form_calls_things_by_envoke_s_names() -> None:
    behaviour = EnvokeHook.get_ui_field_behaviour()

    assert set(behaviour) == {"hidden_fields", "relabeling", "placeholders"}
    assert behaviour["relabeling"] == {"login": "API ID", "password": "API key"}
    assert behaviour["placeholders"]["host"] == "https://e1.envoke.com"
    assert "host" not in behaviour["hidden_fields"]
    assert "extra" not in behaviour["hidden_fields"]


def test_the_metadata_agrees_with_the_hook_and_the_extras_that_are_read() -> None:
    (connection_type,) = get_provider_info()["connection-types"]

    assert connection_type["connection-type"] == EnvokeHook.conn_type
    assert connection_type["hook-name"] == EnvokeHook.hook_name
    assert connection_type["hook-class-name"] == f"{EnvokeHook.__module__}.{EnvokeHook.__qualname__}"
    assert set(connection_type["conn-fields"]) == set(EXTRAS)


def test_the_metadata_s_defaults_and_bounds_are_those_of_the_configuration() -> None:
    def accepts(name: str, value: object) -> bool:
        try:
            EnvokeConfig.from_connection(login="a", password="b", extra={name: value})
        except EnvokeConfigError:
            return False
        return True

    schemas = {name: field["schema"] for name, field in CONNECTION_FIELDS.items()}
    assert schemas["timeout"]["default"] == DEFAULT_TIMEOUT_S
    assert schemas["max_retries"]["default"] == DEFAULT_MAX_RETRIES
    for name, schema in schemas.items():
        assert "null" in schema["type"], "a field of Airflow 3's form may stay empty"
        assert accepts(name, None)
        if "maximum" in schema:
            assert accepts(name, schema["maximum"])
            assert not accepts(name, schema["maximum"] + 1)
        if "minimum" in schema:
            assert accepts(name, schema["minimum"])
            assert not accepts(name, schema["minimum"] - 1)
        if "exclusiveMinimum" in schema:
            assert not accepts(name, schema["exclusiveMinimum"])


def test_airflow_takes_the_metadata() -> None:
    from importlib.resources import files

    import jsonschema

    schema = json.loads(files("airflow").joinpath("provider_info.schema.json").read_text())

    jsonschema.validate(get_provider_info(), schema=schema)
