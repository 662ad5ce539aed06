"""
A stand-in for BigQuery's REST API (v2), backed by DuckDB: query jobs, their results page by page, and cancelling.

From the API's documentation: all values are texts; a ``TIMESTAMP`` is seconds since 1970; legacy SQL, which is its
default, knows no backticks. A query with ``NEVER_ENDS`` in it runs until it is cancelled.
"""

from __future__ import annotations

import datetime
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import sqlglot

if TYPE_CHECKING:
    from collections.abc import Iterator

NEVER_ENDS = "never ends"

_PAGE_ROWS = 100
_TYPES = {
    "BIGINT": "INTEGER",
    "DECIMAL": "NUMERIC",
    "DOUBLE": "FLOAT",
    "TIMESTAMP": "DATETIME",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "VARCHAR": "STRING",
}


@dataclass
class Job:
    """A query job; ``configuration`` is what its client has asked for."""

    id: str
    configuration: dict[str, Any]
    state: str = "DONE"
    error: dict[str, str] | None = None
    fields: list[dict[str, str]] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def resource(self) -> dict[str, Any]:
        status = {"state": self.state} | (
            {"errorResult": self.error, "errors": [self.error]} if self.error else {}
        )
        return {
            "jobReference": {"projectId": "project", "jobId": self.id, "location": "US"},
            "configuration": self.configuration,
            "status": status,
            "statistics": {"query": {"statementType": "SELECT"}},
        }

    def results(self, first: int, count: int) -> dict[str, Any]:
        """Return a page of the rows, as ``jobs.getQueryResults`` does."""
        resource: dict[str, Any] = {
            "jobReference": self.resource()["jobReference"],
            "jobComplete": self.state == "DONE",
        }
        if self.state == "DONE":
            page = [{"f": [{"v": _text(value)} for value in row]} for row in self.rows[first : first + count]]
            resource |= {"schema": {"fields": self.fields}, "totalRows": str(len(self.rows)), "rows": page}
        if count and first + count < len(self.rows):
            resource["pageToken"] = str(first + count)
        return resource


class BigQueryService:
    """The jobs of a service, in the order in which they came, and its database."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self._database = duckdb.connect()
        self._lock = threading.Lock()  # each request has a thread of its own

    def insert(self, resource: dict[str, Any]) -> Job:
        job = Job(resource["jobReference"]["jobId"], resource["configuration"])
        query = job.configuration["query"]
        self.jobs.append(job)
        if NEVER_ENDS in query["query"]:
            job.state = "RUNNING"
        elif query.get("useLegacySql", True) and "`" in query["query"]:
            job.error = {"reason": "invalidQuery", "message": 'Encountered " "`". Was expecting: table name'}
        else:
            self._run(job, query["query"])
        return job

    def find(self, job_id: str) -> Job:
        return next(job for job in self.jobs if job.id == job_id)

    def cancel(self, job_id: str) -> Job:
        job = self.find(job_id)
        job.state, job.error = "DONE", {"reason": "stopped", "message": "Job execution was cancelled"}
        return job

    def close(self) -> None:
        self._database.close()

    def _run(self, job: Job, sql: str) -> None:
        with self._lock:
            for statement in sqlglot.transpile(sql, read="bigquery", write="duckdb"):
                self._database.execute(statement)
            columns = self._database.description or []
            types = [str(column[1]).partition("(")[0] for column in columns]
            job.fields = [
                {"name": column[0], "type": _TYPES.get(kind, kind)}
                for column, kind in zip(columns, types, strict=True)
            ]
            job.rows = self._database.fetchall()


@contextmanager
def running_service() -> Iterator[tuple[BigQueryService, str]]:
    """Serve on a free port of this machine; yield the service and its URL."""
    service = BigQueryService()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"service": service}))
    thread = threading.Thread(target=server.serve_forever, name="bigquery-service", daemon=True)
    thread.start()
    try:
        yield service, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        service.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: BigQueryService

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if cancelled := re.search(r"/jobs/([^/?]+)/cancel", self.path):
            self._answer({"job": self.service.cancel(cancelled[1]).resource()})
        else:
            self._answer(self.service.insert(json.loads(body)).resource())

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        parameters = {name: values[0] for name, values in parse_qs(url.query).items()}
        job = self.service.find(url.path.rpartition("/")[2])
        if "/queries/" not in url.path:
            self._answer(job.resource())
        elif job.error:
            self._answer({"error": {"code": 400, "message": job.error["message"], "errors": [job.error]}}, 400)
        else:
            count = min(int(parameters.get("maxResults", _PAGE_ROWS)), _PAGE_ROWS)
            self._answer(job.results(int(parameters.get("pageToken", 0)), count))

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name of the base class
        """Log nothing."""

    def _answer(self, resource: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(resource).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _text(value: Any) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case Decimal():
            return f"{value.normalize():f}"
        case datetime.datetime() if value.tzinfo:
            return repr(value.timestamp())
        case datetime.datetime():
            return value.isoformat()
    return str(value)
