"""
What an answer of the service means: a value, or which error.

Answers come as JSON envelopes, ``{"success": …, "result_text": …, "result_data": …}``, for writes, and as bare
JSON for reads; some endpoints print warnings before the JSON, and proxies answer in HTML. HTTP 200 alone is
never trusted.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_envoke.core.masking import mask_emails, quoted
from airflow_provider_envoke.exceptions import (
    EnvokeAPIError,
    EnvokeAuthError,
    EnvokeNotFoundError,
    EnvokeRejectedError,
    EnvokeTransientError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_envoke.core.protocol import Request

#: Bytes of an answer that are read; a page of 100 contacts with long notes is a few megabytes.
MAX_ANSWER_BYTES = 32 * 1024 * 1024

_MAX_MESSAGES = 50
_MAX_MESSAGE_CHARS = 500

# "Item with id '999999' not found" (article 15147533) is a 400 like any refusal: only its words tell.
_NOT_FOUND = re.compile(r"Item with (?:id|email|remote_id) '.*' not found\.?", re.IGNORECASE | re.DOTALL)

# Where JSON may begin behind printed warnings: on a line of its own, or behind a tag.
_JSON_START = re.compile(rb"(?:^|(?<=[>\n]))[ \t]*(?=[{\[])")
_MAX_JSON_STARTS = 100

_REFUSED_BEFORE_APPLIED = frozenset({408, 425, 429})
_UNREADABLE = object()


def read_answer(request: Request, status: int, headers: Mapping[str, str], content: bytes) -> Any:
    """
    Return what the service answered.

    :param request: what was asked.
    :param status: HTTP status.
    :param headers: response headers, found without regard to case.
    :param content: the body, decoded from gzip and the like.
    :raises EnvokeAuthError: on 401 and 403.
    :raises EnvokeNotFoundError: if no contact has the key.
    :raises EnvokeRejectedError: on any other refusal, and on redirects, which are never followed.
    :raises EnvokeTransientError: on 408, 425, 429, 5xx, and on an answer that was cut off or cannot be read.
    """
    if 300 <= status < 400:
        raise _redirected(request, status, headers.get("Location", ""))
    data = _decode(content)
    if _is_success(request, status, data):
        return data
    raise _error(request, status, headers, content, data)


def _is_success(request: Request, status: int, data: Any) -> bool:
    if not 200 <= status < 300:
        return False
    if request.expects == "list":
        return isinstance(data, list) and all(isinstance(item, dict) for item in data)
    if not isinstance(data, dict) or not data:
        return False
    return data.get("success", request.expects == "object") is True


def _decode(content: bytes) -> Any:
    """Parse the JSON, also behind warnings; ``_UNREADABLE`` if there is none or it was cut off."""
    text = content.removeprefix(b"\xef\xbb\xbf").strip()
    if text[:1] in (b"{", b"["):
        return _loads(text)
    for count, start in enumerate(_JSON_START.finditer(text)):
        if count == _MAX_JSON_STARTS:
            break
        data = _loads(text[start.end() :])
        if data is not _UNREADABLE:
            return data
    return _UNREADABLE


def _loads(text: bytes) -> Any:
    try:
        return json.loads(text.decode())
    except (ValueError, RecursionError):
        return _UNREADABLE


def _error(request: Request, status: int, headers: Mapping[str, str], content: bytes, data: Any) -> EnvokeAPIError:
    messages = _messages(data)
    what = f"{request.method} {request.path_template}"
    said = f": {'; '.join(messages)}" if messages else f" ({_looks(content, data)})"
    about: dict[str, Any] = {
        "status": status,
        "method": request.method,
        "path": request.path_template,
        "messages": messages,
    }
    if status in (401, 403):
        return EnvokeAuthError(
            f"Envoke refused the credentials of {what} with HTTP {status}{said}. Check the connection's login "
            "(API ID) and password (API key).",
            **about,
        )
    if status >= 500 or status in _REFUSED_BEFORE_APPLIED:
        return EnvokeTransientError(
            f"Envoke could not answer {what}: HTTP {status}{said}. It may pass; run the task again.",
            retry_after=_retry_after(headers.get("Retry-After")),
            may_have_arrived=status >= 500,
            **about,
        )
    if len(messages) == 1 and _NOT_FOUND.fullmatch(messages[0]):
        return EnvokeNotFoundError(f"Envoke has no such contact; {what} answered HTTP {status}{said}.", **about)
    if (status >= 300 and not _is_cut_off(content, data)) or (
        isinstance(data, dict) and data.get("success") is False
    ):
        return EnvokeRejectedError(f"Envoke refused {what} with HTTP {status}{said}.", **about)
    return EnvokeTransientError(
        f"Envoke's answer to {what} cannot be read: HTTP {status}{said}. Whether the request was carried "
        "out is not known; run the task again.",
        **about,
    )


def _is_cut_off(content: bytes, data: Any) -> bool:
    """Whether JSON began and cannot be read: a refusal that may have said anything, even "not found"."""
    return data is _UNREADABLE and content.lstrip()[:1] in (b"{", b"[")


def _looks(content: bytes, data: Any) -> str:
    """Describe an answer that holds no message, without quoting it: it may hold personal data."""
    start = content.lstrip()[:200].lower()
    if not start:
        return "an empty answer"
    if data is not _UNREADABLE:
        return "JSON without a message"
    if start.startswith((b"<!doctype", b"<html")):
        return "an HTML page: a proxy or another server answered"
    if _is_cut_off(content, data):
        return f"JSON that is cut off or broken, {len(content)} bytes"
    return f"not JSON, {len(content)} bytes"


def _messages(data: Any) -> tuple[str, ...]:
    """Return all messages of a failure: ``result_data.errors``, or else ``result_text``."""
    if not isinstance(data, dict):
        return ()
    result = data.get("result_data")
    errors = result.get("errors") if isinstance(result, dict) else None
    if isinstance(errors, dict):
        errors = list(errors.values())
    elif isinstance(errors, str):
        errors = [errors]
    texts = errors if isinstance(errors, list) and errors else [data.get("result_text")]
    shown = [_clean(text) for text in texts[:_MAX_MESSAGES] if text not in (None, "", [])]
    if len(texts) > _MAX_MESSAGES:
        shown.append(f"and {len(texts) - _MAX_MESSAGES} more")
    return tuple(shown)


def _clean(message: object) -> str:
    """Make a message fit for a log: one line, not endless, e-mail addresses masked."""
    text = message if isinstance(message, str) else json.dumps(message)
    line = "".join(char if char.isprintable() else " " for char in text[: 20 * _MAX_MESSAGE_CHARS])
    masked = mask_emails(line)
    return masked if len(masked) <= _MAX_MESSAGE_CHARS else masked[:_MAX_MESSAGE_CHARS] + "…"


def _retry_after(value: str | None) -> float | None:
    """Read ``Retry-After`` in both forms, seconds and date; ``None`` if it says nothing that can be used."""
    if not value:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _redirected(request: Request, status: int, location: str) -> EnvokeRejectedError:
    try:
        host = urlsplit(location).hostname or "the same host"
    except ValueError:
        host = "an invalid address"
    return EnvokeRejectedError(
        f"{request.method} {request.path_template} was redirected to {quoted(host)} with HTTP {status}. Redirects "
        "are never followed, because they would carry the credentials along: put the right host into the "
        "connection.",
        status=status,
        method=request.method,
        path=request.path_template,
    )
