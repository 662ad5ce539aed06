"""
Reads the answers of the service: returns their data or raises the matching exception.

Writes return a JSON envelope, ``{"success": …, "result_text": …, "result_data": …}``; reads return plain JSON.
Some endpoints print warnings before the JSON, and proxies answer in HTML, so HTTP 200 alone is not a success.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_envoke.envoke.messages import mask_emails, quoted
from airflow_provider_envoke.exceptions import (
    EnvokeAPIError,
    EnvokeAuthError,
    EnvokeNotFoundError,
    EnvokeRejectedError,
    EnvokeTransientError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_envoke.envoke.requests import Request

#: Maximum size of an answer in bytes; a page of 100 contacts with long notes has a few megabytes.
MAX_ANSWER_BYTES = 32 * 1024 * 1024

_MAX_MESSAGES = 50
_MAX_MESSAGE_CHARS = 500

# "Item with id '999999' not found" (article 15147533) is a 400 like other errors; only the text differs.
_NOT_FOUND = re.compile(r"Item with (?:id|email|remote_id) '.*' not found\.?", re.IGNORECASE | re.DOTALL)

# Where JSON may begin after printed warnings: at the start of a line, or after a tag.
_JSON_START = re.compile(rb"(?:^|(?<=[>\n]))[ \t]*(?=[{\[])")
_MAX_JSON_STARTS = 100

_NOT_APPLIED_STATUSES = frozenset({408, 425, 429})
_UNREADABLE = object()


def read_answer(request: Request, status: int, headers: Mapping[str, str], content: bytes) -> Any:
    """
    Return the data of an answer, whose body is already decompressed.

    :raises EnvokeAuthError: on 401 and 403.
    :raises EnvokeNotFoundError: if no contact has this key.
    :raises EnvokeRejectedError: on any other refusal, and on redirects, which are not followed.
    :raises EnvokeTransientError: on 408, 425, 429, 5xx, and on an incomplete or unreadable answer.
    """
    if 300 <= status < 400:
        raise _redirect_error(request, status, headers.get("Location", ""))
    if request.expects == "any" and 200 <= status < 300 and not content.strip():
        return None
    data = _decode(content, any_value=request.expects == "any")
    if _is_success(request, status, data):
        return data
    raise _error(request, status, headers, content, data)


def _is_success(request: Request, status: int, data: Any) -> bool:
    if not 200 <= status < 300:
        return False
    if request.expects == "any":
        return data is not _UNREADABLE and (not isinstance(data, dict) or data.get("success", True) is True)
    if request.expects == "list":
        return isinstance(data, list) and all(isinstance(item, dict) for item in data)
    if not isinstance(data, dict) or not data:
        return False
    return data.get("success", request.expects == "object") is True


def _decode(content: bytes, *, any_value: bool = False) -> Any:
    """
    Parse the JSON, also after printed warnings; ``_UNREADABLE`` if it is missing or incomplete.

    :param any_value: whether a text or a number alone is JSON too.
    """
    text = content.removeprefix(b"\xef\xbb\xbf").strip()
    if text[:1] in (b"{", b"["):
        return _parse_json(text)
    for count, start in enumerate(_JSON_START.finditer(text)):
        if count == _MAX_JSON_STARTS:
            break
        data = _parse_json(text[start.end() :])
        if data is not _UNREADABLE:
            return data
    return _parse_json(text) if any_value else _UNREADABLE


def _parse_json(text: bytes) -> Any:
    try:
        return json.loads(text.decode())
    except (ValueError, RecursionError):
        return _UNREADABLE


def _error(request: Request, status: int, headers: Mapping[str, str], content: bytes, data: Any) -> EnvokeAPIError:
    messages = _messages(data)
    call = f"HTTP {status} on {request.method} {request.path_template}"
    said = "; ".join(message.rstrip(".") for message in messages)
    detail = f"({call}): {said}" if messages else f"({call}, {_describe_body(content, data)})"
    attributes: dict[str, Any] = {
        "status": status,
        "method": request.method,
        "path": request.path_template,
        "messages": messages,
    }
    if status in (401, 403):
        return EnvokeAuthError(
            f"Envoke rejected the credentials {detail}. Check the connection's login (API ID) and password "
            "(API key).",
            **attributes,
        )
    if status >= 500 or status in _NOT_APPLIED_STATUSES:
        return EnvokeTransientError(
            f"Envoke could not process the request {detail}. This may be temporary. Retry the task.",
            retry_after=_retry_after(headers.get("Retry-After")),
            may_have_arrived=status >= 500,
            **attributes,
        )
    if len(messages) == 1 and _NOT_FOUND.fullmatch(messages[0]):
        return EnvokeNotFoundError(
            f"{_subject(request)} does not exist in Envoke {detail}. Correct its key, or create it.", **attributes
        )
    if (status >= 300 and not _is_incomplete(content, data)) or (
        isinstance(data, dict) and data.get("success") is False
    ):
        hint = " Check the connection's host." if data is _UNREADABLE else ""
        return EnvokeRejectedError(f"Envoke rejected the request {detail}.{hint}", **attributes)
    return EnvokeTransientError(
        f"Envoke's answer cannot be read {detail}. It is not known whether the request was carried out. "
        "Retry the task.",
        cause="unreadable answer",
        **attributes,
    )


def _subject(request: Request) -> str:
    is_contact = request.path_template.startswith("/v1/contacts")
    return "The contact" if is_contact else f"The object of {request.path_template}"


def _is_incomplete(content: bytes, data: Any) -> bool:
    """Whether the answer is incomplete JSON: the missing part may have been a "not found"."""
    return data is _UNREADABLE and content.lstrip()[:1] in (b"{", b"[")


def _describe_body(content: bytes, data: Any) -> str:
    """Describe an answer without a message. It is not quoted, because it may contain personal data."""
    start = content.lstrip()[:200].lower()
    if not start:
        return "empty answer"
    if data is not _UNREADABLE:
        return "JSON without a message"
    if start.startswith((b"<!doctype", b"<html")):
        return "an HTML page, probably from a proxy or another server"
    if _is_incomplete(content, data):
        return f"incomplete or invalid JSON, {len(content)} bytes"
    return f"not JSON, {len(content)} bytes"


def _messages(data: Any) -> tuple[str, ...]:
    """Return all messages of a failure: ``result_data.errors``, otherwise ``result_text``."""
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
    """Prepare a message for a log: one line, limited length, email addresses masked."""
    text = message if isinstance(message, str) else json.dumps(message)
    line = "".join(char if char.isprintable() else " " for char in text[: 20 * _MAX_MESSAGE_CHARS])
    masked = mask_emails(line)
    return masked if len(masked) <= _MAX_MESSAGE_CHARS else masked[:_MAX_MESSAGE_CHARS] + "…"


def _retry_after(value: str | None) -> float | None:
    """Return the seconds of ``Retry-After``, given as seconds or as a date; ``None`` if missing or invalid."""
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


def _redirect_error(request: Request, status: int, location: str) -> EnvokeRejectedError:
    try:
        host = urlsplit(location).hostname
        target = quoted(host) if host else "the same host"
    except ValueError:
        target = "an invalid address"
    return EnvokeRejectedError(
        f"Envoke redirected the request to {target} (HTTP {status} on {request.method} "
        f"{request.path_template}). Redirects are not followed, because they would forward the credentials. "
        "Correct the connection's host.",
        status=status,
        method=request.method,
        path=request.path_template,
    )
