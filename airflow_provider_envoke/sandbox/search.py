"""The page's search: which contacts and requests it shows."""

from __future__ import annotations

import itertools
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.sandbox.changes import ContactChange
from airflow_provider_envoke.sandbox.markup import to_text
from airflow_provider_envoke.sandbox.request_text import decode_escapes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_envoke.sandbox.store import ContactStore

_MAX_WORDS = 10


@dataclass(frozen=True, slots=True)
class Search:
    """
    What the page's form asks for.

    :param text: words that a contact or a request must all contain; case and accents do not matter.
    :param changed_only: whether to show only contacts that differ from the start.
    """

    text: str = ""
    changed_only: bool = False

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Search:
        """Read the parameters of the page's address."""
        return cls(query.get("q", "").strip(), query.get("changed") == "1")

    def find_contacts(self, store: ContactStore, changed: list[ContactChange]) -> list[ContactChange]:
        """Return the contacts: those changed, in their order, then the others, the newest first."""
        numbers = {change.contact["id"] for change in changed}
        others = (
            ContactChange(item) for number, item in reversed(store.contacts.items()) if number not in numbers
        )
        candidates = (
            (each for each in changed if each.kind) if self.changed_only else itertools.chain(changed, others)
        )
        words = self._words()
        if not words:
            return list(candidates)
        return [each for each in candidates if _contains(words, (each.contact, each.original))]

    def find_requests(self, requests: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the requests, the last one first."""
        newest_first = list(requests)[::-1]
        words = self._words()
        return [each for each in newest_first if _contains(words, _request_texts(each))] if words else newest_first

    def _words(self) -> list[str]:
        return _fold(self.text).split()[:_MAX_WORDS]


def _request_texts(request: dict[str, Any]) -> tuple[Any, ...]:
    names = ("method", "path", "query", "status", "fault")
    return (*(request[name] for name in names), decode_escapes(request["body"]))


def _contains(words: Iterable[str], values: tuple[Any, ...]) -> bool:
    text = _fold(
        "\n".join(to_text(list(value.values()) if isinstance(value, dict) else value) for value in values)
    )
    return all(word in text for word in words)


def _fold(text: str) -> str:
    """Return a text without differences of case and accents."""
    if text.isascii():
        return text.lower()
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
