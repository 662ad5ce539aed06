"""When a request is sent again, and after how long."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_envoke.core import retry
from airflow_provider_envoke.exceptions import (
    EnvokeAPIError,
    EnvokeAuthError,
    EnvokeConfigError,
    EnvokeDataError,
    EnvokeNotFoundError,
    EnvokeRejectedError,
    EnvokeSyncError,
    EnvokeTransientError,
)


def transient(**about: Any) -> EnvokeTransientError:
    return EnvokeTransientError("", **about)


@pytest.mark.parametrize(
    ("error", "idempotent", "authenticated", "expected"),
    [
        pytest.param(transient(status=503), True, False, True, id="503"),
        pytest.param(transient(status=503), False, True, False, id="503 of a create, which may have been created"),
        pytest.param(transient(may_have_arrived=False), False, False, True, id="429 of a create"),
        pytest.param(transient(may_have_arrived=False), True, False, True, id="429"),
        pytest.param(transient(retry_after=300.0), True, False, True, id="asked to wait 300 s"),
        pytest.param(transient(retry_after=300.1), True, False, False, id="asked to wait too long"),
        pytest.param(
            transient(retry_after=301.0, may_have_arrived=False), False, False, False, id="a create, too long"
        ),
        pytest.param(transient(retry_after=0.0), True, False, True, id="asked not to wait"),
        pytest.param(EnvokeAuthError("", status=401), True, True, True, id="401 of good credentials"),
        pytest.param(EnvokeAuthError("", status=401), False, True, True, id="401 of a create"),
        pytest.param(EnvokeAuthError("", status=401), True, False, False, id="401 of new credentials"),
        pytest.param(EnvokeAuthError("", status=403), True, True, False, id="403"),
        pytest.param(EnvokeRejectedError("503 timeout, try again", status=400), True, True, False, id="refused"),
        pytest.param(EnvokeNotFoundError("", status=400), True, True, False, id="not found"),
        pytest.param(EnvokeAPIError("", status=503), True, True, False, id="the bare class"),
        pytest.param(EnvokeConfigError(""), True, True, False, id="configuration"),
        pytest.param(EnvokeDataError(""), True, True, False, id="data"),
        pytest.param(EnvokeSyncError(""), True, True, False, id="run"),
        pytest.param(TimeoutError(), True, True, False, id="somebody else's error"),
        pytest.param(KeyboardInterrupt(), True, True, False, id="interrupt"),
    ],
)
def test_the_class_of_the_failure_decides(
    error: BaseException, idempotent: bool, authenticated: bool, expected: bool
) -> None:
    assert retry.should_retry(error, idempotent=idempotent, authenticated=authenticated) is expected


@pytest.mark.parametrize(
    ("attempt", "longest"), [(1, 0.5), (2, 1.0), (3, 2.0), (7, 32.0), (8, 60.0), (9, 60.0), (500, 60.0)]
)
def test_the_back_off_doubles_up_to_a_minute(
    attempt: int, longest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        retry.random, "uniform", lambda low, high: high if low == 0 else pytest.fail("no full jitter")
    )

    assert retry.wait_s(None, attempt) == longest
    assert retry.wait_s(transient(), attempt) == longest
    assert retry.wait_s(EnvokeAuthError(""), attempt) == longest


@pytest.mark.parametrize("asked", [0.0, 1.5, 300.0])
def test_the_wait_is_never_shorter_than_the_service_asked(asked: float) -> None:
    waits = [retry.wait_s(transient(retry_after=asked), attempt) for attempt in range(1, 21)]

    assert all(asked <= wait <= asked + 6 for wait in waits)


def test_the_back_off_differs_between_many_clients() -> None:
    assert len({retry.wait_s(None, 5) for _ in range(100)}) > 90
