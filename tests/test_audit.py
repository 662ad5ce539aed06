"""``.ci/audit``: what it does with what pip-audit says, and where that can say nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

AUDIT = Path(__file__).resolve().parents[1] / ".ci" / "audit"
ADVISORY = {"id": "PYSEC-1", "fix_versions": ["9.9"]}


def audit(folder: Path, said: str) -> tuple[int, str]:
    """Run the script with a pip-audit that says this; return its status and what it printed."""
    (folder / "said").write_text(said)
    (folder / "pip_audit.py").write_text(f"print(open({str(folder / 'said')!r}).read())\nraise SystemExit(1)\n")
    done = subprocess.run(
        [sys.executable, str(AUDIT), "pins.txt"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def known(**vulnerable: list[dict[str, Any]]) -> str:
    names = {"requests": [], "yarl": [], **vulnerable}
    return json.dumps({"dependencies": [{"name": each, "version": "1", "vulns": names[each]} for each in names]})


def test_a_finding_in_what_the_package_depends_on_fails(tmp_path: Path) -> None:
    status, printed = audit(tmp_path, known(requests=[ADVISORY]))

    assert status == 1
    assert "pins.txt: requests 1 (a dependency of ours): PYSEC-1, fixed in: 9.9" in printed


def test_a_finding_further_down_is_shown(tmp_path: Path) -> None:
    status, printed = audit(tmp_path, known(yarl=[ADVISORY]))

    assert status == 0
    assert "yarl 1 (further down): PYSEC-1" in printed


def test_without_findings_it_says_how_much_was_audited(tmp_path: Path) -> None:
    assert audit(tmp_path, known()) == (0, "pins.txt: 2 distributions audited, 0 advisories\n")


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("", id="nothing"),
        pytest.param("{}", id="something-else"),
        pytest.param('{"dependencies": [{"name": "a", "skip_reason": "not found on PyPI"}]}', id="all-skipped"),
    ],
)
def test_where_the_database_cannot_be_asked_one_line_says_so(said: str, tmp_path: Path) -> None:
    words = "pins.txt: not audited, for the advisory database cannot be asked from here\n"

    assert audit(tmp_path, said) == (0, words)
