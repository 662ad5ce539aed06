"""For any input at all: only exceptions of the package are raised, and every request sent is well-formed."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_envoke.client.bulk import BulkClient
from airflow_provider_envoke.envoke import requests
from airflow_provider_envoke.envoke.config import EXTRAS, EnvokeConfig
from airflow_provider_envoke.envoke.fields import CONTACT_FIELDS
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError, EnvokeError
from airflow_provider_envoke.operators._templated import (
    check_rendered_nulls,
    check_rendered_rows,
    read_payload,
    read_rows,
)
from airflow_provider_envoke.payload.build import PayloadRules, build_payload
from airflow_provider_envoke.payload.mapping import FieldMap
from airflow_provider_envoke.sync.compare import differing_fields
from airflow_provider_envoke.sync.options import SyncOptions
from airflow_provider_envoke.sync.rows import RowReader, TableScan
from tests.support.sync_runs import sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.envoke.requests import Request
    from airflow_provider_envoke.sandbox.thread import Sandbox

_CONTROL = re.compile(r"[\x00-\x20\x7f-\uffff]")

# Texts with surrogates, NUL, line breaks and direction marks, and words that have a meaning in the API.
texts = st.one_of(
    st.text(max_size=30),
    st.text(st.characters(categories=["Cs", "Cc", "Cf", "L"]), max_size=5),
    st.sampled_from(["", " ", "Set", "Unset", "Express", "Revoked", "id", "email", "a@example.com", "7"]),
    st.sampled_from(["../7", "7?x=1", "7#", "7\r\nX: 1", "\ud83d", "\u202e"]),
)
numbers = st.one_of(st.integers(), st.floats(), st.decimals())
times = st.one_of(st.datetimes(), st.dates(), st.timedeltas())
scalars = st.one_of(st.none(), st.booleans(), numbers, st.binary(max_size=10), times, st.uuids(), texts)
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
    """Check that the path is a documented one, the target one line, and the body JSON in UTF-8."""
    assert re.fullmatch(r"/v1/contacts(/[1-9][0-9]*)?", request.path)
    assert not _CONTROL.search(request.target)
    assert urlsplit(request.target).path == request.path
    content = request.content()
    if content is not None:
        body = json.loads(content.decode("utf-8"), parse_constant=pytest.fail)
        assert isinstance(body, dict)
        json.dumps(body, ensure_ascii=False).encode("utf-8")


def check_text(error: EnvokeError) -> None:
    """Check that a message is one line of limited length."""
    assert str(error).strip()
    assert str(error).isprintable()
    assert len(str(error)) < 5_000


def build(make: Callable[[], Request]) -> Request | None:
    """Return a checked request; ``None`` if an exception of the package was raised instead."""
    try:
        request = make()
        request.content()
    except EnvokeError as error:
        check_text(error)
        return None
    check_well_formed(request)
    return request


@PROPERTY
@given(row=rows, rules=rules)
def test_a_row_becomes_a_valid_payload_or_is_rejected(row: dict[Any, Any], rules: PayloadRules) -> None:
    try:
        payload = build_payload(row, rules)
    except EnvokeDataError as error:
        check_text(error)
        return

    assert payload.keys() <= CONTACT_FIELDS.keys()
    for value in payload.values():
        assert isinstance(value, str | int) or all(isinstance(text, str) for text in value.values())
    check_well_formed(requests.Request("PATCH", "/v1/contacts", "/v1/contacts", body=payload))
    build(lambda: requests.update_contact(payload))
    build(lambda: requests.update_contact(payload, keyfield="remote_id"))
    build(lambda: requests.create_contact(payload))


@PROPERTY
@given(payload=rows | values, contact_id=values, keyfield=st.none() | keyfields | texts, upsert=st.booleans())
def test_an_unchecked_payload_is_sent_well_formed_or_rejected(
    payload: Any, contact_id: Any, keyfield: str | None, upsert: bool
) -> None:
    update = build(lambda: requests.update_contact(payload, contact_id=contact_id, keyfield=keyfield))
    create = build(lambda: requests.create_contact(payload, upsert=upsert))

    assert update is None or "id" not in (update.body or {})
    assert create is None or isinstance((create.body or {})["email"], str | int)


@PROPERTY
@given(filters=rows | values, fields=st.none() | st.lists(names, max_size=3) | values, sort=st.none() | values)
def test_a_filter_is_sent_well_formed_or_rejected(filters: Any, fields: Any, sort: Any) -> None:
    build(lambda: requests.find_contacts(filters, fields=fields, sort=sort))


@PROPERTY
@given(value=values | rows | st.lists(rows, max_size=3))
def test_any_rendered_value_is_read_or_rejected(value: Any) -> None:
    for form in (value, repr(value), str(value)):
        with suppress(EnvokeDataError):
            check_rendered_nulls("payload", read_payload(form))
        with suppress(EnvokeDataError):
            check_rendered_rows(read_rows(form))


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
def test_a_connection_is_rejected_or_leads_to_a_host_without_a_path(parts: dict[str, Any]) -> None:
    try:
        config = EnvokeConfig.from_connection(**parts)
    except EnvokeConfigError as error:
        check_text(error)
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
def test_a_field_map_is_rejected_at_once_or_fills_exactly_its_fields(
    columns: Any, static: Any, row: dict[Any, Any], keyfield: Any
) -> None:
    try:
        fields = FieldMap(columns, static)
        SyncOptions(fields=fields, keyfield=keyfield)
    except EnvokeConfigError as error:
        check_text(error)
        return

    with suppress(EnvokeDataError):
        filled = {*(columns.values() if columns else row), *static}
        assert {str(name).lower() for name in fields.apply(row)} == {str(name).lower() for name in filled}


@PROPERTY
@given(
    rows=st.lists(rows, max_size=6),
    keyfield=keyfields,
    on_duplicate=st.sampled_from(["first", "last", "reject"]),
    rules=rules,
)
def test_every_row_is_in_exactly_one_batch(
    rows: list[dict[Any, Any]], keyfield: Any, on_duplicate: Any, rules: PayloadRules
) -> None:
    options = SyncOptions(keyfield=keyfield, on_duplicate=on_duplicate, rules=rules)
    scan = TableScan(options)
    for number, row in enumerate(rows, start=1):
        scan.scan_row(number, row)
    reader = RowReader(options, scan)

    batches = list(reader.batches(rows))
    reader.close()
    scan.close()

    to_compare = [desired for batch in batches for desired in batch.desired]
    decided = [desired for batch in batches for desired, _ in batch.decided]
    assert sorted(desired.row for desired in to_compare + decided) == list(range(1, len(rows) + 1))
    for desired in to_compare:
        assert desired.key
        build(lambda: requests.find_contacts({keyfield: {"$in": [str(desired.payload[keyfield])]}}))  # noqa: B023


@PROPERTY
@given(payload=rows, current=st.dictionaries(names, values, max_size=5))
def test_any_contact_can_be_compared(payload: dict[Any, Any], current: dict[str, Any]) -> None:
    with suppress(EnvokeDataError):
        desired = build_payload(payload, PayloadRules())
        assert differing_fields(desired, current).keys() <= {*desired, "consent_description"}


class Odd:
    """A type of a database driver that raises whatever is done with it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    __repr__ = __str__ = __eq__ = __getattribute__  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


