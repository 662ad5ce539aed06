"""All that the example DAGs need, running: a warehouse, a stand-in of Envoke, and an Airflow that knows both."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo import customers, local_airflow
from demo.stand_in import StandIn
from demo.standalone import Standalone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path


@dataclass(frozen=True)
class Scene:
    """
    What is running.

    :param airflow: with the connections ``envoke_default`` and ``warehouse``, and the pool ``envoke``.
    :param stand_in: holds what Envoke knew of the customers yesterday.
    :param directory: where all files are.
    :param log: what the processes print.
    """

    airflow: Standalone
    stand_in: StandIn
    directory: Path
    log: Path

    @classmethod
    @contextmanager
    def set_up(cls, directory: Path, dags: Path, log: Path) -> Iterator[Scene]:
        """
        Start everything, and stop it on leaving the context.

        :param directory: an existing one, for all files.
        :param dags: the folder of the DAGs.
        :param log: file that gets what the processes print.
        :raises DemoError: if something does not start.
        """
        warehouse, home = directory / "warehouse.sqlite", directory / "airflow"
        home.mkdir()
        customers.fill_warehouse(warehouse, customers.customers())
        with (
            start_stand_in(directory / "envoke", log) as stand_in,
            Standalone.started(home, dags, log) as airflow,
        ):
            airflow.rest.add_connection("envoke_default", stand_in.connection)
            airflow.rest.add_connection("warehouse", {"conn_type": "sqlite", "host": str(warehouse)})
            airflow.rest.add_pool("envoke", 2)
            yield cls(airflow, stand_in, directory, log)


def start_stand_in(directory: Path, log: Path, *options: str) -> AbstractContextManager[StandIn]:
    """
    Start the sandbox of the provider that is installed, wherever this is called from.

    :param directory: one that does not exist yet.
    :param options: of the sandbox, such as ``"--latency-ms", "50"``.
    """
    directory.mkdir()
    environment = {**local_airflow.without_airflow(dict(os.environ)), "PYTHONSAFEPATH": "1"}
    return StandIn.started(customers.contacts(), directory, log, *options, environment=environment, cwd=directory)
