"""``.ci/audit``: what it prints for the results of pip-audit, and which results fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

AUDIT = ROOT / ".ci" / "audit"
ADVISORY = {"id": "PYSEC-1", "fix_versions": ["9.9"]}


def audit(folder: Path, output: str, *pins: str) -> tuple[int, str]:
    """
    Run the script with a pip-audit that prints this output; return its exit status and what it printed.

    How often pip-audit ran is in the length of the file ``asked``.
    """
    (folder / "output").write_text(output)
    (folder / "pip_audit.py").write_text(
        f"print(open({str(folder / 'output')!r}).read())\n"
        f"open({str(folder / 'asked')!r}, 'a').write('x')\n"
        "raise SystemExit(1)\n"
    )
    done = subprocess.run(
        [sys.executable, str(AUDIT), *pins],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def audited(**advisories: list[dict[str, Any]]) -> str:
    """Return the output of pip-audit for a direct dependency (requests) and an indirect one (idna)."""
    found = {"requests": [], "idna": [], **advisories}
    return json.dumps({"dependencies": [{"name": each, "version": "1", "vulns": found[each]} for each in found]})


@pytest.mark.parametrize(
    ("advisories", "expected", "fragments"),
    [
        ({"requests": [ADVISORY]}, 1, ["requests 1 (direct dependency): PYSEC-1", "9.9"]),
        ({"idna": [ADVISORY]}, 0, ["idna 1 (indirect dependency): PYSEC-1"]),
        ({}, 0, ["2 distributions audited, 0 advisories"]),
    ],
    ids=["direct", "indirect", "none"],
)
def test_every_advisory_is_shown_and_one_about_a_direct_dependency_fails(
    advisories: dict[str, Any], expected: int, fragments: list[str], tmp_path: Path
) -> None:
    status, printed = audit(tmp_path, audited(**advisories), "pins.txt")

    assert status == expected
    assert all(fragment in printed for fragment in fragments)


@pytest.mark.parametrize(
    "output",
    ["", "{}", '{"dependencies": [{"name": "a", "skip_reason": "not found on PyPI"}]}'],
    ids=["nothing", "something else", "all skipped"],
)
def test_if_the_database_cannot_be_reached_one_line_for_each_file_says_so(output: str, tmp_path: Path) -> None:
    status, printed = audit(tmp_path, output, "pins.txt", "others.txt")

    assert status == 0
    assert printed.count("\n") == 2
    assert "pins.txt: not audited" in printed
    assert "others.txt: not audited" in printed
    assert (tmp_path / "asked").read_text() == "x"  # of so many pins, each would take a while
