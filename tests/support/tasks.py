"""A task context with which an operator can be executed without Airflow."""

from __future__ import annotations

from typing import Any


class TaskInstance:
    """The first try of a task that is not mapped, unless told otherwise; it keeps what is pushed to XCom."""

    def __init__(self, **attributes: Any) -> None:
        self.dag_id, self.task_id, self.run_id = "dag", "task", "manual__2026-01-01"
        self.map_index, self.try_number = -1, 1
        vars(self).update(attributes)
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


class OutletEvents(dict[Any, Any]):
    """The events of a task's outlets, created on first access."""

    def __missing__(self, asset: Any) -> Any:
        self[asset] = type("Event", (), {"extra": {}})()
        return self[asset]


def context(**attributes: Any) -> dict[str, Any]:
    """
    Return a task context; ``context()["ti"].pushed`` holds what is pushed to XCom.

    :param attributes: of the task instance, such as ``try_number``.
    """
    return {"ti": TaskInstance(**attributes), "outlet_events": OutletEvents()}


def whole_error(ended: BaseException) -> BaseException:
    """Return the exception with the whole message, which a task ends with a short sentence instead."""
    return ended if ended.__context__ is None else ended.__context__
