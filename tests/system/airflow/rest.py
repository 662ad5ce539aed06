"""The REST API of a running Airflow 2 or 3, as functions."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from tests.support.processes import SetupError, wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

_TIMEOUT_S = 30.0
_BUSY_S = 60.0
ENDED = ("success", "failed")


class RestError(SetupError):
    """Airflow rejected a request, or cannot be reached; ``status`` is 0 if there was no response."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Rest:
    """
    The API of one Airflow.

    :param url: address of its web server, without a path.
    :param line: ``2`` or ``3``: Airflow's major version.
    :param authorization: value of the ``Authorization`` header; see :meth:`log_in`.
    """

    url: str
    line: int
    authorization: str = field(default="", repr=False)

    def log_in(self, password: str) -> Rest:
        """
        Return the same API with the credentials of the user ``admin``.

        :param password: the user's password on Airflow 2; Airflow 3 needs none.
        """
        if self.line == 2:
            basic = b64encode(f"admin:{password}".encode()).decode()
            return Rest(self.url, self.line, f"Basic {basic}")
        token = json.loads(self._send("GET", "/auth/token"))["access_token"]
        return Rest(self.url, self.line, f"Bearer {token}")

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        """
        Send a request to ``/api/v1`` or ``/api/v2``, and return the JSON of the response.

        It is sent again if Airflow 3 could not write to SQLite, which allows one writer at a time.

        :raises RestError: if it is rejected.
        """
        answer = wait_for(
            f"a response to {method} {path}", lambda: self._try(method, path, body, **query), _BUSY_S
        )
        return json.loads(answer[0]) if answer[0] else None

    # Set up

    def is_healthy(self, *, triggerer: bool = True) -> bool:
        """Return whether every component is running; ``triggerer=False`` leaves out the triggerer."""
        try:
            health = self.call("GET", "/monitor/health" if self.line == 3 else "/health")
        except RestError:
            return False
        parts = {"metadatabase": True, "scheduler": True, "triggerer": triggerer, "dag_processor": self.line == 3}
        return all(health[part]["status"] == "healthy" for part, needed in parts.items() if needed)

    def add_connection(self, connection_id: str, parts: Mapping[str, Any]) -> None:
        """Add a connection; ``parts`` are ``conn_type``, ``host``, ``login``, …"""
        self.call("POST", "/connections", {"connection_id": connection_id, **parts})

    def add_pool(self, name: str, slots: int) -> None:
        """Add a pool."""
        self.call("POST", "/pools", {"name": name, "slots": slots})

    def dag(self, dag_id: str) -> Json:
        """Return a DAG, or an empty dict if Airflow has not read its file yet."""
        return self._find(f"/dags/{dag_id}")

    def import_errors(self) -> list[Json]:
        """Return the DAG files that cannot be imported, each with its traceback."""
        return self.call("GET", "/importErrors")["import_errors"]

    # Runs

    def unpause(self, dag_id: str) -> None:
        """Unpause a DAG."""
        self.call("PATCH", f"/dags/{dag_id}", {"is_paused": False})

    def pause(self, dag_id: str) -> None:
        """Pause a DAG."""
        self.call("PATCH", f"/dags/{dag_id}", {"is_paused": True})

    def parse_again(self, dag_id: str) -> None:
        """Have a DAG's file parsed: only then do watchers of its assets start, or stop if it is paused."""
        self.call("PUT", f"/parseDagFile/{self.dag(dag_id)['file_token']}")

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run, and return its id."""
        body = {"conf": dict(conf), **({"logical_date": None} if self.line == 3 else {})}
        return self.call("POST", f"/dags/{dag_id}/dagRuns", body)["dag_run_id"]

    def runs(self, dag_id: str) -> list[Json]:
        """Return the runs of a DAG, oldest first."""
        return self.call("GET", f"/dags/{dag_id}/dagRuns", order_by="start_date")["dag_runs"]

    def wait_for_run(self, dag_id: str, run_id: str, timeout_s: float) -> str:
        """Wait until a run has ended, and return its state."""

        def ended() -> str | None:
            run = self.call("GET", f"/dags/{dag_id}/dagRuns/{quote(run_id)}")
            return run["state"] if run["state"] in ENDED else None

        return wait_for(f"the run {run_id} of {dag_id}", ended, timeout_s)

    # Task instances

    def tasks(self, dag_id: str, run_id: str) -> list[Json]:
        """Return the task instances of a run, by name and map index."""
        found = self.call("GET", f"{self._run(dag_id, run_id)}/taskInstances", limit=1000)["task_instances"]
        return sorted(found, key=lambda task: (task["task_id"], task["map_index"]))

    def task(self, dag_id: str, run_id: str, task_id: str) -> Json:
        """Return the instance of a task that is not mapped."""
        return self.call("GET", f"{self._run(dag_id, run_id)}/taskInstances/{task_id}")

    def xcom(self, task: Json, key: str = "return_value") -> Any:
        """Return what a task instance pushed."""
        path = f"{self._path(task)}/xcomEntries/{key}"
        return self.call("GET", path, map_index=task["map_index"], stringify="false")["value"]

    def log(self, task: Json, attempt: int = 1) -> str:
        """Return the log of one attempt of a task instance, with the level and details of each line."""
        path = f"{self._prefix}{self._path(task)}/logs/{attempt}"
        accept = "text/plain" if self.line == 2 else "application/json"
        text = self._send("GET", path, accept=accept, map_index=task["map_index"], full_content="true")
        if self.line == 2:
            return text
        # Encoded again, because the response has escapes in place of letters such as é.
        lines = json.loads(text)["content"]
        return "\n".join(
            "{} {} {}".format(line.pop("level", ""), line.pop("event", ""), json.dumps(line, ensure_ascii=False))
            for line in lines
        )

    def set_state(self, task: Json, state: str) -> None:
        """Mark a task instance as failed or successful, even while it runs."""
        dry_run = {"dry_run": False} if self.line == 2 else {}
        self.call("PATCH", self._path(task), {"new_state": state, **dry_run})

    def clear(self, task: Json) -> None:
        """Clear a task instance that has ended, so that it runs again."""
        body = {
            "dry_run": False,
            "dag_run_id": task["dag_run_id"],
            "task_ids": [task["task_id"]],
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self.call("POST", f"/dags/{task['dag_id']}/clearTaskInstances", body)

    def asset_events(self) -> list[Json]:
        """Return the events of all assets (datasets in Airflow 2), oldest first."""
        kind = "asset" if self.line == 3 else "dataset"
        return self.call("GET", f"/{kind}s/events", order_by="timestamp", limit=100)[f"{kind}_events"]

    def events_that_started(self, dag_id: str, run_id: str) -> list[Json]:
        """Return the asset events that triggered a run."""
        kind = "Asset" if self.line == 3 else "Dataset"
        return self.call("GET", f"{self._run(dag_id, run_id)}/upstream{kind}Events")[f"{kind.lower()}_events"]

    # Questions to a person, only on Airflow 3

    def question(self, task: Json) -> Json:
        """Return what a task asks a person, or an empty dict if it asks nothing."""
        return self._find(f"{self._path(task)}/-1/hitlDetails")

    def answer(self, task: Json, option: str) -> None:
        """Answer a task's question with one of its options."""
        self.call("PATCH", f"{self._path(task)}/-1/hitlDetails", {"chosen_options": [option], "params_input": {}})

    @property
    def _prefix(self) -> str:
        return "/api/v2" if self.line == 3 else "/api/v1"

    def _find(self, path: str) -> Json:
        """Return the JSON of the response, or an empty dict if it is 404."""
        try:
            return self.call("GET", path)
        except RestError as error:
            if error.status != 404:
                raise
            return {}

    def _run(self, dag_id: str, run_id: str) -> str:
        return f"/dags/{dag_id}/dagRuns/{quote(run_id)}"

    def _path(self, task: Json) -> str:
        return f"{self._run(task['dag_id'], task['dag_run_id'])}/taskInstances/{task['task_id']}"

    def _try(self, method: str, path: str, body: Mapping[str, Any] | None, **query: Any) -> tuple[str] | None:
        """Return the response, or ``None`` if the request was rolled back because the database was busy."""
        try:
            return (self._send(method, f"{self._prefix}{path}", body, **query),)
        except RestError as error:
            if error.status == 500 and "Database error" in str(error):
                return None
            raise

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        accept: str = "application/json",
        **query: Any,
    ) -> str:
        headers = {"Accept": accept, "Content-Type": "application/json"}
        if self.authorization:
            headers["Authorization"] = self.authorization
        url = f"{self.url}{path}" + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        request = Request(url, data=data, headers=headers, method=method)
        try:
            with urlopen(request, timeout=_TIMEOUT_S) as answer:
                return answer.read().decode()
        except HTTPError as error:
            text = error.read().decode(errors="replace")[:500]
            raise RestError(f"Airflow answered {method} {path} with {error.code}: {text}", error.code) from None
        except (URLError, OSError) as error:
            raise RestError(f"No response from Airflow to {method} {path}: {error}") from error
