"""What an operator needs of Airflow to be executed by itself."""

from __future__ import annotations

from typing import Any


class TaskInstance:
    """What the operator needs of a task instance."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


class Events(dict[Any, Any]):
    """The events of a task's outlets."""

    def __missing__(self, asset: Any) -> Any:
        self[asset] = type("Event", (), {"extra": {}})()
        return self[asset]


def context() -> dict[str, Any]:
    """A task's context: ``context()["ti"].pushed`` holds what goes to XCom."""
    return {"ti": TaskInstance(), "outlet_events": Events()}
