"""Requests that this provider has no method for: any path of the API, checked so that it stays on the API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast, get_args

from airflow_provider_envoke.envoke.messages import check_choice, quoted
from airflow_provider_envoke.envoke.requests import MAX_URL_BYTES, Method, Request
from airflow_provider_envoke.envoke.values import as_text
from airflow_provider_envoke.exceptions import EnvokeConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

# A version and plain segments. Without "%", "?", "#", ":", "@", "\\", empty segments and segments that begin with
# a dot, nothing can leave the API, change the host or hide in the query.
_PATH = re.compile(r"/v[0-9]{1,3}(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+")
_PARAM = re.compile(r"[A-Za-z0-9_.$()\[\]-]{1,200}")


def custom_request(
    method: str,
    path: object,
    *,
    params: object = None,
    body: object = None,
) -> Request:
    """
    Build a request of any endpoint. A POST is not sent again once it may have arrived.

    :param method: ``GET``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``.
    :param path: such as ``/v2/tags/7/contacts``: a version, and segments of letters, digits, ``_``, ``.``, ``-``.
    :param params: query parameter -> text, whole number, or a list of them, which is sent as PHP reads it:
        ``{"message_id": [1, 2]}`` as ``message_id[]=1&message_id[]=2``.
    :param body: what is sent as JSON: a dict or a list.
    :raises EnvokeConfigError: if an argument is invalid.
    """
    check_choice("method", method, get_args(Method))
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise EnvokeConfigError(
            "path must be like '/v2/tags/7/contacts', a version and segments of letters, digits, _, . and -, "
            f"not {quoted(path)}. Pass query parameters as params."
        )
    if params is not None and not isinstance(params, Mapping):
        raise EnvokeConfigError(f"params must be a dict, name -> value, not {type(params).__name__}.")
    if body is not None and (method == "GET" or not isinstance(body, dict | list)):
        needed = "left out with GET" if method == "GET" else f"a dict or a list, not {type(body).__name__}"
        raise EnvokeConfigError(f"body must be {needed}.")
    request = Request(
        cast("Method", method),
        path,
        _template(path),
        params=tuple(_query(params or {})),
        body=body,
        expects="any",
        idempotent=method != "POST",
    )
    if len(request.target) > MAX_URL_BYTES:
        raise EnvokeConfigError(
            f"The request needs a URL of {len(request.target)} bytes, but the limit is {MAX_URL_BYTES}. Use fewer "
            "or shorter params."
        )
    return request


def _template(path: str) -> str:
    """Return the path for messages: a segment with a digit may be somebody's id, and becomes ``{id}``."""
    version, *segments = path[1:].split("/")
    return "/".join(["", version, *("{id}" if re.search("[0-9]", each) else each for each in segments)])


def _query(params: Mapping[object, object]) -> Iterator[tuple[str, str]]:
    for name, value in params.items():
        if not isinstance(name, str) or not _PARAM.fullmatch(name):
            raise EnvokeConfigError(
                f"{quoted(name)} is not a valid name of a parameter. Use ASCII letters, digits and _.$()[]-."
            )
        values = value if isinstance(value, list | tuple) else (value,)
        is_list = values is value
        if not values:
            raise EnvokeConfigError(
                f"The parameter {quoted(name)} is an empty list. Leave it out, or add a value."
            )
        written = f"{name}[]" if is_list and not name.endswith("[]") else name
        for each in values:
            yield written, _text(name, each)


def _text(name: object, value: object) -> str:
    problem = f"must be text or a whole number, not {type(value).__name__}"
    if isinstance(value, str | int) and not isinstance(value, bool):
        try:
            return as_text(value) or ""
        except ValueError as error:
            problem = str(error)
    raise EnvokeConfigError(f"The value of the parameter {quoted(name)} is invalid: {problem}.")