@settings(PROPERTY, max_examples=40)
@given(table=st.lists(rows, max_size=4), keyfield=keyfields, strategy=st.sampled_from(["changed", "all"]))
def test_a_run_over_any_rows_counts_each_and_sends_well_formed_requests(
    envoke_sandbox: Sandbox, table: list[dict[Any, Any]], keyfield: Any, strategy: Any
) -> None:
    envoke_sandbox.reset()

    try:
        report, rejects = sync(
            envoke_sandbox, table, keyfield=keyfield, strategy=strategy, on_missing="create", consent_guard=False
        )
    except EnvokeConfigError as error:  # the columns: of the first row, or the key is in no row
        check_text(error)
        assert envoke_sandbox.requests == []
        written = (*CONTACT_FIELDS, "custom_fields.plan", "interests.news")
        lower = [str(name).lower() for name in table[0]]
        is_unknown = any(name not in written for name in lower)
        is_twice = len({*lower}) < len(lower)
        assert is_unknown or is_twice or all(keyfield not in map(str.lower, map(str, row)) for row in table)
        return

    assert report.rows == len(table)
    assert report.rejected == len(rejects)
    for request in envoke_sandbox.requests:
        assert re.fullmatch(r"/v1/contacts(/[1-9][0-9]*)?", request["path"])
        assert request["status"] in (200, 400)
    assert "Traceback" not in report.as_table()


def test_a_value_that_cannot_be_read_rejects_only_its_row(
    envoke_sandbox: Sandbox, check_message: Callable[[str, str], None]
) -> None:
    envoke_sandbox.reset([{"id": 7, "email": "a@example.com"}])
    table = [{"email": "b@example.com", "city": Odd()}, {"email": "a@example.com", "city": "Alma"}]

    report, (reject,) = sync(envoke_sandbox, table)

    assert (report.updated, report.reasons, reject.row) == (1, {"invalid_value": 1}, 1)
    assert "RuntimeError" in reject.message
    check_message("reject: a value that cannot be read", reject.message)
