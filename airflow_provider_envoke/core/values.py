"""
What a warehouse's value becomes: the text that the API takes.

============================  ==========================================================================
a warehouse's value           what is sent
============================  ==========================================================================
``str``                       as it is: ``"007"`` and ``"H2G 1A7"`` stay so
``bool``                      ``"true"`` or ``"false"``
``int``                       its digits
``float``                     shortest plain decimal; a whole number without ``.0``: ``42.0`` is ``"42"``
``Decimal``                   plain decimal, its places kept: ``Decimal("1.50")`` is ``"1.50"``
``date``                      ``YYYY-MM-DD``
aware ``datetime``            converted to UTC, ``YYYY-MM-DD HH:MM:SS``
naive ``datetime``            as it stands, ``YYYY-MM-DD HH:MM:SS``
``UUID``                      lower-case with hyphens
NumPy scalar                  as the Python value that it stands for
``None``, NaN, NaT, pd.NA     null: see ``nulls``
anything else                 refused: bytes, lists, dicts, infinities
============================  ==========================================================================

The form of dates is the one in which the API prints its own ``date_created`` (article 1697226); for custom
fields no form is documented [assumed].
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import UnionType

_OUT_OF_RANGE = "a date outside the years 1 to 9999 (in UTC) cannot be sent"
_MAGNITUDE = "a number of that magnitude cannot be sent"
_MAX_DIGITS = 100
_PANDAS_NULLS = frozenset({"NAType", "NaTType"})


def as_text(value: object) -> str | None:
    """
    Return the text that the API takes for a value, ``None`` for a null.

    :raises ValueError: if the value has no text; the message says why, without the value.
    """
    if type(value) is str:
        return _sound_text(value)
    plain = _python_value(value)
    if plain is None:
        return None
    for kind, convert in _TEXTS:
        if isinstance(plain, kind):
            return convert(plain)
    raise ValueError(f"a value of type {type(value).__name__} cannot be sent as text; convert it in the query")


def as_integer(value: object) -> int | None:
    """
    Return a whole number from what a warehouse calls one: ``7``, ``"7"``, ``7.0``, ``Decimal("7")``.

    :raises ValueError: if it is none.
    """
    text = as_text(value)
    if text is None:
        return None
    whole, _, places = text.partition(".")
    if not (whole.isascii() and whole.isdigit() and not places.strip("0")) or len(whole) > 20:
        raise ValueError("it is not a whole number")
    return int(whole)


def _sound_text(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds a NUL character")
    if not (text.isascii() or _is_unicode(text)):
        raise ValueError("it holds half a character (a lone surrogate), which is not valid Unicode")
    return text


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # it quotes the text, so no error of ours may be raised from it
        return False
    return True


def _python_value(value: object) -> object:
    """Resolve NumPy scalars and the many spellings of null, without importing NumPy or pandas."""
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
        # .item() of nanoseconds is an int; of microseconds too, beyond the years of Python's datetime.
        plain = value.astype(f"{kind}8[us]").item()  # type: ignore[attr-defined]
        if isinstance(plain, int):
            raise ValueError(_OUT_OF_RANGE)
    return plain


def _integer_text(value: int) -> str:
    if abs(value) >= 10**_MAX_DIGITS:  # beyond 4300 digits Python itself refuses, in words about Python
        raise ValueError(_MAGNITUDE)
    return int.__repr__(value)


def _decimal_text(value: float | Decimal) -> str:
    number = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    if not number.is_finite():
        raise ValueError("an infinite number cannot be sent")
    if abs(number.adjusted()) > _MAX_DIGITS:  # 1E+999999 would be a million digits
        raise ValueError(_MAGNITUDE)
    if isinstance(value, float) and number == number.to_integral_value():
        return str(int(number))
    return format(number if number else abs(number), "f")


def _datetime_text(value: datetime) -> str:
    if value.utcoffset() is not None:
        try:
            value = value.astimezone(UTC)
        except OverflowError:  # 9999-12-31 23:59:59 west of Greenwich, a usual "for ever"
            raise ValueError(_OUT_OF_RANGE) from None
    # strftime would write the year 1 as "1".
    return value.replace(tzinfo=None, microsecond=0).isoformat(sep=" ")


# In this order: bool is an int, and datetime is a date. The str() of an enum would be its name.
_TEXTS: tuple[tuple[type | UnionType, Callable[[Any], str]], ...] = (
    (str, lambda value: _sound_text(str.__str__(value))),
    (bool, lambda value: "true" if value else "false"),
    (int, _integer_text),
    (UUID, str),
    (float | Decimal, _decimal_text),
    (datetime, _datetime_text),
    (date, date.isoformat),
)
