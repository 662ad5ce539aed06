"""When contacts were created: the present time over the API, a fixed or a given one at the start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support.sandbox import ANA, JON, call

if TYPE_CHECKING:
    from collections.abc import Callable

START = datetime(2026, 11, 24, 22, 59, 58, tzinfo=UTC)


def ticking() -> Callable[[], float]:
    """Return a clock that is a second later each time it is asked."""
    times = (START + timedelta(seconds=number) for number in range(1_000))
    return lambda: next(times).timestamp()


def test_contacts_at_the_start_keep_their_date_or_get_a_fixed_one() -> None:
    given = {**JON, "date_created": "2019-02-03 04:05:06"}

    first, second = (Sandbox([given, ANA], clock=clock).contacts for clock in (ticking(), lambda: 0.0))

    assert [contact["date_created"] for contact in first] == ["2019-02-03 04:05:06", "2026-01-01 00:00:00"]
    assert second == first


@pytest.mark.parametrize("path", ["/v1/contacts", "/v1/contacts?upsert=1"])
def test_a_contact_created_over_the_api_has_the_time_of_its_creation(path: str) -> None:
    with Sandbox([JON], clock=START.timestamp) as sandbox:
        body = {"email": "new@doe.com", "date_created": "1999-01-01 00:00:00"}
        data = call(sandbox, "POST", path, body).json()["result_data"]
        call(sandbox, "PATCH", f"/v1/contacts/{data['id']}", {"city": "Alma"})

        assert data["date_created"] == "2026-11-24 22:59:58"
        assert (sandbox.contact(email="new@doe.com") or {})["date_created"] == "2026-11-24 22:59:58"


def test_new_contacts_can_be_polled_by_their_date() -> None:
    found = []
    with Sandbox([JON, ANA], clock=ticking()) as sandbox:
        last = "2026-01-01 00:00:00"
        for number in range(3):
            call(sandbox, "POST", "/v1/contacts", {"email": f"new{number}@doe.com"})
            query = {"filter[date_created][$gt]": last, "sort[date_created]": "ASC"}
            new = call(sandbox, "GET", "/v1/contacts", params=query).json()
            found += [contact["email"] for contact in new]
            last = new[-1]["date_created"]

    assert found == ["new0@doe.com", "new1@doe.com", "new2@doe.com"]


def test_the_time_of_a_request_is_recorded() -> None:
    with Sandbox(clock=START.timestamp) as sandbox:
        call(sandbox, "GET", "/v1/settings")

        assert sandbox.requests[0]["time"] == START.timestamp()
