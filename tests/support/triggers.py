"""Triggers run as the triggerer runs them: created again from what they serialize to, on an event loop."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.triggers.envoke import EnvokeContactTrigger

_LONGEST_S = 30.0


def created_again(trigger: EnvokeContactTrigger) -> EnvokeContactTrigger:
    """Return the trigger that the triggerer would create."""
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    again: EnvokeContactTrigger = getattr(import_module(module), name)(**arguments)
    return again


def events_of(
    trigger: EnvokeContactTrigger, count: int, meanwhile: Callable[[int], None] | None = None
) -> list[dict[str, Any]]:
    """
    Return the payloads of a trigger's first events; fewer if it ends.

    :param meanwhile: called after each pause of the trigger, with their number, as the world that goes on.
    """
    return asyncio.run(_events_of(created_again(trigger), count, meanwhile))


async def _events_of(
    trigger: EnvokeContactTrigger, count: int, meanwhile: Callable[[int], None] | None
) -> list[dict[str, Any]]:
    payloads: list[dict[str, Any]] = []
    pauses = 0
    sleep = asyncio.sleep

    async def pause(seconds: float, *arguments: Any) -> None:
        nonlocal pauses
        if meanwhile is not None and seconds >= trigger.poll_interval:
            pauses += 1
            await asyncio.to_thread(meanwhile, pauses)
        await sleep(0 if seconds >= trigger.poll_interval else seconds, *arguments)

    asyncio.sleep = pause
    try:
        async with asyncio.timeout(_LONGEST_S), aclosing(trigger.run()) as events:  # type: ignore[type-var]
            async for event in events:
                payloads.append(event.payload)
                if len(payloads) == count:
                    break
    finally:
        asyncio.sleep = sleep
    return payloads
