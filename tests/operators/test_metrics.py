"""The metrics: names, counts and tags, without personal data."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import create_autospec

import pytest
from airflow.providers.common.compat import sdk

from airflow_provider_envoke.operators._outcome import METRICS
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator, EnvokeUpdateContactOperator
from airflow_provider_envoke.sync.guards import REASONS
from airflow_provider_envoke.sync.report import OUTCOMES
from tests.support.contacts import contacts
from tests.support.tasks import context

if TYPE_CHECKING:
    from airflow_provider_envoke.sandbox.thread import Sandbox

WORDS = {
    "OUTCOME": "|".join(OUTCOMES),
    "REASON": "|".join(REASONS),
    "KIND": "read|write|retry",
    "RESULT": "updated|created|unchanged|skipped|failed",
    "*": r"(rows|rejects|requests)\.[a-z_]+|consent_kept|duration",
}
CONTACTS = contacts(5)
ROWS = [
    {"email": "p0@example.com", "city": "Québec"},
    {"email": "p1@example.com", "city": "Laval"},
    {"email": "marker@example.com", "city": "Laval"},
    {"email": "no address", "city": "Laval"},
]


class Recorder:
    """Records metrics, with the signatures of Airflow's own methods."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.times: dict[str, timedelta] = {}
        self.tags: list[dict[str, str]] = []

    def incr(self, stat: str, count: int = 1, rate: float = 1, *, tags: dict[str, str] | None = None) -> None:
        self.counts[stat] = self.counts.get(stat, 0) + count
        self.tags.append(tags or {})

    def timing(self, stat: str, dt: timedelta, *, tags: dict[str, str] | None = None) -> None:
        self.times[stat] = dt
        self.tags.append(tags or {})


@pytest.fixture
def stats(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(sdk, "Stats", recorder)
    return recorder


def sync(**arguments: Any) -> None:
    with suppress(Exception):
        EnvokeSyncContactsOperator(**{"task_id": "sync", "rows": ROWS, **arguments}).execute(context())


def update(**arguments: Any) -> None:
    with suppress(Exception):
        EnvokeUpdateContactOperator(task_id="update", **arguments).execute(context())


@pytest.mark.parametrize(("plan_only", "prefix"), [(False, "envoke.sync"), (True, "envoke.plan")])
def test_consents_that_are_kept_are_counted(
    sandbox: Sandbox, stats: Recorder, plan_only: bool, prefix: str
) -> None:
    sandbox.reset([{"email": "p0@example.com", "consent_status": "Revoked"}])

    sync(rows=[{"email": "p0@example.com", "city": "Alma", "consent_status": "Expired"}], plan_only=plan_only)

    assert stats.counts[f"{prefix}.consent_kept"] == stats.counts[f"{prefix}.rows.updated"] == 1


def test_a_failed_sync_counts_rows_rejects_requests_and_its_duration(sandbox: Sandbox, stats: Recorder) -> None:
    sync()

    assert stats.counts == {
        "envoke.sync.rows.updated": 1,
        "envoke.sync.rows.unchanged": 1,
        "envoke.sync.rows.rejected": 2,
        "envoke.sync.rejects.not_found": 1,
        "envoke.sync.rejects.invalid_email": 1,
        "envoke.sync.requests.read": 1,
        "envoke.sync.requests.write": 1,
    }
    assert list(stats.times) == ["envoke.sync.duration"]
    assert timedelta() < stats.times["envoke.sync.duration"] < timedelta(minutes=1)


@pytest.mark.parametrize("arguments", [{"plan_only": True}, {"max_changes": 0}])
def test_a_plan_that_is_not_applied_has_its_own_metrics(
    sandbox: Sandbox, stats: Recorder, arguments: dict[str, Any]
) -> None:
    sync(**arguments)

    assert stats.counts["envoke.plan.rows.updated"] == 1
    assert list(stats.times) == ["envoke.plan.duration"]
    assert not [name for name in stats.counts if name.startswith("envoke.sync")]


@pytest.mark.parametrize(
    ("payload", "on_missing", "result"),
    [
        ({"email": "p0@example.com", "city": "Québec"}, "fail", "updated"),
        ({"email": "left@example.com", "consent_status": "Expired"}, "fail", "unchanged"),
        ({"email": "new@example.com", "city": "Québec"}, "create", "created"),
        ({"email": "new@example.com", "city": "Québec"}, "skip", "skipped"),
        ({"email": "new@example.com", "city": "Québec"}, "fail", "failed"),
        ({"phones": "1"}, "fail", "failed"),
    ],
)
def test_an_update_counts_its_result_and_its_duration(
    sandbox: Sandbox, stats: Recorder, payload: dict[str, str], on_missing: Any, result: str
) -> None:
    sandbox.reset([*CONTACTS, {"email": "left@example.com", "consent_status": "Revoked"}])

    update(payload=payload, on_missing=on_missing)

    assert stats.counts == {f"envoke.update.{result}": 1}
    assert list(stats.times) == ["envoke.update.duration"]


def test_every_metric_is_documented_and_its_tags_are_ids(sandbox: Sandbox, stats: Recorder) -> None:
    sync()
    sync(plan_only=True)
    sandbox.reset([{"email": "p0@example.com", "consent_status": "Revoked"}])
    sync(rows=[{"email": "p0@example.com", "consent_status": "Expired"}])
    update(payload={"email": "marker@example.com", "city": "Québec"})

    patterns = [
        re.sub("|".join(map(re.escape, WORDS)), lambda word: f"({WORDS[word[0]]})", name) for name in METRICS
    ]
    names = [*stats.counts, *stats.times]
    assert [name for name in names if not any(re.fullmatch(pattern, name) for pattern in patterns)] == []
    assert [pattern for pattern in patterns if not any(re.fullmatch(pattern, name) for name in names)] == []
    assert {tuple(sorted(tags)) for tags in stats.tags} == {("dag_id", "task_id")}
    assert {tags["task_id"] for tags in stats.tags} == {"sync", "update"}


@pytest.mark.parametrize("reason", REASONS)
def test_the_longest_names_are_valid_for_statsd_and_opentelemetry(reason: str) -> None:
    name = f"envoke.sync.rejects.{reason}"

    assert re.fullmatch(r"[A-Za-z0-9_.-]+", name)
    assert len(f"airflow.{name}") <= 63, "the longest name that Airflow sends to OpenTelemetry"


def test_airflows_own_metrics_accept_what_is_emitted(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = SimpleNamespace(
        incr=create_autospec(sdk.Stats.incr, side_effect=sdk.Stats.incr),
        timing=create_autospec(sdk.Stats.timing, side_effect=sdk.Stats.timing),
    )
    monkeypatch.setattr(sdk, "Stats", spy)

    EnvokeSyncContactsOperator(task_id="sync", rows=ROWS[:2]).execute(context())

    assert spy.incr.call_count == 4
    assert spy.timing.call_count == 1
