"""Airflow as in large installations: separate components, PostgreSQL, Redis, and Celery workers."""

from __future__ import annotations

import base64
import os
import secrets
import signal
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.processes import SetupError, free_ports, run, running_in_session, start, wait_for
from tests.support.services import POSTGRES, REDIS_URL, connect_to_postgres, connect_to_redis
from tests.system.airflow import standalone
from tests.system.airflow.rest import Rest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

WORKER_CONCURRENCY = 2
# Slots of the pool, which so holds back one of 4 shards: the 2 workers have room for all of them.
SLOTS = 3
#: Airflow fails a task after this many seconds without a heartbeat; tasks send one every second.
LOST_AFTER_S = 20

_ON_PATH = Path(__file__).parent / "on_path"
_COMPONENTS = ("api-server", "scheduler", "dag-processor")
_START_S = 180.0
_KILL_S = 30.0


@dataclass(frozen=True)
class Worker:
    """
    A running ``airflow celery worker``.

    :param name: the hostname of the task instances that it runs.
    :param process: the first process of its session, which all of its processes belong to.
    """

    name: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """Kill all of its processes, tasks included, so that none can report anything."""
        wait_for(f"the worker {self.name} to be dead", self._is_dead_after_killing, _KILL_S)

    def _is_dead_after_killing(self) -> bool:
        for pid in running_in_session(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.poll()
        return not running_in_session(self.process.pid)


@dataclass(frozen=True)
class Cluster:
    """
    A running Airflow without workers.

    :param rest: its API, logged in as administrator.
    :param environment: the environment variables of its processes.
    :param home: its home directory, with the logs of the components.
    :param metadata: name of its database.
    :param prefix: prefix of its keys in Redis.
    """

    rest: Rest
    environment: Mapping[str, str]
    home: Path
    metadata: str
    prefix: str

    @classmethod
    @contextmanager
    def started(cls, home: Path, dags: Path) -> Iterator[Cluster]:
        """
        Start Airflow, wait until all components are running, and stop it on exit.

        :param home: an existing directory for its files.
        :param dags: the DAGs folder.
        :raises SetupError: if it does not start.
        """
        with database("airflow") as metadata, key_prefix() as prefix, ExitStack() as stack:
            port, *others = free_ports(3)
            values = {**standalone.environment(home, dags, port, others), **_celery(metadata, prefix)}
            run(["airflow", "db", "migrate"], values, home / "migrate.log", cwd=home)
            components = {
                name: stack.enter_context(start(["airflow", name], values, home / f"{name}.log", cwd=home))
                for name in _COMPONENTS
            }
            rest = Rest(f"http://127.0.0.1:{port}", standalone.LINE)
            wait_for("Airflow to start", lambda: _is_healthy(rest, components), _START_S)
            yield cls(rest.log_in(""), values, home, metadata, prefix)

    def add_warehouse(self, database: str) -> None:
        """Add the connection ``warehouse`` to a PostgreSQL database."""
        self.rest.add_connection("warehouse", {"conn_type": "postgres", **POSTGRES, "schema": database})

    @contextmanager
    def workers(self, *names: str) -> Iterator[list[Worker]]:
        """Start workers, wait until each accepts tasks, and stop them on exit."""
        with ExitStack() as stack:
            workers = [Worker(name, stack.enter_context(self._worker(name))) for name in names]
            for worker in workers:
                wait_for(f"the worker {worker.name}", partial(self._is_ready, worker), _START_S)
            yield workers

    def _worker(self, name: str) -> AbstractContextManager[subprocess.Popen[str]]:
        command = ["airflow", "celery", "worker", "--celery-hostname", f"{name}@%h", "--skip-serve-logs"]
        values = {
            **self.environment,
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "worker_name.worker_name",
            "PYTHONPATH": os.pathsep.join([str(_ON_PATH), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "WORKER_NAME": name,
        }
        return start([*command, "--pid", str(self.home / f"{name}.pid")], values, self._log(name), cwd=self.home)

    def _is_ready(self, worker: Worker) -> bool:
        if worker.process.poll() is not None:
            raise SetupError(f"The worker {worker.name} failed to start.")
        return " ready." in self._log(worker.name).read_text(encoding="utf-8", errors="replace")

    def _log(self, name: str) -> Path:
        return self.home / f"{name}.log"


@contextmanager
def database(name: str) -> Iterator[str]:
    """Create a PostgreSQL database, yield its full name, and drop it, even if it is still in use."""
    name = f"envoke_test_{name}_{secrets.token_hex(4)}"
    with closing(connect_to_postgres()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def key_prefix() -> Iterator[str]:
    """Yield a prefix for Redis keys, and delete the keys with it afterwards."""
    prefix = f"envoke-test-{secrets.token_hex(4)}:"
    with closing(connect_to_redis()) as redis:
        try:
            yield prefix
        finally:
            for key in redis.scan_iter(f"{prefix}*"):
                redis.delete(key)


def _celery(metadata: str, prefix: str) -> dict[str, str]:
    """Return the environment variables that Celery needs in addition."""
    at = f"postgresql+psycopg2://{POSTGRES['login']}@{POSTGRES['host']}:{POSTGRES['port']}/{metadata}"
    return {
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__CELERY__BROKER_URL": REDIS_URL,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{at}",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(WORKER_CONCURRENCY),
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__GLOBAL_KEYPREFIX": prefix,
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",  # avoids a warning
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": at,
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(LOST_AFTER_S),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
    }


def _is_healthy(rest: Rest, components: Mapping[str, subprocess.Popen[str]]) -> bool:
    ended = [name for name, process in components.items() if process.poll() is not None]
    if ended:
        raise SetupError(f"Failed to start: {', '.join(ended)}.")
    return rest.is_healthy(triggerer=False)
