"""The sharded example over 20,000 rows of PostgreSQL, on two Celery workers, one of which dies."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from demo.rest import wait_for
from demo.scene import start_stand_in
from example_dags.envoke_sharded_sync import REQUESTS_PER_SECOND, SHARDS
from tests.system.celery import crowd
from tests.system.celery.conftest import SLOTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from demo.rest import Json
    from demo.stand_in import StandIn
    from tests.system.celery.cluster import Cluster

DAG_ID = "envoke_sharded_sync"
CONCURRENCY = 8  # requests that one shard has under way: the operator's default
MIDDLE = range(20, 60)  # updates of a shard, out of 102, at which its worker is killed
PARSE_S, RUN_S = 60.0, 240.0
ALL = {"rows": crowd.ROWS, "created": 0, "skipped": 0, "rejected": 0}


@dataclass(frozen=True)
class Outcome:
    """
    What a run that succeeded has left, in Airflow and in the account.

    :param tries: shard -> its tries, also the lost ones, the first one first.
    :param reports: shard -> the report of the try that succeeded.
    :param total: the reports added up, by the example itself.
    """

    tries: dict[int, list[Json]]
    reports: dict[int, Json]
    total: Json
    requests: list[Json]
    stats: Json
    contacts: list[Json]


@pytest.fixture(scope="module")
def outcome(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A run in which nothing happens to anybody. With such answers, 8 at once can just reach a shard's rate."""
    directory = tmp_path_factory.mktemp("envoke") / "quiet"
    with account(cluster, directory, latency_ms=150) as stand_in, cluster.workers("w1", "w2"):
        return ended(cluster, stand_in, start(cluster))


def test_every_contact_is_looked_at_by_one_shard_and_written_once_if_it_differs(outcome: Outcome) -> None:
    assert len(outcome.requests) == outcome.stats["requests"], "the sandbox has kept them all"
    assert crowd.asked_for(outcome.requests) == Counter(crowd.EMAILS)
    assert Counter(number for number, _ in crowd.written(outcome.requests)) == Counter(crowd.DIFFER)
    assert_every_contact_is_right(outcome)
    assert {shard: report["rows"] for shard, report in outcome.reports.items()} == dict.fromkeys(
        range(SHARDS), crowd.SHARD_ROWS
    )
    updated = len(crowd.DIFFER)
    assert outcome.total == {**ALL, "updated": updated, "unchanged": crowd.ROWS - updated}


def test_both_workers_take_part(outcome: Outcome) -> None:
    assert {each["hostname"] for each in flat(outcome.tries)} == {"w1", "w2"}


def test_no_more_shards_run_at_once_than_the_pool_has_slots(outcome: Outcome) -> None:
    assert at_once(flat(outcome.tries)) <= SLOTS


def test_the_account_sees_no_more_than_slots_times_what_a_shard_may(outcome: Outcome) -> None:
    """
    What arrives in a second began in that second, or before it and was still under way when it began.

    The first are at most one more than the rate, the second at most those that may be under way at once.
    """
    assert outcome.stats["max_in_flight"] <= SLOTS * CONCURRENCY
    assert outcome.stats["max_per_second"] <= SLOTS * (REQUESTS_PER_SECOND + 1 + CONCURRENCY)


