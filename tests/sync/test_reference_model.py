"""For any rows and any contacts, the sandbox ends as a model of a few lines says, whatever the concurrency."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support.reference_model import SENDING, WITHDRAWN, by, comparable, model_by_email, model_by_remote_id
from tests.support.sync_runs import patches, sync

EMAILS = [f"{letter}@example.com" for letter in "abcdef"]

cities = st.sampled_from(["Laval", "Québec", "", None])
tags = st.dictionaries(st.sampled_from(["News", "Offers"]), st.sampled_from(["Set", "Unset"]), max_size=2)
custom = st.dictionaries(st.sampled_from(["plan", "size"]), st.sampled_from(["1", "2", None]), max_size=2)
wishes = {"city": cities, "interests": tags, "custom_fields": custom}
consents = st.one_of(
    st.just({}),
    st.sampled_from(SENDING).map(lambda status: {"consent_status": status, "consent_description": "Form"}),
    st.sampled_from(WITHDRAWN).map(lambda status: {"consent_status": status}),
    st.sampled_from(WITHDRAWN).map(lambda status: {"consent_status": status, "consent_description": "Phone"}),
    st.just({"consent_description": "Phone"}),
)


def rows_of(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    row = st.tuples(st.fixed_dictionaries(fields, optional=wishes), consents).map(
        lambda both: {**both[0], **both[1]}
    )
    return st.lists(row, max_size=14)


def starting(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    contact = st.fixed_dictionaries(
        {**fields, "city": cities.filter(bool)},
        optional={
            "consent_status": st.sampled_from(SENDING + WITHDRAWN),
            "consent_description": st.sampled_from(["Form", "Link"]),
        },
    )
    return st.lists(
        contact, max_size=5, unique_by=tuple(lambda contact, name=name: contact[name] for name in fields)
    )


@pytest.fixture(scope="module")
def sandbox() -> Any:
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def unchecked() -> Any:
    """An account for remote ids: nothing but our guard keeps contacts from sharing an address."""
    with Sandbox(duplicate_check=False) as running:
        yield running


PROPERTY = settings(
    max_examples=250, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def options_of(**more: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    choices = {
        "strategy": ["changed", "all"],
        "concurrency": [1, 8],
        "batch_rows": [1, 3, 99],
        "on_withdrawn": ["keep", "reject"],
        **more,
    }
    return st.fixed_dictionaries({name: st.sampled_from(values) for name, values in choices.items()})  # type: ignore[arg-type]


@PROPERTY
@given(
    contacts=starting(email=st.sampled_from(EMAILS)),
    rows=rows_of(email=st.sampled_from([*EMAILS, EMAILS[0].upper()])),
    options=options_of(on_duplicate=["first", "last"], on_missing=["reject", "create"]),
)
def test_by_email(sandbox: Sandbox, contacts: Any, rows: Any, options: dict[str, Any]) -> None:
    sandbox.reset(contacts)

    report, rejects = sync(sandbox, rows, **options)

    expected = model_by_email(
        contacts, rows, options["on_duplicate"], options["on_missing"], options["on_withdrawn"]
    )
    assert by("email", sandbox.contacts) == {key: comparable(contact) for key, contact in expected.items()}
    counts = (report.updated, report.created, report.unchanged, report.skipped, report.rejected)
    assert sum(counts) == report.rows == len(rows)
    assert len(rejects) == report.rejected == sum(report.reasons.values())


@PROPERTY
@given(
    contacts=starting(remote_id=st.sampled_from(["1", "2", "3"]), email=st.sampled_from(EMAILS)),
    rows=rows_of(remote_id=st.sampled_from(["1", "2", "3", "4"]), email=st.sampled_from(EMAILS)),
    options=options_of(on_missing=["reject", "create"]),
)
def test_by_remote_id_nobody_comes_to_share_an_address(
    unchecked: Sandbox, contacts: Any, rows: Any, options: dict[str, Any]
) -> None:
    unchecked.reset(contacts)

    sync(unchecked, rows, keyfield="remote_id", **options)

    expected = model_by_remote_id(contacts, rows, options["on_missing"], options["on_withdrawn"])
    assert by("remote_id", unchecked.contacts) == {key: comparable(contact) for key, contact in expected.items()}


@PROPERTY
@given(
    contacts=starting(email=st.sampled_from(EMAILS)),
    rows=rows_of(email=st.sampled_from(EMAILS)),
    on_missing=st.sampled_from(["reject", "skip", "create"]),
)
def test_a_second_run_sends_no_patch(sandbox: Sandbox, contacts: Any, rows: Any, on_missing: str) -> None:
    sandbox.reset(contacts)
    sync(sandbox, rows, on_missing=on_missing)
    sent = len(patches(sandbox))

    second, _ = sync(sandbox, rows, on_missing=on_missing)

    assert len(patches(sandbox)) == sent
    assert second.updated == second.created == 0
