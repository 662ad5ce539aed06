"""Whatever comes in, only exceptions of our tree come out, and what goes out is well-formed."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_envoke.clients.bulk import BulkClient
from airflow_provider_envoke.core import protocol
from airflow_provider_envoke.core.config import EXTRAS, EnvokeConfig
from airflow_provider_envoke.core.fields import CONTACT_FIELDS
from airflow_provider_envoke.core.mapping import FieldMap
from airflow_provider_envoke.core.options import SyncOptions
from airflow_provider_envoke.core.payload import PayloadRules, build_payload
from airflow_provider_envoke.core.plan import differing_fields
from airflow_provider_envoke.core.rendered import check_rendered_nulls, read_payload, read_rows
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError, EnvokeError
from airflow_provider_envoke.sync.intake import Intake
from tests.sync.running import sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.core.protocol import Request
    from airflow_provider_envoke.sandbox.thread import Sandbox

_CONTROL = re.compile(r"[\x00-\x20\x7f-\uffff]")

# Texts with surrogates, NUL, line breaks and direction marks among them, and the words that mean something here.
texts = st.one_of(
    st.text(max_size=30),
    st.text(st.characters(categories=["Cs", "Cc", "Cf", "L"]), max_size=5),
    st.sampled_from(["", " ", "Set", "Unset", "Express", "Revoked", "id", "email", "a@example.com", "7"]),
    st.sampled_from(["../7", "7?x=1", "7#", "7\r\nX: 1", "\ud83d", "\u202e"]),
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.binary(max_size=10)
    | st.datetimes()
    | st.dates()
    | st.timedeltas()
    | st.uuids()
    | texts
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(texts, inner, max_size=3)
        | st.dictionaries(st.none() | st.integers() | st.tuples(texts), inner, max_size=2)
        | st.tuples(inner)
    ),
    max_leaves=8,
)
names = st.sampled_from([*CONTACT_FIELDS, "external_id", "custom_fields.plan", "interests.News", "EMAIL"]) | texts
states = st.sampled_from(["Set", "unset", True, False, None]) | texts
nearly_right = st.fixed_dictionaries(
    {"email": st.sampled_from(["a@example.com", "b@example.com"])},
    optional={
        "id": st.integers(1, 9) | texts,
        "remote_id": texts,
        "city": scalars,
        "feedback": texts,
        "consent_status": st.sampled_from(["Express", "Revoked"]) | texts,
        "consent_description": texts,
        "custom_fields": st.dictionaries(st.sampled_from(["plan", "a_1"]) | texts, scalars, max_size=3),
        "interests": st.dictionaries(texts, states, max_size=3) | st.lists(texts, max_size=3),
    },
)
rows = nearly_right | st.dictionaries(names, values, max_size=6)
keyfields = st.sampled_from(["id", "email", "remote_id"])
rules = st.builds(PayloadRules, st.sampled_from(["ignore", "clear"]), st.sampled_from(["reject", "truncate"]))
PROPERTY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check_well_formed(request: Request) -> None:
    """A path of ours, a target of one line, a body that is JSON and Unicode."""
    assert re.fullmatch(r"/v1/contacts(/[1-9][0-9]*)?", request.path)
    assert not _CONTROL.search(request.target)
    assert urlsplit(request.target).path == request.path
    content = request.content()
    if content is not None:
        body = json.loads(content.decode("utf-8"), parse_constant=pytest.fail)
        assert isinstance(body, dict)
        json.dumps(body, ensure_ascii=False).encode("utf-8")


def check_words(error: EnvokeError) -> None:
    """One line, not endless, that says something."""
    assert str(error).strip()
    assert str(error).isprintable()
    assert len(str(error)) < 5_000


def built(make: Callable[[], Request]) -> Request | None:
    """The request, checked; ``None`` if one of our exceptions came in its place."""
    try:
        request = make()
        request.content()
    except EnvokeError as error:
        check_words(error)
        return None
    check_well_formed(request)
    return request


@PROPERTY
@given(row=rows, rules=rules)
def test_a_row_becomes_a_payload_that_can_be_sent_or_a_refusal(row: dict[Any, Any], rules: PayloadRules) -> None:
    try:
        payload = build_payload(row, rules)
    except EnvokeDataError as error:
        check_words(error)
        return

    assert payload.keys() <= CONTACT_FIELDS.keys()
    for value in payload.values():
        assert isinstance(value, str | int) or all(isinstance(text, str) for text in value.values())
    check_well_formed(protocol.Request("PATCH", "/v1/contacts", "/v1/contacts", body=payload))
    built(lambda: protocol.update_contact(payload))
    built(lambda: protocol.update_contact(payload, keyfield="remote_id"))
    built(lambda: protocol.create_contact(payload))


@PROPERTY
@given(payload=rows | values, contact_id=values, keyfield=st.none() | keyfields | texts, upsert=st.booleans())
def test_an_unchecked_payload_is_sent_well_formed_or_not_at_all(
    payload: Any, contact_id: Any, keyfield: str | None, upsert: bool
) -> None:
    update = built(lambda: protocol.update_contact(payload, contact_id=contact_id, keyfield=keyfield))
    create = built(lambda: protocol.create_contact(payload, upsert=upsert))

    assert update is None or "id" not in (update.body or {})
    assert create is None or isinstance((create.body or {})["email"], str | int)


@PROPERTY
@given(filters=rows | values, fields=st.none() | st.lists(names, max_size=3) | values, sort=st.none() | values)
def test_a_filter_is_sent_well_formed_or_not_at_all(filters: Any, fields: Any, sort: Any) -> None:
    built(lambda: protocol.find_contacts(filters, fields=fields, sort=sort))


@PROPERTY
@given(value=values | rows | st.lists(rows, max_size=3))
def test_whatever_a_template_leaves_is_read_or_refused(value: Any) -> None:
    for form in (value, repr(value), str(value)):
        with suppress(EnvokeDataError):
            check_rendered_nulls(read_payload(form))
        with suppress(EnvokeDataError):
            assert all(isinstance(row, dict) for row in read_rows(form))


@PROPERTY
@given(
    parts=st.fixed_dictionaries(
        {"login": scalars, "password": scalars},
        optional={
            "host": values | st.from_regex(r"(https?://)?[^/]{0,20}(:\d{1,6})?(/.*)?", fullmatch=True),
            "port": values,
            "schema": values,
            "extra": st.dictionaries(st.sampled_from([*EXTRAS]) | texts, values, max_size=3),
        },
    )
)
def test_a_connection_is_read_or_refused_and_never_leads_elsewhere(parts: dict[str, Any]) -> None:
    try:
        config = EnvokeConfig.from_connection(**parts)
    except EnvokeConfigError as error:
        check_words(error)
        return

    url = urlsplit(config.base_url)
    assert url.scheme in ("http", "https")
    assert url.path == url.query == url.fragment == ""
    assert url.username is None
    assert url.scheme == "https" or url.hostname in ("localhost", "::1") or url.hostname.startswith("127.")
    assert config.api_id.isprintable()
    assert config.api_key.isprintable()
    BulkClient(config)


@PROPERTY
@given(
    columns=st.dictionaries(texts, names, max_size=4) | values, static=rows | values, row=rows, keyfield=keyfields
)
def test_a_map_is_refused_at_once_or_gives_each_row_its_fields(
    columns: Any, static: Any, row: dict[Any, Any], keyfield: Any
) -> None:
    try:
        fields = FieldMap(columns, static)
        SyncOptions(fields=fields, keyfield=keyfield)
    except EnvokeConfigError as error:
        check_words(error)
        return

    with suppress(EnvokeDataError):
        assert fields.apply(row).keys() == {*(columns.values() if columns else row), *static}


@PROPERTY
@given(
    rows=st.lists(rows, max_size=6),
    keyfield=keyfields,
    on_duplicate=st.sampled_from(["first", "last"]),
    rules=rules,
)
def test_every_row_that_is_taken_in_is_wanted_or_decided(
    rows: list[dict[Any, Any]], keyfield: Any, on_duplicate: Any, rules: PayloadRules
) -> None:
    intake = Intake(SyncOptions(keyfield=keyfield, on_duplicate=on_duplicate, rules=rules))

    batches = list(intake.batches(rows))
    intake.close()

    numbers = [wanted.row for batch in batches for wanted in batch.wanted]
    numbers += [wanted.row for batch in batches for wanted, _ in batch.decided]
    assert sorted(numbers) == list(range(1, len(rows) + 1))
    for wanted in (wanted for batch in batches for wanted in batch.wanted):
        assert wanted.key
        built(lambda: protocol.find_contacts({keyfield: {"$in": [str(wanted.payload[keyfield])]}}))  # noqa: B023


@PROPERTY
@given(payload=rows, current=st.dictionaries(names, values, max_size=5))
def test_whatever_the_service_holds_is_compared(payload: dict[Any, Any], current: dict[str, Any]) -> None:
    with suppress(EnvokeDataError):
        wanted = build_payload(payload, PayloadRules())
        assert differing_fields(wanted, current).keys() <= {*wanted, "consent_description"}


class Odd:
    """A driver's own type, of which nothing can be asked."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    __repr__ = __str__ = __eq__ = __getattribute__  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


