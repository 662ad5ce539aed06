"""``airflow standalone``, of Airflow 2 or 3, on free ports of this machine."""

from __future__ import annotations

import os
import secrets
import shlex
import sqlite3
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import airflow
from tests.support.processes import SetupError, free_ports, start, wait_for
from tests.system.airflow.rest import Rest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping

RELEASE = version("apache-airflow")
LINE = int(RELEASE.partition(".")[0])

_PASSWORD_FILE = "standalone_admin_password.txt"  # as Airflow 2 names it
_START_S = 180.0
_PARSE_S = 60.0
# Unchanged files are not read again during a test: with SQLite, Airflow 2.11 starts no task while it reads them.
_MIN_PARSE_INTERVAL_S = "600"


@dataclass(frozen=True)
class Standalone:
    """
    A running Airflow.

    :param rest: its API, logged in as administrator.
    :param environment: the environment variables of its processes, for further ``airflow`` commands.
    :param home: its home directory.
    :param password: the password of the user ``admin``; empty if there is no login.
    :param process: ends when Airflow ends; its id is the session id of all processes.
    """

    rest: Rest
    environment: Mapping[str, str]
    home: Path
    password: str = field(repr=False)
    process: subprocess.Popen[str]

    @classmethod
    @contextmanager
    def started(cls, home: Path, dags: Path, log: Path, *, port: int | None = None) -> Iterator[Standalone]:
        """
        Start Airflow, wait until all components are running, and stop it on exit.

        It listens on 127.0.0.1 only. It runs with the packages of this Python, and imports nothing from its
        working directory: the provider is the installed one, whatever the current directory is.

        :param home: an existing directory for all of its files.
        :param dags: the DAGs folder.
        :param log: file that the output of all components is appended to.
        :param port: port of the web server; by default a free one.
        :raises SetupError: if it does not start.
        """
        (home / "tmp").mkdir()
        _use_write_ahead_log(home / "airflow.db")
        web, *others = free_ports(3)
        web = port or web
        values = environment(home, dags, web, others)
        values["PATH"] = f"{_without_log_servers(home / 'bin')}{os.pathsep}{values['PATH']}"
        with start(["airflow", "standalone"], values, log, cwd=home) as process:
            rest = Rest(f"http://127.0.0.1:{web}", LINE)
            wait_for("Airflow to start", lambda: _is_healthy(rest, process), _START_S)
            password = (home / _PASSWORD_FILE).read_text(encoding="utf-8") if LINE == 2 else ""
            yield cls(rest.log_in(password), values, home, password, process)

    @property
    def url(self) -> str:
        """The URL of its UI."""
        return self.rest.url

    def wait_for_dags(self, dag_ids: list[str]) -> None:
        """
        Wait until Airflow has read these DAGs.

        :raises SetupError: if it does not; the message holds the import errors.
        """
        for dag_id in dag_ids:
            try:
                wait_for(f"the DAG {dag_id}", partial(self.rest.dag, dag_id), _PARSE_S)
            except SetupError as error:
                raise SetupError(f"{error} Import errors: {self.rest.import_errors()}") from None


def environment(home: Path, dags: Path, web_port: int, log_ports: list[int]) -> dict[str, str]:
    """
    Return the environment variables of an Airflow whose components are processes.

    :param home: an existing directory for its files.
    :param dags: the DAGs folder. All DAGs are paused at first.
    :param web_port: port of the web server.
    :param log_ports: two ports for the logs of running tasks and triggers.
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
            "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",  # how soon a task notices that it has to stop
            "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": _MIN_PARSE_INTERVAL_S,
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "TMPDIR": str(home / "tmp"),  # the web server leaves a file there
        },
        3: {
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(web_port),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": _MIN_PARSE_INTERVAL_S,
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        },
    }
    return {
        **airflow.without_airflow(dict(os.environ)),
        **airflow.environment(home),
        **by_line[LINE],
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(log_ports[0]),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_ports[1]),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # for "airflow"
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
    }


def _without_log_servers(directory: Path) -> Path:
    """
    Create a directory with the command ``airflow`` that ``airflow standalone`` starts its components with.

    The log servers would listen on all addresses of the machine, and no setting changes that. Nobody needs them:
    all components read the same files.
    """
    directory.mkdir()
    command = directory / "airflow"
    command.write_text(
        f"""#!/bin/sh
case "$1" in scheduler | triggerer) set -- "$@" --skip-serve-logs ;; esac
exec {shlex.quote(sys.executable)} -m airflow "$@"
""",
        encoding="utf-8",
    )
    command.chmod(0o700)
    return directory


def _use_write_ahead_log(database: Path) -> None:
    """Keep writers from waiting for readers, on a busy machine longer than Airflow 3 allows."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def _is_healthy(rest: Rest, process: subprocess.Popen[str]) -> bool:
    if process.poll() is not None:
        raise SetupError(f"Airflow failed to start (exit status {process.returncode}).")
    return rest.is_healthy()
