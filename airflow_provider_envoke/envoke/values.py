"""
Converts the values of a warehouse to the text that the API accepts.

============================  ==========================================================================
value in the warehouse        what is sent
============================  ==========================================================================
``str``                       unchanged: ``"007"`` and ``"H2G 1A7"`` keep their form; payloads are trimmed
``bool``                      ``"true"`` or ``"false"``
``int``                       its digits
``float``                     shortest plain decimal; a whole number without ``.0``: ``42.0`` is ``"42"``
``Decimal``                   plain decimal with its places: ``Decimal("1.50")`` is ``"1.50"``
``date``                      ``YYYY-MM-DD``
aware ``datetime``            converted to UTC, ``YYYY-MM-DD HH:MM:SS``
naive ``datetime``            without conversion, ``YYYY-MM-DD HH:MM:SS``
``UUID``                      lower case with hyphens
NumPy scalar                  as the corresponding Python value
``None``, NaN, NaT, pd.NA     null: see ``nulls``
anything else                 rejected: bytes, lists, dicts, infinities
============================  ==========================================================================

Dates have the format in which the API returns ``date_created`` (article 1697226); for custom fields no format is
documented [assumed].
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow_provider_envoke.envoke.messages import shown_name
from airflow_provider_envoke.exceptions import EnvokeDataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import UnionType

_DATE_OUT_OF_RANGE = "dates outside the years 1 to 9999 (in UTC) cannot be sent"
_MAX_DIGITS = 100
_TOO_MANY_DIGITS = f"numbers with more than {_MAX_DIGITS} digits cannot be sent"
_MAX_SHOWN_CHARS = 300
_SINGLE_QUOTE_FIRST = re.compile(r"[^\"']*'")
_PANDAS_NULLS = frozenset({"NAType", "NaTType"})


@dataclass(frozen=True, slots=True)
class UnsendableValue:
    """Stands for a value that cannot be sent, where the value itself could not be kept. ``reason`` says why."""

    reason: str

    def __repr__(self) -> str:
        return self.reason


def as_text(value: object) -> str | None:
    """
    Return the text that is sent for a value, or ``None`` for a null.

    :raises ValueError: if the value cannot be sent; the message says why, without the value.
    """
    if type(value) is str:
        return _valid_text(value)
    plain = _python_value(value)
    if plain is None:
        return None
    for kind, convert in _TEXTS:
        if isinstance(plain, kind):
            return convert(plain)
    if isinstance(plain, UnsendableValue):
        raise ValueError(plain.reason)
    raise ValueError(f"values of type {type(value).__name__} cannot be sent; convert them to text in the query")


def as_integer(value: object) -> int | None:
    """
    Return a value as a whole number, or ``None`` for a null: ``7``, ``"7"``, ``7.0`` and ``Decimal("7")`` are 7.

    :raises ValueError: if the value is not a whole number, or is negative.
    """
    text = as_text(value)
    if text is None:
        return None
    whole, _, places = text.partition(".")
    if not (whole.isascii() and whole.isdigit() and not places.strip("0")) or len(whole) > 20:
        raise ValueError("not a whole number")
    return int(whole)


def as_null(value: object) -> bool:
    """Whether a value is a null in any form: ``None``, NaN, NaT, ``pandas.NA``."""
    try:
        return as_text(value) is None
    except ValueError:
        return False


def read_json_object(text: str) -> Any:
    """
    Parse a JSON text; decimal numbers keep their places. Text that is not JSON is returned unchanged.

    :raises EnvokeDataError: if an object contains a name twice.
    """
    try:
        return json.loads(text, parse_float=Decimal, object_pairs_hook=_unique_members)
    except (ValueError, RecursionError):
        return text


def describe_json_error(text: str) -> str:
    """
    Return where a text that looks like JSON breaks and why, without any of it; ``""`` if it is something else.

    A text whose first quotation mark is a single one is what Python writes, and one that begins with two braces is
    a template that was not rendered.
    """
    start = text.lstrip()[:2]
    if start[:1] not in ("{", "[") or start == "{{" or _SINGLE_QUOTE_FIRST.match(text, 0, _MAX_SHOWN_CHARS):
        return ""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        problem = error.msg.rstrip(": ").removesuffix(" at").removesuffix(" starting")
        return f"line {error.lineno} column {error.colno}: {problem[0].lower()}{problem[1:]}"
    except (ValueError, RecursionError):
        pass  # no place is to blame
    return ""


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        repeated = ", ".join(shown_name(name) for name, count in counts.items() if count > 1)
        raise EnvokeDataError(
            f"The JSON text contains a name more than once ({repeated[:_MAX_SHOWN_CHARS]}); keep one of them."
        )
    return members


def _valid_text(text: str) -> str:
    if "\0" in text:
        raise ValueError("text with a NUL character cannot be sent; remove it in the query")
    if not (text.isascii() or is_unicode(text)):
        raise ValueError("text with a lone surrogate is not valid Unicode; remove it in the query")
    return text


def is_unicode(text: str) -> bool:
    """Whether a text has no lone surrogate, which is half of a character."""
    try:
        text.encode()
    except UnicodeEncodeError:  # its message quotes the text, so it must not be chained
        return False
    return True


def _python_value(value: object) -> object:
    """Convert NumPy scalars, and every form of null to ``None``, without importing NumPy or pandas."""
    if type(value).__module__ == "numpy":
        value = _numpy_value(value)
    if value is None or type(value).__name__ in _PANDAS_NULLS:
        return None
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, Decimal) and value.is_nan():
        return None
    return value


def _numpy_value(value: object) -> object:
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if getattr(value, "ndim", None) != 0 or kind == "":
        return value
    plain: object = value.item()  # type: ignore[attr-defined]
    if kind in "mM" and isinstance(plain, int):
        # .item() returns an int for nanoseconds, and for microseconds outside the years of Python's datetime.
        plain = value.astype(f"{kind}8[us]").item()  # type: ignore[attr-defined]
        if isinstance(plain, int):
            raise ValueError(_DATE_OUT_OF_RANGE)
    return plain


def _integer_text(value: int) -> str:
    if abs(value) >= 10**_MAX_DIGITS:  # Python raises its own error above 4300 digits
        raise ValueError(_TOO_MANY_DIGITS)
    return int.__repr__(value)


def _decimal_text(value: float | Decimal) -> str:
    number = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    if not number.is_finite():
        raise ValueError("infinite numbers cannot be sent; replace them in the query")
    if abs(number.adjusted()) > _MAX_DIGITS:  # 1E+999999 would be a million digits
        raise ValueError(_TOO_MANY_DIGITS)
    if isinstance(value, float) and number == number.to_integral_value():
        return str(int(number))
    return format(number if number else abs(number), "f")


def _datetime_text(value: datetime) -> str:
    if value.utcoffset() is not None:
        try:
            value = value.astimezone(UTC)
        except OverflowError:  # 9999-12-31 23:59:59 west of Greenwich, often used for "no end date"
            raise ValueError(_DATE_OUT_OF_RANGE) from None
    # strftime writes the year 1 as "1".
    return value.replace(tzinfo=None, microsecond=0).isoformat(sep=" ")


# The order matters: bool is an int, and datetime is a date. str.__str__ because str() of an enum is its name.
_TEXTS: tuple[tuple[type | UnionType, Callable[[Any], str]], ...] = (
    (str, lambda value: _valid_text(str.__str__(value))),
    (bool, lambda value: "true" if value else "false"),
    (int, _integer_text),
    (UUID, str),
    (float | Decimal, _decimal_text),
    (datetime, _datetime_text),
    (date, date.isoformat),
)