@settings(PROPERTY, max_examples=40)
@given(table=st.lists(rows, max_size=4), keyfield=keyfields, strategy=st.sampled_from(["changed", "all"]))
def test_a_run_over_any_rows_counts_each_and_sends_nothing_malformed(
    envoke_sandbox: Sandbox, table: list[dict[Any, Any]], keyfield: Any, strategy: Any
) -> None:
    envoke_sandbox.reset()

    report, rejects = sync(
        envoke_sandbox, table, keyfield=keyfield, strategy=strategy, on_missing="create", consent_guard=False
    )

    assert report.rows == len(table)
    assert report.rejected == len(rejects)
    for request in envoke_sandbox.requests:
        assert re.fullmatch(r"/v1/contacts(/[1-9][0-9]*)?", request["path"])
        assert request["status"] in (200, 400)
    assert "Traceback" not in report.as_table()


def test_a_value_of_which_nothing_can_be_asked_rejects_its_row_alone(envoke_sandbox: Sandbox) -> None:
    envoke_sandbox.reset([{"id": 7, "email": "a@example.com"}])
    table = [{"email": "b@example.com", "city": Odd()}, {"email": "a@example.com", "city": "Alma"}]

    report, (reject,) = sync(envoke_sandbox, table)

    assert (report.updated, report.reasons) == (1, {"invalid_value": 1})
    assert (reject.row, reject.message) == (
        1,
        "a value of the row cannot be read (RuntimeError); turn it into text in the query",
    )
