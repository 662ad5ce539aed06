"""Airflow as large installations have it: its components apart, PostgreSQL, Redis, and Celery workers."""

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

from demo import standalone
from demo.processes import DemoError, free_ports, living, run, start
from demo.rest import Rest, RestError, wait_for
from tests.services import POSTGRES, REDIS_URL, connect_to_postgres, connect_to_redis

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

PLACES = 2  # tasks that one worker runs at once
#: A worker is taken for lost when its tasks have been silent for so long; they say something every second.
LOST_AFTER_S = 20

_ON_PATH = Path(__file__).parent / "on_path"
_COMPONENTS = ("api-server", "scheduler", "dag-processor")
_START_S = 180.0
_KILL_S = 30.0


@dataclass(frozen=True)
class Worker:
    """
    A running ``airflow celery worker``.

    :param name: what the task instances that it runs have as their host.
    :param process: the first one of its session, in which all of its processes are.
    """

    name: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """End all of its processes at once, tasks included: none of them can say a word any more."""
        wait_for(f"the worker {self.name} to be dead", self._has_been_killed, _KILL_S)

    def _has_been_killed(self) -> bool:
        for pid in living(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.poll()
        return not living(self.process.pid)


@dataclass(frozen=True)
class Cluster:
    """
    A running Airflow without workers.

    :param rest: its API, with an administrator logged in.
    :param environment: its processes' environment variables.
    :param home: its own directory; every component has its log there.
    :param metadata: name of its database.
    :param prefix: how its keys in Redis begin.
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
        Start it, wait until all of it is at work, and stop it on leaving the context.

        :param home: an existing directory, for its files.
        :param dags: the folder of the DAGs.
        :raises DemoError: if it does not start.
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
        """Add the connection ``warehouse``: a database of PostgreSQL."""
        self.rest.add_connection("warehouse", {"conn_type": "postgres", **POSTGRES, "schema": database})

    @contextmanager
    def workers(self, *names: str) -> Iterator[list[Worker]]:
        """Start workers, wait until each takes tasks, and stop them on leaving the context."""
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
            raise DemoError(f"The worker {worker.name} ended instead of starting.")
        return " ready." in self._log(worker.name).read_text(encoding="utf-8", errors="replace")

    def _log(self, name: str) -> Path:
        return self.home / f"{name}.log"


@contextmanager
def database(name: str) -> Iterator[str]:
    """Create a database with such a name in PostgreSQL, yield its name, and drop it, whoever still uses it."""
    name = f"envoke_test_{name}_{secrets.token_hex(4)}"
    with closing(connect_to_postgres()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def key_prefix() -> Iterator[str]:
    """Yield how the keys of a broker of our own begin, and delete them afterwards."""
    prefix = f"envoke-test-{secrets.token_hex(4)}:"
    with closing(connect_to_redis()) as redis:
        try:
            yield prefix
        finally:
            for key in redis.scan_iter(f"{prefix}*"):
                redis.delete(key)


def _celery(metadata: str, prefix: str) -> dict[str, str]:
    """Return what Airflow needs to know beyond what it needs without Celery."""
    at = f"postgresql+psycopg2://{POSTGRES['login']}@{POSTGRES['host']}:{POSTGRES['port']}/{metadata}"
    return {
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__CELERY__BROKER_URL": REDIS_URL,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{at}",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(PLACES),
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__GLOBAL_KEYPREFIX": prefix,
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",  # as without it, but no warning
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
        raise DemoError(f"Ended instead of starting: {', '.join(ended)}.")
    try:
        health = rest.call("GET", "/monitor/health")
    except RestError:
        return False
    return all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))
