"""Text as HTML that is safe to show: everything escaped, cut to a length, invisible characters made visible."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MAX_CHARACTERS = 200
_MAX_MEMBERS = 20
_NOT_TEXT = "nested too deeply to show"

# Control characters, marks that change the direction of what follows, surrogates, and characters without a shape.
# Without the joiner U+200D, which emoji consist of.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff"
    "\U000e0000-\U000e007f]"
)


def show(value: object, length: int = _MAX_CHARACTERS) -> str:
    """Return a value as escaped text, isolated from the direction of its neighbours; long ones are cut."""
    text = to_text(value)
    rest = f"… ({len(text):,} characters)" if len(text) > length else ""
    return f"<bdi>{escape(_INVISIBLE.sub(_name_character, text[:length]))}</bdi>{rest}"


def to_text(value: object) -> str:
    """Return a value as one line; members of lists and objects are separated by commas."""
    try:
        return "" if value is None else value if isinstance(value, str) else _join(value)
    except RecursionError:
        return _NOT_TEXT


def span(css: str, html: str) -> str:
    """Return HTML with a class of the page's style."""
    return f'<span class="{css}">{html}</span>'


def line(css: str, html: str) -> str:
    """Return HTML as a line of its own within a cell; nothing if it is empty."""
    return f'<div class="{css}">{html}</div>' if html else ""


def shorten(parts: Sequence[str]) -> list[str]:
    """Return the first parts, and how many more there are."""
    more = len(parts) - _MAX_MEMBERS
    return [*parts[:_MAX_MEMBERS], *([span("dim", f"and {more:,} more")] if more > 0 else [])]


def table(columns: Iterable[tuple[str, str]], rows: Iterable[tuple[str, Iterable[str]]], empty: str) -> str:
    """
    Return a table.

    :param columns: each column's heading and width.
    :param rows: each row's class and the HTML of its cells.
    :param empty: what to say if there are no rows.
    """
    columns = list(columns)
    widths = "".join(f'<col class="{width}">' for _, width in columns)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name, _ in columns)
    body = "".join(
        f'<tr class="{css}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>' for css, cells in rows
    )
    body = body or f'<tr><td colspan="{len(columns)}" class="dim">{escape(empty)}</td></tr>'
    return f"<table><colgroup>{widths}</colgroup><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _join(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_join(member)}" for name, member in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_join, value))
    return "" if value is None else str(value)


def _name_character(found: re.Match[str]) -> str:
    return f"[U+{ord(found[0]):04X}]"
