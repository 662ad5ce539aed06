"""The sharded example with 20,000 PostgreSQL rows, on two Celery workers, one of which is killed."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from example_dags.envoke_sharded_sync import REQUESTS_PER_SECOND, SHARDS
from tests.support.processes import wait_for
from tests.support.sandbox_process import SandboxProcess
from tests.system.celery import many_rows
from tests.system.celery.cluster import SLOTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.system.airflow.rest import Json
    from tests.system.celery.cluster import Cluster

DAG_ID = "envoke_sharded_sync"
CONCURRENCY = 8  # of one shard: the operator's default
HALFWAY = range(20, 60)  # the updates of a shard, out of 102, after which its worker is killed
PARSE_S, RUN_S = 60.0, 240.0
ALL = {"rows": many_rows.ROWS, "created": 0, "skipped": 0, "rejected": 0}


@dataclass(frozen=True)
class Outcome:
    """
    What a successful run has left in Airflow and in the account.

    :param tries: shard -> its tries in order, including lost ones.
    :param reports: shard -> the report of its successful try.
    :param total: the sum of the reports, as the example adds them up.
    """

    tries: dict[int, list[Json]]
    reports: dict[int, Json]
    total: Json
    requests: list[Json]
    stats: Json
    contacts: list[Json]


@pytest.fixture(scope="module")
def outcome(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A run without a killed worker. At this latency, 8 concurrent requests can just reach a shard's rate."""
    directory = tmp_path_factory.mktemp("envoke")
    with account(cluster, directory, latency_ms=150) as sandbox, cluster.workers("w1", "w2"):
        return ended(cluster, sandbox, start(cluster))


def test_every_contact_is_read_by_one_shard_and_written_once_if_it_differs(outcome: Outcome) -> None:
    assert len(outcome.requests) == outcome.stats["requests"], "the sandbox has kept all requests"
    assert many_rows.reads(outcome.requests) == Counter(many_rows.EMAILS)
    assert Counter(number for number, _ in many_rows.written(outcome.requests)) == Counter(many_rows.DIFFER)
    assert_every_contact_is_right(outcome)
    assert {shard: report["rows"] for shard, report in outcome.reports.items()} == dict.fromkeys(
        range(SHARDS), many_rows.SHARD_ROWS
    )
    updated = len(many_rows.DIFFER)
    assert outcome.total == {**ALL, "updated": updated, "unchanged": many_rows.ROWS - updated}


def test_both_workers_run_shards(outcome: Outcome) -> None:
    assert {each["hostname"] for each in flat(outcome.tries)} == {"w1", "w2"}


def test_at_most_as_many_shards_run_at_once_as_the_pool_has_slots(outcome: Outcome) -> None:
    assert at_once(flat(outcome.tries)) <= SLOTS


def test_the_load_on_the_account_is_at_most_the_slots_times_the_limits_of_a_shard(outcome: Outcome) -> None:
    """
    A request that arrives in a second was sent in that second, or earlier and was still in flight.

    The former are at most the rate and one more, the latter at most the concurrency.
    """
    assert outcome.stats["max_in_flight"] <= SLOTS * CONCURRENCY
    assert outcome.stats["max_per_second"] <= SLOTS * (REQUESTS_PER_SECOND + 1 + CONCURRENCY)


def test_a_worker_killed_halfway_loses_no_row_and_writes_none_twice(cluster: Cluster, tmp_path: Path) -> None:
    with account(cluster, tmp_path, latency_ms=600) as sandbox, cluster.workers("w3", "w4") as workers:
        run_id = start(cluster)
        victim = wait_for("a shard to be halfway", lambda: halfway_shard(cluster, sandbox, run_id), RUN_S)
        (worker,) = (worker for worker in workers if worker.name == victim["hostname"])
        worker.kill()
        outcome = ended(cluster, sandbox, run_id)

    lost = {shard for shard, tries in outcome.tries.items() if len(tries) > 1}
    once = many_rows.written_by_shard(many_rows.before_a_retry(outcome.requests))
    assert victim["map_index"] in lost
    assert min(HALFWAY) <= once[victim["map_index"]] < many_rows.SHARD_DIFFER, "it was killed halfway"
    assert {outcome.tries[shard][0]["hostname"] for shard in lost} == {worker.name}
    assert {each["hostname"] for each in flat(outcome.tries)} == {"w3", "w4"}
    assert at_once(flat(outcome.tries)) <= SLOTS
    assert len(outcome.requests) == outcome.stats["requests"], "the sandbox has kept all requests"
    assert_no_contact_is_written_twice_with_other_values(outcome)
    assert_every_contact_is_right(outcome)
    for shard in range(SHARDS):
        by_lost_tries = once[shard] if shard in lost else 0
        report = outcome.reports[shard]
        assert (report["rows"], report["rejected"], report["stopped"]) == (many_rows.SHARD_ROWS, 0, "")
        assert report["updated"] == many_rows.SHARD_DIFFER - by_lost_tries, "nothing is written twice"
        assert report["unchanged"] == many_rows.SHARD_ROWS - report["updated"]
    updated = len(many_rows.DIFFER) - sum(once[shard] for shard in lost)
    assert outcome.total == {**ALL, "updated": updated, "unchanged": many_rows.ROWS - updated}


