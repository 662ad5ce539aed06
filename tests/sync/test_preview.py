"""A preview shows the requests that a run would send, and sends none of them."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.envoke.requests import Request, update_contact
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokePlanError
from airflow_provider_envoke.payload.build import PayloadRules
from airflow_provider_envoke.sync.options import SyncOptions
from airflow_provider_envoke.sync.preview import Preview, describe_request
from tests.support.contacts import ANA, BO, CY, EXPRESS, contacts
from tests.support.sync_runs import sync

if TYPE_CHECKING:
    from airflow_provider_envoke.sandbox.thread import Sandbox

CONTACTS = [ANA, BO, CY]
HOSTILE = "zq9\u2028\x1b[31m\x9b é'\"`<b>"

# Name -> the rows of a run, and its options.
RUNS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "changed fields only": (
        [
            {"email": "ana@example.com", "city": "Québec", "phone": "1"},
            {"email": "bo@example.com", "city": "Laval"},
        ],
        {},
    ),
    "creation": (
        [{"email": "new@example.com", "city": HOSTILE}, {"email": "ana@example.com", "city": "Alma"}],
        {"on_missing": "create"},
    ),
    "creation by remote id": (
        [{"email": "new@example.com", "remote_id": "R-9", "city": "Alma"}],
        {"on_missing": "create", "keyfield": "remote_id"},
    ),
    "by remote id": (
        [{"remote_id": "R-2", "email": "bo2@example.com", "city": "Laval"}],
        {"keyfield": "remote_id"},
    ),
    "by id": ([{"id": 2, "city": "Alma"}], {"keyfield": "id"}),
    "all": ([{"email": "ana@example.com", "city": "Laval"}], {"strategy": "all"}),
    "all by remote id": (
        [{"remote_id": "R-1", "city": "Laval", "custom_fields": {"plan": HOSTILE}}],
        {"strategy": "all", "keyfield": "remote_id"},
    ),
    "groups, consent and nulls": (
        [
            {
                "email": "ana@example.com",
                "phone": None,
                "interests": {"News": "Set"},
                "custom_fields": {"plan": "1"},
            },
            {"email": "bo@example.com", **EXPRESS},
            {"email": "cy@example.com", "city": "Alma", **EXPRESS},
        ],
        {"rules": PayloadRules(nulls="clear")},
    ),
}


def shown(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str, str, str]]:
    """Return row, method, path and body of the requests that were logged."""
    texts = [record.getMessage() for record in caplog.records if record.name.endswith("sync.preview")]
    lines = [line for text in texts for line in text.split("\n")[1:]]
    matches = [re.fullmatch(r"row (\d+): (PATCH|POST) (\S+) (\{.*\})", line) for line in lines]
    return [(int(found[1]), found[2], found[3], found[4]) for found in matches if found]


def sent(sandbox: Sandbox) -> list[tuple[str, str, Any]]:
    """Return the writes that the sandbox has received."""
    requests = [each for each in sandbox.requests if each["method"] != "GET"]
    return [
        (each["method"], "?".join(filter(None, (each["path"], each["query"]))), json.loads(each["body"]))
        for each in requests
    ]


@pytest.fixture(autouse=True)
def all_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.mark.parametrize("name", RUNS)
def test_the_requests_shown_are_those_that_a_run_then_sends(
    name: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    rows, options = RUNS[name]
    before = sandbox.contacts

    planned, _ = sync(sandbox, rows, preview=100, preview_unmasked=True, **options)
    assert (sent(sandbox), sandbox.contacts) == ([], before)
    done, _ = sync(sandbox, rows, **options)

    requests = [(method, path, json.loads(body)) for _, method, path, body in shown(caplog)]
    assert requests
    assert sorted(requests, key=repr) == sorted(sent(sandbox), key=repr)
    assert (planned.plan_only, done.plan_only) == (True, False)
    assert (planned.updated, planned.created) == (done.updated, done.created)


@pytest.mark.parametrize("name", RUNS)
def test_masked_requests_differ_in_their_values_only_and_show_none(
    name: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    rows, options = RUNS[name]
    sync(sandbox, rows, preview=100, preview_unmasked=True, **options)
    whole = shown(caplog)
    caplog.clear()

    report, _ = sync(sandbox, rows, preview=100, **options)

    masked = shown(caplog)
    assert [each[:3] for each in masked] == [each[:3] for each in whole]
    texts = [value for *_, body in masked for value in leaves(json.loads(body))]
    assert [text for text in texts if not re.fullmatch(r"|.?\*\*\*", text)] == []
    assert len(texts) == len([value for *_, body in whole for value in leaves(json.loads(body))])
    for value in {value for *_, body in whole for value in leaves(json.loads(body)) if len(value) > 3}:
        assert value not in caplog.text
        assert value not in repr(report.as_dict()) or value in EXPRESS.values(), "the report counts consents"


def leaves(value: Any) -> list[str]:
    return [leaf for each in value.values() for leaf in leaves(each)] if isinstance(value, dict) else [value]


def test_the_first_rows_are_shown_in_their_order_whatever_batch_ends_first(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.reset(contacts(40))
    rows = [{**row, "city": "Laval" if number < 5 else "Alma"} for number, row in enumerate(contacts(40))]

    report, _ = sync(sandbox, rows, batch_rows=2, preview=3)

    assert [row for row, *_ in shown(caplog)] == [6, 7, 8]
    assert report.updated == 35


@pytest.mark.parametrize("order", [[5, 1, 9, 3, 7], [9, 7, 5, 3, 1], [1, 3, 5, 7, 9]])
def test_the_requests_of_the_lowest_rows_are_kept_in_whatever_order_they_come(
    order: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    preview = Preview(2)

    for row in order:
        if preview.wants(row):
            preview.add(row, update_contact({"city": "Alma"}, contact_id=row))
    preview.log()

    assert [(row, path) for row, _, path, _ in shown(caplog)] == [(1, "/v1/contacts/1"), (3, "/v1/contacts/3")]


def test_a_request_is_one_line_without_anything_that_a_terminal_acts_on() -> None:
    body = {"email": "ana@example.com", "city": HOSTILE, "custom_fields": {f"a{HOSTILE}": "secret"}}
    request = Request("POST", "/v1/contacts", "/v1/contacts", body=body)

    for unmasked in (True, False):
        line = describe_request(request, unmasked=unmasked)
        assert line.isprintable()
        assert ("secret" in line, "ana@" in line) == (unmasked, unmasked)
        assert (json.loads(line.partition("contacts ")[2]) == body) is unmasked


def test_without_a_preview_no_request_is_shown(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    sync(sandbox, [{"email": "ana@example.com", "city": "Alma"}], plan_only=True)
    sync(sandbox, [{"email": "ana@example.com", "city": "Alma"}], preview_unmasked=True)

    assert [record for record in caplog.records if record.name.endswith("sync.preview")] == []


def test_a_preview_without_changes_says_so(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    sync(sandbox, [{"email": "ana@example.com", "city": "Laval"}], preview=3, preview_unmasked=True)

    (record,) = [record for record in caplog.records if record.name.endswith("sync.preview")]
    assert (record.levelname, shown(caplog)) == ("INFO", [])


@pytest.mark.parametrize("unmasked", [True, False])
def test_an_unmasked_preview_warns_that_the_log_holds_personal_data(
    unmasked: bool, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sync(sandbox, [{"email": "ana@example.com", "city": "Alma"}], preview=1, preview_unmasked=unmasked)

    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert ["preview_unmasked" in text for text in warnings] == [True] * unmasked


def test_with_max_changes_only_the_plan_is_checked_after_the_requests_are_shown(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"email": "ana@example.com", "city": "Alma"}, {"email": "bo@example.com", "city": "Alma"}]

    with pytest.raises(EnvokePlanError):
        sync(sandbox, rows, preview=3, max_changes=1)
    assert len(shown(caplog)) == 2
    report, _ = sync(sandbox, rows, preview=3, max_changes=2)

    assert (report.plan_only, report.updated, sent(sandbox)) == (True, 2, [])


@pytest.mark.parametrize(
    "options",
    [{"preview": value} for value in (-1, 101, 1.0, True, "3", None)]
    + [{"preview_unmasked": value} for value in ("False", 1, None)],
)
def test_invalid_options_are_refused(options: dict[str, Any]) -> None:
    (name,) = options

    with pytest.raises(EnvokeConfigError, match=rf"\b{name}\b"):
        SyncOptions(**options)


def test_a_preview_cannot_be_made_to_write(sandbox: Sandbox) -> None:
    assert SyncOptions(preview=1, plan_only=False).plan_only
    assert [SyncOptions(preview=value).plan_only for value in (0, 100)] == [False, True]
