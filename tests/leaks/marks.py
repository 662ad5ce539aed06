"""Marked credentials and a marked person, and all the places in which they could come to light."""

from __future__ import annotations

import traceback
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from airflow_provider_envoke.sandbox.thread import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    """What of the marked things stands in a text."""
    marked = SECRETS + PERSONAL if personal else SECRETS
    return [mark for mark in marked if mark.lower() in text.lower()]


def texts_of(error: BaseException) -> Iterator[str]:
    """All that can be read of an exception and of all that it was raised from, shown by Python or not."""
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
    """All that came to the surface."""

    caplog: pytest.LogCaptureFixture
    capfd: pytest.CaptureFixture[str]
    texts: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def attempt(self, action: Callable[[], object]) -> None:
        """Do something that may fail, and keep what comes of it."""
        try:
            self.texts.append(repr(action()))
        except Exception as error:
            self.errors.append(error)
            self.texts += texts_of(error)

    def everything(self) -> str:
        """The texts, the log with its records' arguments, and what was printed."""
        captured = self.capfd.readouterr()
        records = [f"{record.getMessage()} {record.exc_text or ''}" for record in self.caplog.records]
        return "\n".join([*self.texts, *records, self.caplog.text, captured.out, captured.err])


class MarkedSandbox(Sandbox):
    """A sandbox that takes the marked credentials."""

    api_id = API_ID
    api_key = API_KEY
