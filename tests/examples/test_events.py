"""The event of a sync's asset holds the report, and the DAG that it triggers reads it there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from airflow import __version__
from airflow.providers.common.compat.sdk import DAG, Asset, AssetAlias

from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from tests.support.airflow import result, states
from tests.support.examples import ANA, INVALID, Shop, example

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.models.dagrun import DagRun

AIRFLOW_2 = __version__.startswith("2.")
OUTLETS = [Asset("envoke://account/contacts")]
ROWS = [{"email": "ana@example.com", "city": "Québec"}, {"email": "bo@example.com", "city": "Laval"}]


@pytest.fixture
def run_dag(run_dag: Callable[..., DagRun]) -> Callable[..., DagRun]:
    """Run a DAG after its assets are registered, as the DAG processor would do."""

    def run(dag: DAG, **arguments: Any) -> DagRun:
        if AIRFLOW_2:
            dag.sync_to_db()
        return run_dag(dag, **arguments)

    return run


def events_of(run: DagRun) -> list[tuple[str, dict[str, Any]]]:
    """Return the URI and the extra of each asset event of a run, from Airflow's database."""
    if AIRFLOW_2:
        from airflow.models.dataset import DatasetEvent as Event
        from airflow.models.dataset import DatasetModel as Model
    else:
        from airflow.models.asset import AssetEvent as Event
        from airflow.models.asset import AssetModel as Model
    from airflow.utils.session import create_session

    asset_id = Event.dataset_id if AIRFLOW_2 else Event.asset_id
    with create_session() as session:
        found = (
            session.query(Model.uri, Event.extra)
            .join(Model, Model.id == asset_id)
            .filter(Event.source_run_id == run.run_id, Event.source_dag_id == run.dag_id)
        )
        return [(uri, extra) for uri, extra in found]


def sync_dag(dag_id: str, **arguments: Any) -> DAG:
    with DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        EnvokeSyncContactsOperator(**{"task_id": "sync", "rows": ROWS, **arguments})
    return dag


def test_the_assets_event_holds_the_report_without_personal_data(shop: Shop) -> None:
    run = shop.run_dag(sync_dag("asset_event", outlets=OUTLETS))

    ((uri, extra),) = events_of(run)
    assert uri == "envoke://account/contacts"
    assert extra == result(run, "sync")
    assert (extra["rows"], extra["updated"]) == (2, 1)
    assert "ana@example.com" not in str(extra)


def test_an_alias_gets_an_event_of_the_accounts_contacts(shop: Shop) -> None:
    run = shop.run_dag(sync_dag("alias_event", outlets=[AssetAlias("envoke-contacts")]))

    ((uri, extra),) = events_of(run)
    assert uri == shop.sandbox.url.replace("http://", "envoke://") + "/contacts"
    assert (extra["rows"], extra["updated"], extra["plan_only"]) == (2, 1, False)
    assert "fields" not in extra, "Airflow 2.11 accepts nothing nested"


def test_an_alias_gets_no_event_of_a_plan(shop: Shop) -> None:
    run = shop.run_dag(sync_dag("alias_plan", outlets=[AssetAlias("envoke-contacts")], plan_only=True))

    assert run.state == "success"
    assert events_of(run) == []


@pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2 has no references to assets")
def test_a_reference_to_an_asset_gets_the_report(shop: Shop) -> None:
    shop.run_dag(sync_dag("asset_owner", rows=[], outlets=OUTLETS))

    run = shop.run_dag(sync_dag("reference", outlets=[Asset.ref(uri="envoke://account/contacts")]))

    ((_, extra),) = events_of(run)
    assert extra["updated"] == 1


def test_every_mapped_task_reports_for_itself(shop: Shop) -> None:
    with DAG("mapped_events", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        EnvokeSyncContactsOperator.partial(task_id="sync", outlets=OUTLETS).expand(rows=[[row] for row in ROWS])

    run = shop.run_dag(dag)

    assert sorted(extra["updated"] for _, extra in events_of(run)) == [0, 1]


def test_a_failed_sync_has_no_event(shop: Shop) -> None:
    run = shop.run_dag(sync_dag("failed_event", outlets=OUTLETS, max_changes=0))

    assert run.state == "failed"
    assert events_of(run) == []


@pytest.fixture
def consuming(monkeypatch: pytest.MonkeyPatch) -> Callable[[DagRun], None]:
    """Make the next ``dag.test()`` a run that was triggered by the events of another run, as by the scheduler."""
    if AIRFLOW_2:
        import airflow.models.dag as module
        from airflow.models.dataset import DatasetEvent as Event

        name = "_get_or_create_dagrun"
    else:
        from airflow.models import dagrun
        from airflow.models.asset import AssetEvent as Event

        module, name = dagrun, "get_or_create_dagrun"
    create = getattr(module, name)

    def consume(source: DagRun) -> None:
        def created(*positional: Any, session: Any, **arguments: Any) -> Any:
            run = create(*positional, session=session, **arguments)
            events = session.query(Event).filter(
                Event.source_run_id == source.run_id, Event.source_dag_id == source.dag_id
            )
            consumed = run.consumed_dataset_events if AIRFLOW_2 else run.consumed_asset_events
            consumed.extend(events)
            session.commit()
            return run

        monkeypatch.setattr(module, name, created)

    return consume


@pytest.mark.parametrize(("rows", "state"), [((ANA,), "success"), ((ANA, INVALID), "failed")])
def test_the_dag_after_a_sync_fails_if_it_has_rejects_and_says_why(
    rows: tuple[Any, ...],
    state: str,
    shop: Shop,
    consuming: Callable[[DagRun], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(example("envoke_nightly_sync").task_dict["sync"], "max_rejects", 0.5)
    consuming(shop.run("envoke_nightly_sync", *rows, plan_only=False, max_changes=2))

    run = shop.run("envoke_after_sync")

    assert states(run) == {"look_at_reports": state}
    assert ("'invalid_email': 1" in capsys.readouterr().out + caplog.text) is (state == "failed")


def test_the_dag_after_a_plan_says_that_nothing_was_updated(
    shop: Shop,
    consuming: Callable[[DagRun], None],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    consuming(shop.run("envoke_nightly_sync", ANA, max_changes=1))

    run = shop.run("envoke_after_sync")

    assert states(run) == {"look_at_reports": "success"}
    assert "1 would be updated (plan only)" in capsys.readouterr().out + caplog.text


def test_without_events_there_is_nothing_to_look_at(shop: Shop) -> None:
    assert states(shop.run("envoke_after_sync")) == {"look_at_reports": "success"}


def test_the_asset_of_the_nightly_sync_triggers_it() -> None:
    outlets = example("envoke_nightly_sync").task_dict["sync"].outlets
    after = example("envoke_after_sync")

    assert [outlet.uri for outlet in outlets] == ["envoke://account/contacts"]
    condition = after.timetable.dataset_condition if AIRFLOW_2 else after.timetable.asset_condition
    assert [asset.uri for asset in condition.objects] == ["envoke://account/contacts"]
