"""
Brings the rows of a table into Envoke, sending only what changed. Needs no Airflow: a plain script can call it.

.. code-block:: python

    from airflow_provider_envoke.sync import EnvokeConfig, SyncOptions, SyncRun

    config = EnvokeConfig.from_connection(login="API ID", password="API key")
    report = SyncRun(config, SyncOptions(on_missing="skip")).run([{"email": "jon@example.com", "city": "Laval"}])
    print(report.as_table())
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_envoke.envoke.config import EnvokeConfig
    from airflow_provider_envoke.payload.build import PayloadRules
    from airflow_provider_envoke.payload.mapping import FieldMap
    from airflow_provider_envoke.sync.markdown import report_as_markdown
    from airflow_provider_envoke.sync.options import SyncOptions
    from airflow_provider_envoke.sync.passes import SyncRun
    from airflow_provider_envoke.sync.report import Reject, SyncReport

__all__ = [
    "EnvokeConfig",
    "FieldMap",
    "PayloadRules",
    "Reject",
    "SyncOptions",
    "SyncReport",
    "SyncRun",
    "report_as_markdown",
]

# Imported when they are used: Airflow parses DAG files all the time, and SyncRun imports aiohttp.
_MODULES = {
    "EnvokeConfig": "envoke.config",
    "FieldMap": "payload.mapping",
    "PayloadRules": "payload.build",
    "Reject": "sync.report",
    "SyncOptions": "sync.options",
    "SyncReport": "sync.report",
    "SyncRun": "sync.passes",
    "report_as_markdown": "sync.markdown",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"airflow_provider_envoke.{_MODULES[name]}"), name)