@contextmanager
def account(cluster: Cluster, directory: Path, latency_ms: int) -> Iterator[SandboxProcess]:
    """Start a sandbox with the contacts, behind the connection ``envoke_default``."""
    log, options = cluster.home / "sandbox.log", ("--latency-ms", str(latency_ms))
    with SandboxProcess.started(many_rows.contacts(), directory, log, *options) as sandbox:
        cluster.rest.add_connection("envoke_default", sandbox.connection)
        try:
            yield sandbox
        finally:
            cluster.rest.call("DELETE", "/connections/envoke_default")


def start(cluster: Cluster) -> str:
    rest = cluster.rest
    wait_for(f"the DAG {DAG_ID}", lambda: rest.dag(DAG_ID), PARSE_S)
    rest.unpause(DAG_ID)
    return rest.trigger(DAG_ID, {})


def halfway_shard(cluster: Cluster, sandbox: SandboxProcess, run_id: str) -> Json | None:
    """Return a shard that is running and has written some of its contacts."""
    by_shard = many_rows.written_by_shard(sandbox.requests())
    for task in cluster.rest.tasks(DAG_ID, run_id) if by_shard else []:
        if task["state"] == "running" and by_shard[task["map_index"]] in HALFWAY:
            return task
    return None


def ended(cluster: Cluster, sandbox: SandboxProcess, run_id: str) -> Outcome:
    rest = cluster.rest
    state = rest.wait_for_run(DAG_ID, run_id, RUN_S)
    of_shards = {shard: tries(cluster, run_id, shard) for shard in range(SHARDS)}
    assert state == "success", flat(of_shards)
    by_name = {(task["task_id"], task["map_index"]): task for task in rest.tasks(DAG_ID, run_id)}
    return Outcome(
        tries=of_shards,
        reports={shard: rest.xcom(by_name["shard", shard]) for shard in range(SHARDS)},
        total=rest.xcom(by_name["add_up", -1]),
        requests=sandbox.requests(),
        stats=sandbox.stats(),
        contacts=sandbox.contacts(),
    )


def tries(cluster: Cluster, run_id: str, shard: int) -> list[Json]:
    """Return every try of a shard in order, including lost ones."""
    path = f"/dags/{DAG_ID}/dagRuns/{quote(run_id)}/taskInstances/shard/{shard}/tries"
    found: list[Json] = cluster.rest.call("GET", path)["task_instances"]
    return sorted(found, key=lambda each: each["try_number"])


def flat(tries: dict[int, list[Json]]) -> list[Json]:
    return [each for tries_of_one in tries.values() for each in tries_of_one]


def at_once(tries: Iterable[Json]) -> int:
    """Return how many of them ran at once at most; one that ends when another starts does not count with it."""
    changes = [
        (datetime.fromisoformat(each[date]), change)
        for each in tries
        for date, change in (("start_date", 1), ("end_date", -1))
    ]
    running = most = 0
    for _, change in sorted(changes):
        running += change
        most = max(most, running)
    return most


def assert_every_contact_is_right(outcome: Outcome) -> None:
    cities = Counter(contact["city"] for contact in outcome.contacts)
    assert cities == {many_rows.CITY: many_rows.ROWS}


def assert_no_contact_is_written_twice_with_other_values(outcome: Outcome) -> None:
    values: dict[int, Any] = {}
    for number, body in many_rows.written(outcome.requests):
        assert values.setdefault(number, body) == body
    assert set(values) == set(many_rows.DIFFER)
