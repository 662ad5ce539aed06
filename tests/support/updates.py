"""Runs of EnvokeUpdateContactOperator, alone or as the task ``update`` of a DAG."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_envoke.operators.envoke import EnvokeUpdateContactOperator
from tests.support import airflow
from tests.support.tasks import context

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

_numbers = itertools.count()


def update(**arguments: Any) -> Any:
    """Execute the operator without a DAG, which takes no time, and return its result."""
    return EnvokeUpdateContactOperator(task_id="update", **arguments).execute(context())


@dataclass(frozen=True)
class Outcome:
    """A run, and the exceptions of the instances of the task ``update`` that failed."""

    run: DagRun
    errors: list[BaseException]

    @property
    def states(self) -> list[str]:
        """The states of its instances, in order."""
        return [str(instance.state) for instance in self._instances]

    @property
    def error(self) -> BaseException:
        """The only exception."""
        (error,) = self.errors
        return error

    def result(self, map_index: int = -1) -> Any:
        """Return what an instance left in XCom."""
        return self._instances[0].xcom_pull(task_ids="update", map_indexes=map_index)

    @property
    def _instances(self) -> list[Any]:
        instances = [instance for instance in self.run.get_task_instances() if instance.task_id == "update"]
        return sorted(instances, key=lambda instance: instance.map_index)


def update_in_dag(
    *,
    payload: Any = None,
    expand: Any = None,
    rows: Any = None,
    run_conf: dict[str, Any] | None = None,
    native: bool = False,
    **arguments: Any,
) -> Outcome:
    """
    Run a DAG of two tasks: ``rows``, and after it the operator as ``update``.

    :param payload: the operator's payload, or a function of the ``XComArg`` of ``rows``.
    :param expand: what the operator is mapped over instead, or a function of that ``XComArg``.
    :param native: whether templates render to Python objects.
    """
    errors: list[BaseException] = []
    arguments["on_failure_callback"] = lambda context: errors.append(context["exception"])
    with DAG(f"envoke_test_{next(_numbers)}", schedule=None, render_template_as_native_obj=native) as dag:

        @task(task_id="rows", multiple_outputs=False)
        def upstream() -> Any:
            return rows

        source = upstream()
        if expand is None:
            arguments["payload"] = payload(source) if callable(payload) else payload
            operator = EnvokeUpdateContactOperator(task_id="update", **arguments)
        else:
            partial = EnvokeUpdateContactOperator.partial(task_id="update", **arguments)
            operator = partial.expand(payload=expand(source) if callable(expand) else expand)
        source >> operator
    return Outcome(airflow.run_dag(dag, run_conf=run_conf), errors)
