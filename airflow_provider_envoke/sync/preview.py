"""The first requests that a run would send, for a person who reads the log."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.messages import masked_value, shown_name

if TYPE_CHECKING:
    from airflow_provider_envoke.envoke.requests import Request

log = logging.getLogger(__name__)


class Preview:
    """
    Keeps the requests of the rows with the lowest numbers: batches overlap, so rows do not arrive in order.

    Its state: the requests that are kept, by the number of their row.

    :param size: how many requests to keep.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._requests: dict[int, Request] = {}

    def wants(self, row: int) -> bool:
        """Return whether a row's request is to be kept, as far as is known yet."""
        return len(self._requests) < self._size or row < max(self._requests, default=0)

    def add(self, row: int, request: Request) -> None:
        """Keep a request, in place of the one with the highest number if there are enough."""
        self._requests[row] = request
        if len(self._requests) > self._size:
            del self._requests[max(self._requests)]

    def log(self, *, unmasked: bool = False) -> None:
        """Log the requests in the order of their rows, one a line."""
        if not self._size:
            return
        if not self._requests:
            log.info("Preview: a run would send no request that changes a contact.")
            return
        if unmasked:
            log.warning("preview_unmasked is on: from here on, this log holds personal data.")
        log.info(
            "Preview: the first requests that a run would send (%d, values %s):\n%s",
            len(self._requests),
            "not masked" if unmasked else "masked",
            "\n".join(
                f"row {row}: {describe_request(request, unmasked=unmasked)}"
                for row, request in sorted(self._requests.items())
            ),
        )


def describe_request(request: Request, *, unmasked: bool = False) -> str:
    """Return method, path with query and JSON body of a write on one line, without host and credentials."""
    body = request.body or {}
    text = json.dumps(body if unmasked else _masked(body), ensure_ascii=False)
    # Escaped as in JSON: line breaks of Unicode, terminal codes, and what cannot be encoded.
    shown = "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)
    return f"{request.method} {request.target} {shown}"


def _masked(members: Any, group: str = "") -> dict[str, Any]:
    """Return the members of a body with masked values; what is empty is shown as it is."""
    masked: dict[str, Any] = {}
    for name, value in members.items():
        shown = shown_name(name)
        if isinstance(value, dict):
            masked[shown] = _masked(value, f"{name}.")
        else:
            masked[shown] = value if value in (None, "") else masked_value(f"{group}{name}", value)
    return masked
