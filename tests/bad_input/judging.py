"""How a message is judged: it says what the table says, and nothing about anybody."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_envoke.exceptions import EnvokeError
from tests.leaks.marks import leaks, texts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_envoke.sandbox.thread import Sandbox

_LONGEST_CHARS = 4_000


def fits(message: str, expected: str) -> bool:
    """Whether a message is the expected one; in the expectation, ``*`` stands for anything."""
    pattern = ".*".join(re.escape(part) for part in expected.split("*"))
    return re.fullmatch(pattern, message, re.DOTALL) is not None


def check_message(error: BaseException, expected: str) -> None:
    """A reader learns what happened, of one line, from one of our classes; and learns nobody's data."""
    message = str(error)
    assert isinstance(error, EnvokeError | AirflowFailException), repr(error)
    assert fits(message, expected), message
    assert message.isprintable(), "one line, and no character that could forge another"
    assert len(message) < _LONGEST_CHARS
    assert [leaks(text) for text in texts_of(error) if leaks(text)] == []


def check_refused(action: Callable[[], Any], expected: str, sandbox: Sandbox) -> None:
    """An action ends with the message, and before a single request."""
    sandbox.reset()

    with pytest.raises((EnvokeError, AirflowFailException)) as caught:
        action()

    check_message(caught.value, expected)
    assert sandbox.requests == []


def as_params(table: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    """The cases of a table, message -> name -> what was wrong, each with its message."""
    return [
        pytest.param(case, message, id=name) for message, cases in table.items() for name, case in cases.items()
    ]
