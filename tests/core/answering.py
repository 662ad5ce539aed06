"""Answers as the service could give them, for the tests of core.answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_envoke.core.answers import read_answer
from airflow_provider_envoke.core.protocol import Request, account, find_contacts, update_contact
from airflow_provider_envoke.exceptions import EnvokeAPIError

UPDATE = update_contact({"city": "marker"}, contact_id=4711)
FIND = find_contacts({"email": "marker@doe.com"})
ACCOUNT = account()

UPDATED = {"success": True, "result_text": "Updated", "result_data": {"id": "7"}}
CONTACTS = [{"id": 7}, {"id": 8}]
REFUSAL = "Validation failed, see 'result_data' -> 'errors'"


def read(request: Request, status: int, body: object, headers: dict[str, str] | None = None) -> Any:
    from requests.structures import CaseInsensitiveDict

    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_answer(request, status, CaseInsensitiveDict(headers or {}), content)


def failure(request: Request, status: int, body: object, headers: dict[str, str] | None = None) -> EnvokeAPIError:
    with pytest.raises(EnvokeAPIError) as caught:
        read(request, status, body, headers)
    assert caught.value.status == status
    assert "4711" not in str(caught.value)
    assert "marker" not in str(caught.value)
    return caught.value


def refused(errors: object) -> dict[str, Any]:
    return {"success": False, "result_text": REFUSAL, "result_data": {"errors": errors}}
