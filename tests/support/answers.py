"""Requests, and answers as the service could give them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from airflow_provider_envoke.envoke.answers import read_answer
from airflow_provider_envoke.envoke.requests import Request, account, find_contacts, update_contact
from airflow_provider_envoke.exceptions import EnvokeAPIError

UPDATE = update_contact({"city": "marker"}, contact_id=4711)
FIND = find_contacts({"email": "marker@doe.com"})
ACCOUNT = account()

UPDATED = {"success": True, "result_text": "Updated", "result_data": {"id": "7"}}
CONTACTS = [{"id": 7}, {"id": 8}]
VALIDATION_FAILED = "Validation failed, see 'result_data' -> 'errors'"


def refused(errors: object) -> dict[str, Any]:
    """Return the body of a refusal with these errors."""
    return {"success": False, "result_text": VALIDATION_FAILED, "result_data": {"errors": errors}}


def read(request: Request, status: int, body: object, headers: dict[str, str] | None = None) -> Any:
    """Read an answer; a body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_answer(request, status, CaseInsensitiveDict(headers or {}), content)


def failure(request: Request, status: int, body: object, headers: dict[str, str] | None = None) -> EnvokeAPIError:
    """Return the error of an answer, after checking that it names the request and leaks no value."""
    with pytest.raises(EnvokeAPIError) as caught:
        read(request, status, body, headers)
    error = caught.value
    assert (error.status, error.method, error.path) == (status, request.method, request.path_template)
    assert f"HTTP {status} on {request.method} {request.path_template}" in str(error)
    assert "4711" not in str(error)
    assert "marker" not in str(error)
    return error
