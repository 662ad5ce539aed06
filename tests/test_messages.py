"""The snapshot of messages: what it compares, what it records, and what it rejects."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.leak_markers import EMAIL
from tests.support.messages import MessageSnapshot

TEMPORARY = Path("/tmp/a-base")
OUTCOME = pytest.fail.Exception  # not an Exception


def snapshot(path: Path, *, recording: bool = False) -> MessageSnapshot:
    return MessageSnapshot(path, recording=recording, temporary=TEMPORARY)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A snapshot of the cases a and b."""
    path = tmp_path / "messages.txt"
    recorder = snapshot(path, recording=True)
    recorder.check("b", "Second.")
    recorder.check("a", f"No file {TEMPORARY}/test_x0/f at http://127.0.0.1:4711; again in 1.5 s.")
    recorder.finish(complete=True)
    return path


def test_messages_are_sorted_and_independent_of_the_machine(path: Path) -> None:
    entries = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]

    message = "    No file <folder>/f at http://127.0.0.1:<port>; again in <time> s."
    assert entries == ["a", message, "b", "    Second."]


def test_an_equal_message_passes(path: Path) -> None:
    compared = snapshot(path)

    compared.check("a", f"No file {TEMPORARY}/test_y7/f at http://127.0.0.1:42; again in 0.1 s.")
    compared.check("b", "Second.")
    compared.finish(complete=True)


@pytest.mark.parametrize(("case", "message"), [("b", "Other."), ("c", "Third.")], ids=["different", "missing"])
def test_another_message_fails_with_a_hint(path: Path, case: str, message: str) -> None:
    with pytest.raises(OUTCOME, match="make messages"):
        snapshot(path).check(case, message)


def test_a_case_has_one_message(path: Path) -> None:
    recorder = snapshot(path, recording=True)
    recorder.check("c", "Third.")

    with pytest.raises(AssertionError):
        recorder.check("c", "Other.")


@pytest.mark.parametrize("message", ["", "A\nbell \a.", f"About {EMAIL}.", "x" * 5_000])
def test_an_unfit_message_is_not_recorded(path: Path, message: str) -> None:
    with pytest.raises(AssertionError):
        snapshot(path, recording=True).check("c", message)


def test_an_entry_without_a_case_fails_if_all_tests_have_run(path: Path) -> None:
    compared = snapshot(path)
    compared.check("b", "Second.")

    compared.finish(complete=False)
    with pytest.raises(OUTCOME, match=r"\ba\b"):
        compared.finish(complete=True)


@pytest.mark.parametrize(("complete", "cases"), [(True, ["c"]), (False, ["a", "b", "c"])])
def test_recording_removes_entries_only_if_all_tests_have_run(
    path: Path, complete: bool, cases: list[str]
) -> None:
    recorder = snapshot(path, recording=True)
    recorder.check("c", "Third.")

    recorder.finish(complete=complete)

    assert sorted(snapshot(path).expected) == cases
