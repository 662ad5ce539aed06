"""A task context with which an operator can be executed without Airflow."""

from __future__ import annotations

from typing import Any


class TaskInstance:
    """A task instance that keeps what is pushed to XCom."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


class OutletEvents(dict[Any, Any]):
    """The events of a task's outlets, created on first access."""

    def __missing__(self, asset: Any) -> Any:
        self[asset] = type("Event", (), {"extra": {}})()
        return self[asset]


def context() -> dict[str, Any]:
    """Return a task context; ``context()["ti"].pushed`` holds what is pushed to XCom."""
    return {"ti": TaskInstance(), "outlet_events": OutletEvents()}
