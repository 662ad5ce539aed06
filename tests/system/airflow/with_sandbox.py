"""What the example DAGs need: a warehouse, a sandbox of Envoke, and an Airflow with connections to both."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support import customers
from tests.support.sandbox_process import SandboxProcess
from tests.system.airflow.standalone import Standalone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class AirflowWithSandbox:
    """
    A running Airflow, and the sandbox that it talks to.

    :param airflow: has the connections ``envoke_default`` and ``warehouse``, and the pool ``envoke``.
    :param sandbox: holds the customers' contacts as of yesterday.
    :param directory: the directory of all files.
    :param log: the output of all processes.
    """

    airflow: Standalone
    sandbox: SandboxProcess
    directory: Path
    log: Path

    @classmethod
    @contextmanager
    def started(
        cls, directory: Path, dags: Path, log: Path, *, port: int | None = None, sandbox_port: int = 0
    ) -> Iterator[AirflowWithSandbox]:
        """
        Start everything, and stop it on exit.

        :param directory: an existing directory for all files.
        :param dags: the DAGs folder.
        :param log: file that the output of all processes is appended to.
        :param port: port of Airflow; by default a free one.
        :param sandbox_port: port of the sandbox; by default a free one.
        :raises SetupError: if something does not start.
        """
        warehouse, home, files = directory / "warehouse.sqlite", directory / "airflow", directory / "envoke"
        for each in (home, files):
            each.mkdir()
        customers.fill_warehouse(warehouse, customers.customers())
        with (
            SandboxProcess.started(customers.contacts(), files, log, port=sandbox_port) as sandbox,
            Standalone.started(home, dags, log, port=port) as airflow,
        ):
            airflow.rest.add_connection("envoke_default", sandbox.connection)
            airflow.rest.add_connection("warehouse", {"conn_type": "sqlite", "host": str(warehouse)})
            airflow.rest.add_pool("envoke", 2)
            yield cls(airflow, sandbox, directory, log)
