"""A whole Airflow, of either line, on free ports of this machine: ``airflow standalone``."""

from __future__ import annotations

import os
import secrets
import sqlite3
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from demo import local_airflow
from demo.processes import DemoError, free_ports, start
from demo.rest import Rest, wait_for

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping

RELEASE = version("apache-airflow")
LINE = int(RELEASE.partition(".")[0])

_PASSWORD_FILE = "standalone_admin_password.txt"  # noqa: S105 - a name of Airflow 2
_START_S = 180.0
_PARSE_S = 60.0
# Files that did not change; with SQLite, Airflow 2.11 starts no task while it reads them.
_PARSE_AGAIN_S = "600"


@dataclass(frozen=True)
class Standalone:
    """
    A running Airflow.

    :param rest: its API, with an administrator logged in.
    :param environment: its processes' environment variables: for more of its commands.
    :param home: its own directory.
    :param password: that of the user ``admin``; empty where nobody is asked for one.
    :param process: ends when Airflow does; its id is that of the session that all of its processes are in.
    """

    rest: Rest
    environment: Mapping[str, str]
    home: Path
    password: str = field(repr=False)
    process: subprocess.Popen[str]

    @classmethod
    @contextmanager
    def started(cls, home: Path, dags: Path, log: Path) -> Iterator[Standalone]:
        """
        Start an Airflow, wait until all of it is at work, and stop it on leaving the context.

        It runs with the environment of this Python. Its working directory is its home, and it imports nothing
        from there: so the provider is what is installed, and not what happens to lie in the current directory.

        :param home: an existing directory, for all of its files.
        :param dags: the folder of the DAGs.
        :param log: file that gets what all of its components print.
        :raises DemoError: if it does not start.
        """
        (home / "tmp").mkdir()
        _let_readers_and_writers_in_together(home / "airflow.db")
        web, *others = free_ports(3)
        values = environment(home, dags, web, others)
        with start(["airflow", "standalone"], values, log, cwd=home) as process:
            rest = Rest(f"http://127.0.0.1:{web}", LINE)
            wait_for("Airflow to start", lambda: _is_healthy(rest, process), _START_S)
            password = (home / _PASSWORD_FILE).read_text(encoding="utf-8") if LINE == 2 else ""
            yield cls(rest.log_in(password), values, home, password, process)

    @property
    def url(self) -> str:
        """The address of its pages."""
        return self.rest.url

    def wait_for_dags(self, dag_ids: list[str]) -> None:
        """
        Wait until the DAGs' files are read.

        :raises DemoError: if one is not; says which files cannot be imported.
        """
        for dag_id in dag_ids:
            try:
                wait_for(f"the DAG {dag_id}", partial(self.rest.dag, dag_id), _PARSE_S)
            except DemoError as error:
                raise DemoError(f"{error} Import errors: {self.rest.import_errors()}") from None


def environment(home: Path, dags: Path, web_port: int, log_ports: list[int]) -> dict[str, str]:
    """
    Return all environment variables of an Airflow whose components are processes.

    :param home: an existing directory, for its files.
    :param dags: the folder of the DAGs. They are paused until somebody unpauses them.
    :param web_port: port of the web server.
    :param log_ports: two more, by which it reads the logs of running tasks and triggers.
    """
    url = f"http://127.0.0.1:{web_port}"
    by_line = {
        2: {
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.providers.fab.auth_manager.api.auth.backend.basic_auth,"
            "airflow.api.auth.backend.session",
            "AIRFLOW__WEBSERVER__BASE_URL": url,
            "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(web_port),
            "AIRFLOW__WEBSERVER__WORKERS": "1",
            "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",  # so soon does a task notice that it is to stop
            "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": _PARSE_AGAIN_S,
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "TMPDIR": str(home / "tmp"),  # its web server leaves a file there
        },
        3: {
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(web_port),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": _PARSE_AGAIN_S,
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        },
    }
    return {
        **local_airflow.without_airflow(dict(os.environ)),
        **local_airflow.environment(home),
        **by_line[LINE],
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(log_ports[0]),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_ports[1]),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # it starts "airflow" by name
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
    }


def _let_readers_and_writers_in_together(database: Path) -> None:
    """SQLite's usual journal has writers wait for readers: on a busy machine longer than Airflow 3 does."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def _is_healthy(rest: Rest, process: subprocess.Popen[str]) -> bool:
    if process.poll() is not None:
        raise DemoError(f"Airflow ended with the exit status {process.returncode} instead of starting.")
    return rest.is_healthy()
