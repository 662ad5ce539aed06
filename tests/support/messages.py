"""
The messages that people read: ``tests/messages.txt`` holds one for each case of the tests, for review in a diff.

Tests check a message with the fixture ``check_message``. ``make messages`` runs these tests with the option
``--record-messages``, which writes the file instead of comparing with it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.leak_markers import leaks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

TESTS = Path(__file__).resolve().parents[1]
SNAPSHOT = TESTS / "messages.txt"

_FIXTURE = "check_message"
_HINT = "Run `make messages`, and review the diff of tests/messages.txt."
_HEADER = """\
# The messages that people read, one for each case of the tests. `make messages` writes this file.
# Review its diff: does each message say what happened, to which row or setting, and what to do?
"""
_INDENT = "    "
_MAX_CHARS = 4_000


class MessageSnapshot:
    """
    Compares messages with those of the file, or records them.

    Its state: the messages of the file, those seen in this test run, and whether a test has seen none.

    :param path: the file.
    :param recording: whether :meth:`finish` writes the file.
    :param temporary: the base of all temporary directories, which messages must not depend on.
    """

    def __init__(self, path: Path, *, recording: bool, temporary: Path) -> None:
        self._path = path
        self._recording = recording
        # What differs between machines and runs -> what the file has instead.
        self._placeholders = {
            re.escape(str(temporary)) + r"/[^/\s']+": "<folder>",
            r"(?<=127\.0\.0\.1:)\d+|(?<=localhost:)\d+": "<port>",
            r"(?<= in )\d+\.\d(?= s\b)": "<time>",
            # What libraries say differs between their versions; the tests check the words that matter.
            r"( failed (?:before its first row|after \d+ rows) with) .*?(?=\. The connection is)": r"\1 <error>",
            r"(?<=cannot be written: ValueError: ).*(?=\. Choose)": "<error>",
        }
        self.expected = _read(path)
        self.seen: dict[str, str] = {}
        self.skipped = False

    def check(self, case: str, message: str) -> None:
        """Check that a case has this message: plain text, whose lines the file has on one, that leaks nothing."""
        for pattern, placeholder in self._placeholders.items():
            message = re.sub(pattern, placeholder, message)
        message = " / ".join(line.strip() for line in message.split("\n"))
        assert message.isprintable(), f"{case}: the message is not plain text: {message!r}"
        assert message.strip() == message != "", f"{case}: {message!r}"
        assert len(message) <= _MAX_CHARS, case
        assert leaks(message) == [], f"{case}: {message}"
        known = self.seen.setdefault(case, message)
        assert message == known, f"{case} has two messages"
        if not self._recording and message != (recorded := self.expected.get(case)):
            pytest.fail(f"{case}: the message is {message!r}, but the snapshot has {recorded!r}. {_HINT}")

    def finish(self, *, complete: bool) -> None:
        """
        Write the file, or look for entries without a case.

        :param complete: whether all tests that check messages have run and passed.
        """
        complete = complete and not self.skipped
        if self._recording:
            _write(self._path, self.seen if complete else self.expected | self.seen)
        elif complete and (stale := sorted(self.expected.keys() - self.seen.keys())):
            pytest.fail(f"No test checks these messages of the snapshot: {', '.join(stale)}. {_HINT}")


def _read(path: Path) -> dict[str, str]:
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    lines = [line for line in lines if line and not line.startswith("#")]
    return {case: message.removeprefix(_INDENT) for case, message in zip(lines[::2], lines[1::2], strict=True)}


def _write(path: Path, messages: Mapping[str, str]) -> None:
    entries = [f"\n{case}\n{_INDENT}{messages[case]}\n" for case in sorted(messages)]
    path.write_text(_HEADER + "".join(entries), "utf-8")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record-messages", action="store_true", help="run the tests that check messages, and write the snapshot"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--record-messages"):
        config.hook.pytest_deselected(items=[item for item in items if not _checks_messages(item)])
        items[:] = [item for item in items if _checks_messages(item)]


@pytest.fixture(scope="session")
def message_snapshot(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MessageSnapshot]:
    recording = request.config.getoption("--record-messages")
    snapshot = MessageSnapshot(SNAPSHOT, recording=recording, temporary=tmp_path_factory.getbasetemp())
    yield snapshot
    snapshot.finish(complete=_is_complete(request.session))


@pytest.fixture
def check_message(message_snapshot: MessageSnapshot) -> Iterator[Callable[[str, str], None]]:
    """Check that a case has the message that the snapshot has: ``check_message("connection: no host", text)``."""
    checked: list[str] = []

    def check(case: str, message: str) -> None:
        checked.append(case)
        message_snapshot.check(case, message)

    yield check
    message_snapshot.skipped |= not checked


def _checks_messages(item: pytest.Item) -> bool:
    return _FIXTURE in getattr(item, "fixturenames", ())


def _is_complete(session: pytest.Session) -> bool:
    """Return whether all tests that check messages have run and passed."""
    option = session.config.option
    selected = option.keyword or option.markexpr or getattr(option, "lf", False)
    selected = selected or any("::" in argument for argument in session.config.args)
    modules = {path for path in TESTS.rglob("test_*.py") if _FIXTURE in path.read_text("utf-8")}
    run = {item.path for item in session.items if _checks_messages(item)}
    return not selected and not session.testsfailed and modules == run


class Each(tuple[Any, ...]):
    """Several inputs of one case, which have the same message."""


def each(name: str, *values: object) -> Each:
    """Return an input for each value of one argument: ``each("port", 0, -1)``."""
    return Each({name: value} for value in values)


def as_params(table: Mapping[Any, Mapping[str, Any]]) -> list[Any]:
    """Return a table (outcome -> case -> input, or :class:`Each`) as parameters: case, outcome, input."""
    return [
        pytest.param(case, outcome, value, id=f"{case} {number}" if number else case)
        for outcome, cases in table.items()
        for case, given in cases.items()
        for number, value in enumerate(given if isinstance(given, Each) else [given])
    ]
