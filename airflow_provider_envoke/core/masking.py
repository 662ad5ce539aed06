"""Masking of e-mail addresses in anything that reaches a log or an exception."""

from __future__ import annotations

import re

# An address as it stands in a text or, percent-encoded, in a URL. It is looked for at the start of a word alone:
# within a long one without any address, the time would grow with the square of its length.
_EMAIL = re.compile(
    r"""(?<![^\s@<>"'()\[\]{},;:=&?/|])([^\s@<>"'()\[\]{},;:=&?/|])[^\s@<>"'()\[\]{},;:=&?/|]*?(@|%40)([^\s@<>"'()\[\]{},;:=&?/|]+)"""
)


def mask_emails(text: str) -> str:
    """Replace the local part of every e-mail address: ``jon@example.com`` becomes ``j***@example.com``."""
    return _EMAIL.sub(r"\1***\2\3", text)


def quoted(word: object) -> str:
    """Quote a word that came from outside, for a message: escaped, cut, e-mail addresses masked."""
    return ascii(mask_emails(str(word)[:80]))


def shown_name(name: object) -> str:
    """Return a field's name as a message or a report may hold it: a row may have put anything into it."""
    plain = isinstance(name, str) and name.isprintable() and name.isascii() and bool(name.strip())
    shown = str(name) if plain else ascii(name)
    return mask_emails(shown[:80])
