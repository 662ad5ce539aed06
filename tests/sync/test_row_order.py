"""The outcome of a run does not depend on the order in which a query returns its rows."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support.sync_runs import sync

KNOWN = {"id": 1, "remote_id": "known", "email": "old@example.com", "city": "Laval"}
OTHER = {"id": 2, "remote_id": "other", "email": "other@example.com", "city": "Laval"}
NEW = "new@example.com"

FIELDS = ("id", "remote_id", "email", "city")


def outcomes(
    contacts: list[dict[str, Any]], rows: list[dict[str, Any]], **options: Any
) -> tuple[Counter[Any], list[Any], int]:
    """Return how many rows had each outcome, the contacts afterwards, and the number of writes."""
    with Sandbox(contacts, duplicate_check=False) as sandbox:
        report, _ = sync(sandbox, rows, **options)
        counts = Counter(report.reasons) + Counter(report.skipped_reasons)
        counts += Counter({"updated": report.updated, "created": report.created, "unchanged": report.unchanged})
        after = [tuple(contact.get(name) or "" for name in FIELDS) for contact in sandbox.contacts]
        return counts, sorted(after, key=repr), report.requests.get("write", 0)


@pytest.mark.parametrize("batch_rows", [1, 99])
@pytest.mark.parametrize("strategy", ["changed", "all"])
@pytest.mark.parametrize("on_missing", ["skip", "reject"])
@pytest.mark.parametrize("keyfield", ["remote_id", "id"])
def test_the_address_of_a_row_that_is_not_written_stays_free_for_the_row_that_is(
    keyfield: str, on_missing: str, strategy: str, batch_rows: int
) -> None:
    unknown = {"remote_id": "unknown", "id": 77}[keyfield]
    rows = [{keyfield: unknown, "email": NEW}, {keyfield: KNOWN[keyfield], "email": NEW}]
    options = {
        "keyfield": keyfield, "on_missing": on_missing, "strategy": strategy, "batch_rows": batch_rows,
    }  # fmt: skip

    results = [outcomes([KNOWN, OTHER], order, **options) for order in (rows, rows[::-1])]

    for counts, after, writes in results:
        assert counts == {"updated": 1, "not_found": 1}
        assert (1, "known", NEW, "Laval") in after
        assert writes == 1


@pytest.mark.parametrize("strategy", ["changed", "all"])
@pytest.mark.parametrize("on_missing", ["skip", "create"])
def test_an_address_that_several_rows_would_give_away_goes_to_none_of_them(on_missing: str, strategy: str) -> None:
    rows = [
        {"remote_id": "known", "email": NEW, "city": "Québec"},
        {"remote_id": "other", "email": NEW.upper(), "city": "Québec"},
        {"remote_id": "unknown", "email": NEW, "city": "Québec"},
    ]
    options = {"keyfield": "remote_id", "on_missing": on_missing, "strategy": strategy}

    for order in itertools.permutations(rows):
        counts, after, writes = outcomes([KNOWN, OTHER], list(order), **options)

        unknown = Counter({"not_found": 1} if on_missing == "skip" else {"shared_email": 1})
        assert counts == unknown + Counter({"shared_email": 2})
        assert writes == 0
        assert after == sorted([tuple(each[name] for name in FIELDS) for each in (KNOWN, OTHER)], key=repr)


def test_a_row_that_only_keeps_the_address_of_its_contact_is_written() -> None:
    rows = [{"remote_id": "other", "email": KNOWN["email"]}, {**KNOWN, "city": "Québec"}]

    for order in itertools.permutations(rows):
        counts, after, _ = outcomes([KNOWN, OTHER], list(order), keyfield="remote_id")

        assert counts == {"shared_email": 1, "updated": 1}
        assert (1, "known", "old@example.com", "Québec") in after


def test_the_other_row_with_the_address_is_named() -> None:
    rows = [{"remote_id": name, "email": NEW} for name in ("known", "other")]
    with Sandbox([KNOWN, OTHER], duplicate_check=False) as sandbox:
        _, rejects = sync(sandbox, rows, keyfield="remote_id")

    assert [(reject.row, reject.reason) for reject in rejects] == [(1, "shared_email"), (2, "shared_email")]
    assert [re.findall(r"row \d", reject.message) for reject in rejects] == [["row 2"], ["row 1"]]


def test_only_the_rows_that_share_an_address_are_read_once_more() -> None:
    people = [{"remote_id": f"R{n}", "email": f"p{n}@example.com", "city": "Laval"} for n in range(300)]
    rows = [*people[:298], {"remote_id": "R298", "email": NEW}, {"remote_id": "R299", "email": NEW}]
    with Sandbox(people, duplicate_check=False) as sandbox:
        report, _ = sync(sandbox, rows, keyfield="remote_id")

    # 300 rows are four batches. The two that share an address are one more; their address is looked up each time.
    assert report.requests == {"read": 4 + 1 + 1 + 1}
    assert (report.unchanged, report.reasons) == (298, {"shared_email": 2})


@pytest.mark.parametrize("max_changes", [None, 100])
@pytest.mark.parametrize("strategy", ["changed", "all"])
@pytest.mark.parametrize("keyfield", ["email", "remote_id", "id"])
def test_on_duplicate_reject_rejects_all_rows_of_a_key(keyfield: str, strategy: str, max_changes: Any) -> None:
    rows = [
        {keyfield: KNOWN[keyfield], "city": "Alma"},
        {keyfield: OTHER[keyfield], "city": "Gaspé"},
        {keyfield: KNOWN[keyfield], "city": "Québec"},
        {keyfield: KNOWN[keyfield], "city": "Alma"},
    ]
    options = {"keyfield": keyfield, "strategy": strategy, "max_changes": max_changes, "on_duplicate": "reject"}

    for order in itertools.permutations(rows):
        counts, after, writes = outcomes([KNOWN, OTHER], list(order), **options)

        assert counts == {"duplicate_key": 3, "updated": 1}
        assert [contact[3] for contact in after] == ["Laval", "Gaspé"]
        assert writes == 1


def test_on_duplicate_reject_compares_email_addresses_without_regard_to_case() -> None:
    rows = [{"email": "OLD@example.com", "city": "Alma"}, {"email": "old@example.com", "city": "Alma"}]

    counts, _, writes = outcomes([KNOWN], rows, on_duplicate="reject")

    assert (counts, writes) == ({"duplicate_key": 2}, 0)


tables = st.lists(
    st.fixed_dictionaries(
        {
            "remote_id": st.sampled_from(["known", "other", "third", "unknown"]),
            "email": st.sampled_from([NEW, "old@example.com", "other@example.com", "not an address"]),
        },
        optional={"city": st.sampled_from(["Alma", "Laval"])},
    ),
    max_size=8,
)


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=tables,
    shuffled=st.randoms(use_true_random=False),
    on_missing=st.sampled_from(["skip", "create"]),
    strategy=st.sampled_from(["changed", "all"]),
    batch_rows=st.sampled_from([1, 3, 99]),
)
def test_rows_in_any_order_have_the_same_outcome(
    rows: list[dict[str, Any]], shuffled: Any, on_missing: str, strategy: str, batch_rows: int
) -> None:
    contacts = [KNOWN, OTHER, {"id": 3, "remote_id": "third", "email": "third@example.com"}]
    order = list(rows)
    shuffled.shuffle(order)
    options = {
        "keyfield": "remote_id", "on_duplicate": "reject", "on_missing": on_missing, "strategy": strategy,
        "batch_rows": batch_rows,
    }  # fmt: skip

    first, second = (outcomes(contacts, each, **options) for each in (rows, order))

    assert first[0] == second[0]
    assert [contact[1:] for contact in first[1]] == [contact[1:] for contact in second[1]]
