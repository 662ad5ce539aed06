"""Limits on rows: counts or shares, and what exceeds them; and how many requests a preview shows."""

from __future__ import annotations

import math
from contextlib import suppress

from airflow_provider_envoke.envoke.messages import quoted
from airflow_provider_envoke.exceptions import EnvokeConfigError

MAX_PREVIEW = 100

_MAX_COUNT = 10**18  # above any table; it can still be divided and printed


def read_limit(name: str, limit: object) -> float:
    """
    Return a limit on rows as a number: a whole count from 0, or a share above 0 and below 1.

    1.0 is neither, and 2.0 is refused with it: a template that divides would be a count on some days only.

    :param limit: the number, or its text, as a template renders it.
    :raises EnvokeConfigError: if it is neither.
    """
    number = _as_number(limit)
    if 0 < number < 1 or (isinstance(number, int) and 0 <= number <= _MAX_COUNT):
        return number
    raise EnvokeConfigError(
        f"{name} must be a count without a decimal point (1 is one row) or a share below 1 (0.01 is one row in a "
        f"hundred), not {quoted(limit)}."
    )


def exceeds(count: int, limit: float, rows: int) -> bool:
    """Return whether a count of rows is above a limit, as :func:`read_limit` returns it."""
    if not 0 < limit < 1:
        return count > limit
    # Divided, not multiplied: 29 / 100 is 0.29, but 0.29 * 100 is slightly below 29.
    return rows > 0 and count / rows > limit


def allowed_count(limit: float, rows: int) -> int:
    """Return how many of the rows a limit allows, as :func:`exceeds` counts them."""
    if not 0 < limit < 1:
        return int(limit)
    count = int(limit * rows) + 1
    return count - 1 if exceeds(count, limit, rows) else count


def _as_number(limit: object) -> float:
    """Return a number: an int if it is written without a decimal point, or zero; not a number if it is none."""
    if isinstance(limit, bool) or not isinstance(limit, int | float | str):
        return math.nan
    if isinstance(limit, str):
        with suppress(ValueError):
            return int(limit)
    try:
        return limit if isinstance(limit, int) else float(limit) or 0
    except ValueError:
        return math.nan


def check_preview(preview: object, unmasked: object) -> None:
    """
    Check the options of a preview.

    :raises EnvokeConfigError: if one is invalid. A text such as "False" must not unmask anything.
    """
    if not (type(preview) is int and 0 <= preview <= MAX_PREVIEW):
        raise EnvokeConfigError(f"preview must be a whole number from 0 to {MAX_PREVIEW}.")
    if not isinstance(unmasked, bool):
        raise EnvokeConfigError("preview_unmasked must be True or False.")
