"""The demo, as ``make demo`` starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support import ROOT, customers
from tests.support.leftovers import addresses, listens, processes_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The API key of the connection is not the sandbox's.
WRONG_KEY = """
from demo import __main__
from tests.support import sandbox_process
sandbox_process.API_KEY = "wrong-key"
raise SystemExit(__main__.main())
"""


def left_behind(output: str, folder: Path) -> list[object]:
    """Return the ports, files and processes that are left; the output must name at least one port."""
    assert addresses(output)
    return [*filter(listens, addresses(output)), *folder.iterdir(), *processes_of(folder)]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The demo, started without a terminal; its temporary files are in ``tmp_path``."""
    process = subprocess.Popen(
        [sys.executable, "-B", "-m", "demo"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process
    process.terminate()
    process.wait()


def test_it_shows_what_changed_and_leaves_nothing_behind(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    output, _ = demo.communicate(timeout=100)

    assert demo.returncode == 0, output
    assert len(output.splitlines()) < 40
    assert re.search(r"francois\.lefebvre@example\.com +city +Laval +Rivière-du-Loup", output)
    assert "envoke_update_by_email with email = francois.lefebvre@example.com ... 1 updated" in output
    nights = re.findall(r"envoke_nightly_sync with plan_only = False \.\.\. (.*), \d+ s", output)
    assert nights == ["300 rows: 4 updated, 295 unchanged, 1 skipped", "300 rows: 299 unchanged, 1 skipped"]
    assert "5 update requests for 5 changed contacts" in output
    assert "Stopped." in output.splitlines()[-1]
    assert left_behind(output, tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_in_order_when_interrupted(
    demo: subprocess.Popen[str], tmp_path: Path, number: signal.Signals
) -> None:
    assert demo.stdout
    head = ""
    while "creating its database" not in head:
        head += demo.stdout.read(1)

    demo.send_signal(number)
    rest, _ = demo.communicate(timeout=30)

    assert demo.returncode == 130
    assert "Traceback" not in rest
    assert left_behind(head, tmp_path) == []


def test_it_shows_the_log_when_something_fails(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-c", WRONG_KEY],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    assert done.returncode == 1
    assert "envoke_update_by_email failed" in done.stdout
    assert "401" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_customers_are_the_same_every_time_and_include_every_case_of_the_demo() -> None:
    rows, contacts = customers.customers(), customers.contacts()
    assert (rows, contacts) == (customers.customers(), customers.contacts())
    emails = {row["email"] for row in rows}

    assert len(rows) == len(emails) == 300
    assert emails - {contact["email"] for contact in contacts} == {customers.UNKNOWN_EMAIL}
    assert all(email.endswith(("@example.com", "@example.org")) for email in emails)
    assert [c["email"] for c in contacts if c["consent_status"] == "Revoked"] == [customers.REVOKED_EMAIL]
    text = "".join(str(value) for row in rows for value in row.values())
    assert all(letter in text for letter in "éçö")
    assert any(row["phone"] is None for row in rows)
    assert any(len(row["first_name"]) > 20 for row in rows)


def test_a_change_is_a_field_with_a_different_value() -> None:
    before = [{"id": 1, "email": "a@example.com", "city": "Laval", "phone": "1"}]
    after = [{"id": 1, "email": "a@example.com", "city": "Québec", "phone": "1", "company": "New", "title": ""}]

    assert customers.changes(before, after) == [
        ("a@example.com", "company", "", "New"),
        ("a@example.com", "city", "Laval", "Québec"),
    ]
