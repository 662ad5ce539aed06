"""Times as the sandbox writes them. UTC is assumed for the API's dates, and used on the page too."""

from __future__ import annotations

import time

_FORMAT = "%Y-%m-%d %H:%M:%S"


def format_time(seconds: float) -> str:
    """Return a Unix time as the API writes ``date_created`` (article 1697226)."""
    return time.strftime(_FORMAT, time.gmtime(seconds))


def show_time(seconds: float, now: float) -> str:
    """Return a Unix time as HTML; the date is left out if it is today's."""
    date, clock = format_time(seconds).split()
    text = clock if date == format_time(now).split()[0] else f"{date} {clock}"
    return f'<time datetime="{date}T{clock}Z">{text}</time>'
