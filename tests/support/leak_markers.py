"""Credentials and personal data that are easy to find in a text, and the places where they could leak."""

from __future__ import annotations

import traceback
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from airflow_provider_envoke.sandbox.thread import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pytest

API_ID = "marked-id-4711"
API_KEY = "mArKeD-kEy-9f8e7d6c5b4a"
BASIC = b64encode(f"{API_ID}:{API_KEY}".encode()).decode()
PROXY_PASSWORD = "mArKeD-pRoXy-0123"

EMAIL = "zora.marked+tag@leak.example.com"
LOCAL_PART = "zora.marked"
LAST_NAME = "Markedova-Leakson"
SECRETS = (API_KEY, BASIC, BASIC.rstrip("="), PROXY_PASSWORD)
PERSONAL = (EMAIL, quote(EMAIL), quote_plus(EMAIL), LOCAL_PART, "Markedova")


def leaks(text: str, *, personal: bool = True) -> list[str]:
    """Return the secrets, and the personal data, that a text contains."""
    marked = SECRETS + PERSONAL if personal else SECRETS
    return [mark for mark in marked if mark.lower() in text.lower()]


def texts_of(error: BaseException) -> Iterator[str]:
    """Yield every text of an exception, its attributes, its causes and its contexts."""
    seen: list[BaseException] = []
    queue: list[BaseException | None] = [error]
    while queue:
        each = queue.pop()
        if each is None or each in seen:
            continue
        seen.append(each)
        queue += [each.__cause__, each.__context__]
        yield from (str(each), repr(each), repr(each.args), repr(vars(each)), repr(getattr(each, "__notes__", "")))
        yield "".join(traceback.format_exception(each))


@dataclass
class Seen:
    """Collects results, exceptions, logs and output."""

    caplog: pytest.LogCaptureFixture
    capfd: pytest.CaptureFixture[str]
    texts: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def attempt(self, action: Callable[[], object]) -> None:
        """Call an action that may fail, and keep its result or its exception."""
        try:
            self.texts.append(repr(action()))
        except Exception as error:
            self.errors.append(error)
            self.texts += texts_of(error)

    def everything(self) -> str:
        """Return the texts, the log and the output as one text."""
        captured = self.capfd.readouterr()
        records = [f"{record.getMessage()} {record.exc_text or ''}" for record in self.caplog.records]
        return "\n".join([*self.texts, *records, self.caplog.text, captured.out, captured.err])


class MarkedSandbox(Sandbox):
    """A sandbox that accepts the marked credentials."""

    def __init__(self, contacts: Iterable[Mapping[str, Any]] = ()) -> None:
        super().__init__(contacts, api_id=API_ID, api_key=API_KEY)