def test_a_worker_that_dies_in_the_middle_loses_and_doubles_nothing(cluster: Cluster, tmp_path: Path) -> None:
    with account(cluster, tmp_path / "envoke", latency_ms=600) as stand_in, cluster.workers("w3", "w4") as workers:
        run_id = start(cluster)
        victim = wait_for("a shard in its middle", lambda: in_the_middle(cluster, stand_in, run_id), RUN_S)
        (worker,) = (worker for worker in workers if worker.name == victim["hostname"])
        worker.kill()
        outcome = ended(cluster, stand_in, run_id)

    lost = {shard for shard, tries in outcome.tries.items() if len(tries) > 1}
    once = crowd.written_by_shard(crowd.before_a_second_try(outcome.requests))
    assert victim["map_index"] in lost
    assert min(MIDDLE) <= once[victim["map_index"]] < crowd.SHARD_DIFFER, "it died in the middle"
    assert {outcome.tries[shard][0]["hostname"] for shard in lost} == {worker.name}
    assert {each["hostname"] for each in flat(outcome.tries)} == {"w3", "w4"}
    assert at_once(flat(outcome.tries)) <= SLOTS
    assert len(outcome.requests) == outcome.stats["requests"], "the sandbox has kept them all"
    assert_no_contact_is_written_twice_with_other_values(outcome)
    assert_every_contact_is_right(outcome)
    for shard in range(SHARDS):
        by_the_lost = once[shard] if shard in lost else 0
        report = outcome.reports[shard]
        assert (report["rows"], report["rejected"], report["stopped"]) == (crowd.SHARD_ROWS, 0, "")
        assert report["updated"] == crowd.SHARD_DIFFER - by_the_lost, "what was written is not written again"
        assert report["unchanged"] == crowd.SHARD_ROWS - report["updated"]
    updated = len(crowd.DIFFER) - sum(once[shard] for shard in lost)
    assert outcome.total == {**ALL, "updated": updated, "unchanged": crowd.ROWS - updated}


@contextmanager
def account(cluster: Cluster, directory: Path, latency_ms: int) -> Iterator[StandIn]:
    """Let ``envoke_default`` be a stand-in that holds the crowd's contacts."""
    with start_stand_in(directory, cluster.home / "sandbox.log", "--latency-ms", str(latency_ms)) as stand_in:
        stand_in.reset(crowd.contacts())
        cluster.rest.add_connection("envoke_default", stand_in.connection)
        try:
            yield stand_in
        finally:
            cluster.rest.call("DELETE", "/connections/envoke_default")


def start(cluster: Cluster) -> str:
    rest = cluster.rest
    wait_for(f"the DAG {DAG_ID}", lambda: rest.dag(DAG_ID), PARSE_S)
    rest.unpause(DAG_ID)
    return rest.trigger(DAG_ID, {})


def in_the_middle(cluster: Cluster, stand_in: StandIn, run_id: str) -> Json | None:
    """A shard that is running and has written a part of what it has to write."""
    by_shard = crowd.written_by_shard(stand_in.requests())
    for task in cluster.rest.tasks(DAG_ID, run_id) if by_shard else []:
        if task["state"] == "running" and by_shard[task["map_index"]] in MIDDLE:
            return task
    return None


def ended(cluster: Cluster, stand_in: StandIn, run_id: str) -> Outcome:
    rest = cluster.rest
    state = rest.wait_for_run(DAG_ID, run_id, RUN_S)
    of_shards = {shard: tries(cluster, run_id, shard) for shard in range(SHARDS)}
    assert state == "success", flat(of_shards)
    by_name = {(task["task_id"], task["map_index"]): task for task in rest.tasks(DAG_ID, run_id)}
    return Outcome(
        tries=of_shards,
        reports={shard: rest.xcom(by_name["shard", shard]) for shard in range(SHARDS)},
        total=rest.xcom(by_name["add_up", -1]),
        requests=stand_in.requests(),
        stats=stand_in.stats(),
        contacts=stand_in.contacts(),
    )


def tries(cluster: Cluster, run_id: str, shard: int) -> list[Json]:
    """Every try of a shard, also the lost ones, the first one first."""
    path = f"/dags/{DAG_ID}/dagRuns/{quote(run_id)}/taskInstances/shard/{shard}/tries"
    found: list[Json] = cluster.rest.call("GET", path)["task_instances"]
    return sorted(found, key=lambda each: each["try_number"])


def flat(tries: dict[int, list[Json]]) -> list[Json]:
    return [each for tries_of_one in tries.values() for each in tries_of_one]


def at_once(tries: Iterable[Json]) -> int:
    """How many of them ran at the same time at most. Who ends when another one starts has made place for it."""
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
    assert cities == {crowd.CITY: crowd.ROWS}


def assert_no_contact_is_written_twice_with_other_values(outcome: Outcome) -> None:
    values: dict[int, Any] = {}
    for number, body in crowd.written(outcome.requests):
        assert values.setdefault(number, body) == body
    assert set(values) == set(crowd.DIFFER)
