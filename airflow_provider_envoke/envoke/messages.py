"""Building blocks of error and log messages that must not reveal personal data."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_envoke.exceptions import EnvokeConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_LISTED = 20
_MAX_SHOWN_CHARS = 80
_SHORTEST_SHOWN = 4

# An email address in plain text or percent-encoded in a URL. The search starts at the beginning of a word only:
# otherwise the time would grow with the square of the length of a long word without an address.
_EMAIL = re.compile(
    r"""(?<![^\s@<>"'()\[\]{},;:=&?/|])([^\s@<>"'()\[\]{},;:=&?/|])[^\s@<>"'()\[\]{},;:=&?/|]*?(@|%40)([^\s@<>"'()\[\]{},;:=&?/|]+)"""
)


class Violation(NamedTuple):
    """One rule that one field breaks: ``reason`` is a stable code, ``message`` is the text for people."""

    field: str
    reason: str
    message: str


def mask_emails(text: str) -> str:
    """Mask the local part of every email address: ``jon@example.com`` becomes ``j***@example.com``."""
    return _EMAIL.sub(r"\1***\2\3", text)


def masked_value(name: str, value: object) -> str:
    """
    Return the first letter of a value; of short values, custom fields and tags not even that ("no" or "yes").

    :param name: the field, or ``GROUP.MEMBER`` for a custom field or tag.
    """
    text = str(value)
    return f"{text[0]}***" if "." not in name and len(text) >= _SHORTEST_SHOWN else "***"


def quoted(word: object) -> str:
    """Quote text from outside for a message: escaped, shortened, email addresses masked."""
    return ascii(mask_emails(str(word)[:_MAX_SHOWN_CHARS]))


def shown_name(name: object) -> str:
    """Return a field name for a message or report. Names come from rows, so unusual ones are escaped."""
    plain = isinstance(name, str) and name.isprintable() and name.isascii() and bool(name.strip())
    shown = str(name) if plain else ascii(name)
    return mask_emails(shown[:_MAX_SHOWN_CHARS])


def describe(violations: Iterable[Violation], noun: str = "field") -> str:
    """Describe what is wrong with a row: ``2 fields are invalid: city: …; phone: ….``"""
    fields_by_message: defaultdict[str, list[str]] = defaultdict(list)
    names = set()
    for field, _, message in violations:
        fields_by_message[message].append(field)
        names.add(field)
    listed = [f"{joined(fields, ', ')}: {message}" for message, fields in fields_by_message.items()]
    count = f"1 {noun} is" if len(names) == 1 else f"{len(names)} {noun}s are"
    text = f"{count} invalid: {joined(listed, '; ')}"
    return text if text.endswith("?") else f"{text}."


def joined(texts: list[str], separator: str) -> str:
    """Join texts, as many as a message can hold; the others are counted."""
    more = [f"and {len(texts) - _MAX_LISTED} more"] if len(texts) > _MAX_LISTED else []
    return separator.join(texts[:_MAX_LISTED] + more)


def check_choice(argument: str, value: object, choices: Iterable[str]) -> None:
    """Raise EnvokeConfigError if the value of an argument is not one of the accepted words."""
    accepted = tuple(choices)
    if value not in accepted:
        listed = " or ".join(repr(choice) for choice in accepted)
        raise EnvokeConfigError(f"{argument} must be {listed}, not {quoted(value)}.")
