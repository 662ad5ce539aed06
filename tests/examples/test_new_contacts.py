"""The example that an asset watcher starts: from the trigger's event, as Airflow stores it, to the task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.airflow import result, states
from tests.support.contacts import ANA, BO, CY
from tests.support.examples import CAN_WATCH, Shop, example
from tests.support.triggers import created_again, events_of

if TYPE_CHECKING:
    from airflow_provider_envoke.triggers.envoke import EnvokeContactTrigger

pytestmark = pytest.mark.skipif(not CAN_WATCH, reason="Airflow watches assets from 3 on")

DAG_ID = "envoke_new_contacts"


@pytest.fixture
def watched() -> Any:
    """The asset that starts the example."""
    (asset,) = example(DAG_ID).timetable.asset_condition.objects
    return asset


def trigger_of(asset: Any) -> EnvokeContactTrigger:
    (watcher,) = asset.watchers
    trigger: EnvokeContactTrigger = watcher.trigger
    return trigger


@pytest.fixture
def started_by(watched: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make the next ``dag.test()`` a run that an event of the asset has started, as the scheduler would."""
    from airflow.models import dagrun
    from airflow.models.asset import AssetEvent, AssetModel
    from sqlalchemy import select

    create = dagrun.get_or_create_dagrun

    def start(payload: dict[str, Any]) -> None:
        def created(*positional: Any, session: Any, **arguments: Any) -> Any:
            run = create(*positional, session=session, **arguments)
            asset_id = session.scalar(select(AssetModel.id).where(AssetModel.uri == watched.uri))
            # As Trigger.submit_event stores it.
            event = AssetEvent(asset_id=asset_id, extra={"from_trigger": True, "payload": payload})
            session.add(event)
            run.consumed_asset_events.append(event)
            session.commit()
            return run

        monkeypatch.setattr(dagrun, "get_or_create_dagrun", created)

    return start


def test_new_contacts_start_a_run_that_reads_them(shop: Shop, watched: Any, started_by: Any) -> None:
    def meanwhile(pauses: int) -> None:
        new = [{"id": 11, "email": "a@example.com", "language": "fr"}, {"id": 12, "email": "b@example.com"}]
        shop.sandbox.reset([ANA, BO, CY, *new])

    (payload,) = events_of(trigger_of(watched), 1, meanwhile)
    started_by(payload)

    run = shop.run(DAG_ID)

    assert payload == {"ids": [11, 12], "count": 2, "more": False}
    assert states(run) == {"read_new_contacts": "success"}
    assert result(run, "read_new_contacts") == 2
    assert [request["query"].count("filter[id]") for request in shop.sandbox.requests][-1] == 2


def test_a_run_that_a_person_starts_reads_nothing(shop: Shop) -> None:
    run = shop.run(DAG_ID)

    assert states(run) == {"read_new_contacts": "success"}
    assert result(run, "read_new_contacts") == 0


def test_airflow_stores_the_watcher_s_trigger_and_creates_it_again(watched: Any) -> None:
    from airflow.models.trigger import Trigger
    from airflow.serialization.encoders import encode_trigger

    stored = encode_trigger(trigger_of(watched))
    row = Trigger(classpath=stored["classpath"], kwargs=stored["kwargs"])

    assert (row.classpath, row.kwargs) == trigger_of(watched).serialize()
    assert created_again(trigger_of(watched)).serialize() == trigger_of(watched).serialize()
